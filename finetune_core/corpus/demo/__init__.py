"""The demo corpus: the interpreter's own language reference, with questions a person wrote over reserved topics."""

from finetune_core.corpus.demo.anchors import Anchor, QuoteFinder
from finetune_core.corpus.demo.evaluation_set import anchored, evaluation_set, question_id, topic_documents
from finetune_core.corpus.demo.questions import Question, questions, reserved_topics
from finetune_core.corpus.demo.topics import Topic, topics

DEMO = "demo"
"""What the demo's pairs name as their generator."""
TITLE = "Python language reference"

__all__ = [
    "DEMO", "TITLE", "Anchor", "Question", "QuoteFinder", "Topic", "anchored", "evaluation_set", "question_id", "questions",
    "reserved_topics", "topic_documents", "topics",
]  # fmt: skip
