"""The demo corpus: the interpreter's own language reference, with questions a person wrote over reserved topics."""

from finetune_core.corpus.demo.anchors import Anchor, QuoteFinder
from finetune_core.corpus.demo.questions import Question, questions, reserved_topics
from finetune_core.corpus.demo.topics import Topic, topics

DEMO = "demo"
"""What the demo's pairs name as their generator."""

__all__ = ["DEMO", "Anchor", "Question", "QuoteFinder", "Topic", "questions", "reserved_topics", "topics"]
