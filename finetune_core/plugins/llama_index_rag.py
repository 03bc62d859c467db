"""Retrieval-augmented answers as a LlamaIndex application asks for them: its query engine, over an Ayar embedder."""

import functools
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from finetune_core.plugins.llama_index_embedding import llama_index_embedding
from finetune_core.plugins.llama_index_llm import Asking, llama_index_llm
from finetune_core.plugins.llama_index_messages import openai_message
from finetune_core.plugins.llama_index_recorder import recording_handler
from finetune_core.providers.chat import Chat, Message
from finetune_core.providers.embedder import Checkpoint, Embedder
from finetune_core.records import Passage
from finetune_core.synthesis.rag_answers import Exchange

if TYPE_CHECKING:
    from llama_index.core.base.base_retriever import BaseRetriever

Fill = Callable[[str, str], str]
"""What the system is told, from the passages as LlamaIndex joins them, and the question."""


def llama_index_retriever(
    passages: Sequence[Passage], embedder: Embedder, top_k: int, checkpoint: Checkpoint | None = None
) -> "BaseRetriever":
    """A LlamaIndex retriever of the `top_k` passages nearest to a question, by exact search over the embedder's vectors.

    The passages are encoded now. A question is searched once; asked again it gets the same nodes.
    """
    vectors_PD = embedder.encode_passages([passage.full_text for passage in passages], checkpoint)
    retriever: BaseRetriever = _retriever_class()(passages, vectors_PD, llama_index_embedding(embedder), top_k)
    return retriever


class RagPipeline:
    """A LlamaIndex query engine that puts the retrieved passages into the prompt and records what it asks; see
    `synthesis.rag_answers.Pipeline`. Its methods may run in several threads.
    """

    def __init__(self, chat: Chat, retriever: "BaseRetriever", fill: Fill, asking: Asking) -> None:
        from llama_index.core.prompts import ChatPromptTemplate

        self._chat, self._retriever, self._asking = chat, retriever, asking

        def filled(*, context_str: str = "", query_str: str = "", **_: Any) -> str:
            return fill(context_str, query_str)

        self._template = ChatPromptTemplate.from_messages(
            [("system", "{context_str}"), ("user", "{query_str}")], function_mappings={"context_str": filled}
        )

    def messages(self, question: str) -> Sequence[Message]:
        """What the chat will be asked about `question`."""
        texts = [found.node.get_content() for found in self._retriever.retrieve(question)]
        filled = self._template.format_messages(context_str="\n\n".join(texts), query_str=question)
        return [openai_message(one) for one in filled]

    def ask(self, question: str, seed: int, checkpoint: Checkpoint | None) -> Exchange:
        """Ask `question`, and say what was asked. What the chat raises goes through."""
        from llama_index.core.callbacks import CallbackManager
        from llama_index.core.query_engine import RetrieverQueryEngine
        from llama_index.core.response_synthesizers import ResponseMode, get_response_synthesizer

        how = self._asking
        asking = Asking(how.max_tokens, how.context_tokens, seed, how.temperature, checkpoint)
        handler = recording_handler()
        callbacks = CallbackManager([handler])
        llm = llama_index_llm(self._chat, asking, callback_manager=callbacks)
        synthesizer = get_response_synthesizer(
            llm, text_qa_template=self._template, response_mode=ResponseMode.COMPACT, callback_manager=callbacks
        )
        response = RetrieverQueryEngine(self._retriever, synthesizer, callback_manager=callbacks).query(question)
        return Exchange(
            tuple(handler.recording.events), tuple(found.node.get_content() for found in response.source_nodes)
        )


@functools.cache
def _retriever_class() -> Any:
    """Defined on first use: importing LlamaIndex takes seconds, and only this needs it."""
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

    class AyarRetriever(BaseRetriever):
        def __init__(self, passages: Sequence[Passage], vectors_PD: Any, embedding: Any, top_k: int) -> None:
            super().__init__()
            self._passages, self._vectors_PD, self._top_k = passages, vectors_PD, top_k
            self._embedding, self._lock = embedding, threading.Lock()
            self._found: dict[str, list[NodeWithScore]] = {}

        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            question = query_bundle.query_str
            with self._lock:  # the embedder is one model, and threads would only wait for each other in it
                if question not in self._found:
                    self._found[question] = self._nearest(question)
                return self._found[question]

        def _nearest(self, question: str) -> list[NodeWithScore]:
            vector_D = np.asarray(self._embedding.get_query_embedding(question), dtype=np.float32)
            scores_P = self._vectors_PD @ vector_D
            best = np.argsort(-scores_P, kind="stable")[: self._top_k]
            return [
                NodeWithScore(
                    node=TextNode(id_=self._passages[at].id, text=self._passages[at].full_text),
                    score=float(scores_P[at]),
                )
                for at in best
            ]

    return AyarRetriever
