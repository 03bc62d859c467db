"""Code to paste into an application that uses a tuned model. None of it needs Ayar."""

from dataclasses import dataclass
from pathlib import Path

from finetune_core.evaluation import prompt_files
from finetune_core.providers import portable_adapter


@dataclass(frozen=True)
class Framework:
    """A library that a tuned model plugs into; `template` is the name of its file here."""

    title: str
    template: str


CHAT = (Framework("LlamaIndex", "llama_index_chat"), Framework("transformers", "transformers_chat"))
"""What every chat model with an adapter here plugs into."""
FRAMEWORKS = {
    "cohere_reranker": (Framework("LlamaIndex", "llama_index_cohere"),),
    "cross_encoder": (
        Framework("LlamaIndex", "llama_index_rerank"),
        Framework("sentence-transformers", "sentence_transformers_rerank"),
    ),
    "distillation": CHAT,
    "embedding": (
        Framework("LlamaIndex", "llama_index"),
        Framework("sentence-transformers", "sentence_transformers"),
        Framework("LangChain", "langchain"),
    ),
    "embedding_adapter": (Framework("LlamaIndex", "llama_index_adapter"), Framework("NumPy", "numpy_adapter")),
    "function_calling": (Framework("transformers", "transformers_calls"), CHAT[0]),
    "judge_correctness": (Framework("LlamaIndex", "llama_index_judge_correctness"), CHAT[1]),
    "judge_pairwise": (Framework("LlamaIndex", "llama_index_judge_pairwise"), CHAT[1]),
    "router": (Framework("LlamaIndex", "llama_index_router"),),
    "text_to_sql": (Framework("LlamaIndex", "llama_index_sql"), CHAT[1]),
}
"""What the models of each recipe plug into, the best known first."""


def render(
    template: str,
    *,
    folder: str,
    name: str,
    query_prefix: str = "",
    passage_prefix: str = "",
    embedder: str = "embedder",
    base_model: str = "",
    max_tokens: int = 256,
    retriever_weight: float = 0.0,
    precision: str = "auto",
    learned_scale: tuple[float, float] = (1.0, 5.0),
    with_feedback: bool = False,
) -> str:
    """The snippet for a framework with a model's folder and prefixes filled in as Python literals.

    `embedder` is where the embedding model below a router or an adapter lies, as seen from `folder`; "" where an adapter's
    is served by somebody else. `base_model` says in words what an adapter was tuned for, and `max_tokens` where its texts
    are cut. `retriever_weight` is the share of the retriever's score that a reranker was tuned to go with, `precision`
    the type of number that a chat model was measured in. `learned_scale` is the lowest and the highest grade that a judge
    learned, and `with_feedback` whether it gives reasons. Raises ValueError for a template there is none of.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    known = [framework.template for found in FRAMEWORKS.values() for framework in found]
    if template not in known:
        raise ValueError(f"there is no snippet {template!r}, only {', '.join(known)}")
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - what it makes is Python
    )
    environment.filters["repr"] = repr
    environment.filters["lines"] = lambda text: [repr(line) for line in text.splitlines(keepends=True)]
    environment.globals["prompt_source"] = prompt_files.source
    return environment.get_template(f"{template}.py.jinja").render(
        folder=folder,
        name=name,
        query_prefix=query_prefix,
        passage_prefix=passage_prefix,
        embedder=embedder,
        base_model=base_model,
        max_tokens=max_tokens,
        retriever_weight=retriever_weight,
        precision=precision,
        learned_scale=learned_scale,
        with_feedback=with_feedback,
        adapter_code=Path(portable_adapter.__file__).read_text(encoding="utf-8").strip(),
    )
