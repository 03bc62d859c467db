"""The demo corpus: the interpreter's own language reference, with questions a person wrote over reserved topics."""

from finetune_core.corpus.demo.anchors import Anchor, QuoteFinder
from finetune_core.corpus.demo.questions import Question, questions, reserved_topics
from finetune_core.corpus.demo.topics import Topic, topics

__all__ = ["Anchor", "Question", "QuoteFinder", "Topic", "questions", "reserved_topics", "topics"]
