"""The demo's questions over its passages: which passage answers which question, and both together as a test part."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from finetune_core.corpus.chunking import Chunker, TokenCounting
from finetune_core.corpus.demo.anchors import Anchor, QuoteFinder
from finetune_core.corpus.demo.questions import Question, questions, reserved_topics
from finetune_core.corpus.demo.topics import topics
from finetune_core.records import Corpus, Part, Passage, QueryPassages, SplitName, content_id

CHUNK_TOKENS = 128
OVERLAP_TOKENS = 16


def topic_documents() -> dict[str, str]:
    """The name of each topic to the id of its document; topics with one text are one document."""
    return {topic.name: content_id("document", topic.text) for topic in topics()}


def question_id(question: Question) -> str:
    """The same wherever the question is asked."""
    return content_id("demo", question.question)


def anchored(
    passages: Sequence[Passage], checkpoint: Callable[[], None] = lambda: None
) -> list[tuple[Question, Anchor]]:
    """The questions whose quote stands in `passages` (each document's in order), with where; the others are left out."""
    documents = topic_documents()
    place = {document: position for position, document in enumerate(documents.values())}
    reserved = {documents[name] for name in reserved_topics() if name in documents}
    in_order = sorted(passages, key=lambda passage: place.get(passage.document, len(place)))
    neighbours = [(a.id, b.id) for a, b in pairwise(in_order) if a.document == b.document]
    # The passages of reserved topics come first, so that a question belongs to its own topic where others say the same.
    first = sorted(in_order, key=lambda passage: passage.document not in reserved)
    finder = QuoteFinder({passage.id: passage.text for passage in first}, neighbours)
    found: list[tuple[Question, Anchor]] = []
    for question in questions():
        checkpoint()
        if anchor := finder.find(question.quote):
            found.append((question, anchor))
    return found


def evaluation_set(counter: TokenCounting, checkpoint: Callable[[], None] = lambda: None) -> Part[QueryPassages]:
    """What a freshly loaded demo would be judged on, made without a project: all topics cut as the demo cuts them."""
    chunker = Chunker(counter, CHUNK_TOKENS, OVERLAP_TOKENS)
    documents, unique = topic_documents(), dict[tuple[str, str], Passage]()
    for topic in topics():
        for chunk in chunker.cut(documents[topic.name], topic.text, topic.sections):
            passage = Passage(chunk.id, chunk.text, documents[topic.name], chunk.heading)
            unique.setdefault((chunk.heading, chunk.text), passage)
        checkpoint()
    corpus = Corpus(tuple(unique.values()))
    examples = tuple(
        QueryPassages(
            id=question_id(question),
            query=question.question,
            relevant=dict.fromkeys(anchor.chunk_ids, 1),
            group=corpus[anchor.chunk_ids[0]].document,
            evidence=anchor.evidence,
            reviewed=True,
        )
        for question, anchor in anchored(corpus.passages, checkpoint)
    )
    return Part(SplitName.TEST, examples, corpus)
