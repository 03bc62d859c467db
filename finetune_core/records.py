"""The kinds of example that recipes learn from, and the splits they come in."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar


class SplitName(StrEnum):
    """The three parts of a dataset version: learn on one, choose on the second, judge on the third."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Record(Protocol):
    """What every kind of example has: an id, and the group that may never straddle two splits."""

    @property
    def id(self) -> str: ...
    @property
    def group(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Passage:
    """A text that can be retrieved.

    `id` is unique in its corpus; `document` is the id of the document it was cut from (its own id where no document is
    known); `title` is the heading context, "" if none, and is searched together with the text.
    """

    id: str
    text: str
    document: str
    title: str = ""

    @property
    def full_text(self) -> str:
        """What a model reads: the heading, a newline, the text; only one of them where the other is empty."""
        return "\n".join(part for part in (self.title, self.text) if part)


@dataclass(frozen=True)
class Corpus:
    """All passages that a question is searched against, in a fixed order, with unique ids."""

    passages: tuple[Passage, ...] = ()

    @cached_property
    def positions(self) -> dict[str, int]:
        """Passage id to its position in `passages`."""
        return {passage.id: position for position, passage in enumerate(self.passages)}

    def __len__(self) -> int:
        return len(self.passages)

    def __iter__(self) -> Iterator[Passage]:
        return iter(self.passages)

    def __getitem__(self, passage_id: str) -> Passage:
        return self.passages[self.positions[passage_id]]


@dataclass(frozen=True, slots=True)
class QueryPassages:
    """A question with the passages that answer it.

    `relevant` maps passage id to grade (1 where relevance is yes or no, higher is better, never 0 or less). `group` is
    the document of its first passage. `evidence` is the quote in that passage that answers the question and `answer` a
    short answer, each "" where unknown. `reviewed` tells whether a person accepted it.
    """

    id: str
    query: str
    relevant: dict[str, int]
    group: str
    evidence: str = ""
    answer: str = ""
    reviewed: bool = False


OUT_OF_SCOPE = ""
"""The label of a query that none of the choices is for."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A query with the choice it belongs to.

    `label` is the id of a choice, or `OUT_OF_SCOPE`. The choices are the corpus of the part: one passage for each, whose
    id is the label, whose title is the choice's name and whose text describes what it is for. `group` is the seed
    question that the query was worded after (its own id where none is known), so that paraphrases stay together.
    """

    id: str
    query: str
    label: str
    group: str
    reviewed: bool = False


Message = dict[str, Any]
"""A chat message as OpenAI's interface has it: `role`, `content` (a text or None), and where it has them `tool_calls`,
`tool_call_id` and `name`.
"""
Tool = dict[str, Any]
"""A function a model may call, in OpenAI's form: `{"type": "function", "function": {name, description, parameters}}`."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation with the answer that a strong model, or a person, gave to it.

    `messages` ends before the answer, `response` is the assistant's message. `tools` are those it could call. `contexts`
    are the passages that stand in the prompt, `reference` is the true answer, "" where unknown; `model` says who answered,
    and what that took follows, 0 where unknown, which makes no difference between two chats. `group` is the document it is
    about. `rejected` is an assistant's message that is a worse answer than `response`, {} where none is known.
    """

    id: str
    messages: tuple[Message, ...]
    response: Message
    group: str
    tools: tuple[Tool, ...] = ()
    contexts: tuple[str, ...] = ()
    reference: str = ""
    model: str = ""
    reviewed: bool = False
    input_tokens: int = field(default=0, compare=False)
    output_tokens: int = field(default=0, compare=False)
    seconds: float = field(default=0.0, compare=False)
    rejected: Message = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A request with the function calls that are right for it.

    `calls` holds `{"name", "arguments"}`, and where several values are right for an argument `"accepted"`: argument to the
    list of them, None among them if it may be left out. () means that no function fits and none may be called. Structured
    output is the case of one tool, whose parameters are the schema. `group` is the function set.
    """

    id: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    calls: tuple[dict[str, Any], ...]
    group: str
    reviewed: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """An answer with the score that a strong judge, or people, gave it.

    `score` lies in [`lowest`, `highest`]; `ratings` are the scores of single raters where there were several. `reference`
    is the true answer, "" where unknown. `group` is the question.
    """

    id: str
    query: str
    response: str
    score: float
    group: str
    reference: str = ""
    feedback: str = ""
    lowest: float = 1.0
    highest: float = 5.0
    ratings: tuple[float, ...] = ()
    reviewed: bool = False


class Preference(StrEnum):
    """Which of two answers is better."""

    FIRST = "first"
    SECOND = "second"
    TIE = "tie"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two answers to one question, and which a strong judge, or people, preferred.

    `winner` is a `Preference`; `votes` are those of single raters where there were several. `group` is the instruction.
    """

    id: str
    query: str
    first: str
    second: str
    winner: str
    group: str
    reference: str = ""
    feedback: str = ""
    votes: tuple[str, ...] = ()
    reviewed: bool = False


@dataclass(frozen=True, slots=True)
class SqlQuestion:
    """A question with the query that answers it.

    `schema` holds the CREATE TABLE statements it is asked over. `database` is the SQLAlchemy URL of a database that can
    run it, or "" where there is none and queries can only be parsed and compared as text. `group` is the database's name.
    """

    id: str
    question: str
    schema: str
    sql: str
    group: str
    database: str = ""
    difficulty: str = ""
    reviewed: bool = False


R_co = TypeVar("R_co", bound=Record, covariant=True)


@dataclass(frozen=True)
class Part(Generic[R_co]):
    """One part of a dataset version: its examples, and the corpus they are searched against.

    The corpus holds passages for `QueryPassages`, the choices for `Labelled`, and is empty for other kinds.
    """

    name: SplitName
    examples: tuple[R_co, ...]
    corpus: Corpus = field(default_factory=Corpus)

    def __len__(self) -> int:
        return len(self.examples)


@dataclass(frozen=True)
class Split(Generic[R_co]):
    """A dataset version as recipes see it. `fingerprint` is the version's content hash."""

    train: Part[R_co]
    validation: Part[R_co]
    test: Part[R_co]
    fingerprint: str

    def part(self, name: SplitName) -> Part[R_co]:
        """The part of that name."""
        return {SplitName.TRAIN: self.train, SplitName.VALIDATION: self.validation, SplitName.TEST: self.test}[name]


MODEL_REFERENCE = "model:"
"""Starts a setting that names another tuned model of the project by its id, where a base model could be named too."""


class ServiceKind(StrEnum):
    """Which interface a model service speaks."""

    OPENAI = "openai"  # OpenAI's, or any that is compatible with it
    COHERE = "cohere"


SERVICE_REFERENCE = "service:"
"""Starts a setting that names a model service of the Settings page, where a base model could be named too."""


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_id(*parts: str) -> str:
    """Sixteen hex digits of the SHA-256 of `parts`; equal parts give equal ids, on every machine and at any time."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:16]
