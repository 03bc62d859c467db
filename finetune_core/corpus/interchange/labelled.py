"""What every file format holds: questions, passages, and which passage answers which question."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from finetune_core.errors import DatasetError
from finetune_core.records import Passage, SplitName

MAX_ID_LENGTH = 180
GRADE_BOUND = 1_000_000


@dataclass(frozen=True)
class Question:
    """A question and its judged passages: `relevant` maps passage ids to grades (0 or less: judged not to answer).

    `split` is "" where the file names none.
    """

    id: str
    text: str
    relevant: Mapping[str, int]
    split: str = ""
    answer: str = ""
    evidence: str = ""


@dataclass(frozen=True)
class LabelledSet:
    """Questions and the whole corpus they are searched against, ids unique in each."""

    questions: tuple[Question, ...]
    passages: tuple[Passage, ...]

    def for_split(self, split: str) -> "LabelledSet":
        """The questions of one split, over the same corpus.

        Where the file names one split or none, all its questions are taken to be of `split`; where it names several, those
        of that name are chosen. Raises DatasetError if it names several others.
        """
        named = sorted({question.split for question in self.questions} - {""})
        chosen = [question for question in self.questions if len(named) < 2 or question.split == split]
        if not chosen and self.questions:
            raise DatasetError(
                f"The file has no questions of the split {split!r}; it has {', '.join(named)}.",
                hint="Import it without a split, or name one of those.",
            )
        return LabelledSet(tuple(replace(question, split=split) for question in chosen), self.passages)


def checked(questions: Iterable[Question], passages: Iterable[Passage], source: str) -> LabelledSet:
    """The set, once everything in it is known to be usable.

    Raises DatasetError that names `source` and the first id that is empty, too long, there twice or points nowhere, the
    first empty question, and the first text that is not valid Unicode.
    """
    found = LabelledSet(tuple(questions), tuple(passages))
    known = _unique((passage.id for passage in found.passages), "passage", source)
    _unique((question.id for question in found.questions), "question", source)
    for passage in found.passages:
        _encodable(source, passage.id, passage.text, passage.title, passage.document)
    for question in found.questions:
        _encodable(source, question.id, question.text, question.answer, question.evidence)
        if not question.text.strip():
            raise DatasetError(f"{source}: question {question.id!r} is empty.", hint="Give it a text or remove it.")
        if missing := [key for key in question.relevant if key not in known]:
            raise DatasetError(
                f"{source}: question {question.id!r} names the passage {missing[0]!r}, which the corpus does not have.",
                hint="Add that passage to the corpus, or remove it from the question.",
            )
    return found


def split_name(text: str, source: str) -> str:
    """The split that `text` means ("dev" and "valid" are validation), or "" for no text. Raises DatasetError for others."""
    names = {"": "", "train": "train", "test": "test", "dev": "validation", "valid": "validation", "val": "validation"}
    names["validation"] = SplitName.VALIDATION.value
    if text.strip().lower() not in names:
        raise DatasetError(
            f"{source}: {text!r} is not a split; there are train, validation and test.", hint="Correct it in the file."
        )
    return names[text.strip().lower()]


def grade_of(value: object, source: str) -> int:
    """A grade as a whole number. Raises DatasetError for anything else, and beyond a million either way."""
    try:
        number = float(str(value))
        if number.is_integer() and abs(number) <= GRADE_BOUND:
            return int(number)
    except ValueError:
        pass
    raise DatasetError(
        f"{source}: the grade {value!r} is not a whole number from {-GRADE_BOUND} to {GRADE_BOUND}.",
        hint="Use 1 for a passage that answers, 0 for one that does not, and more for better ones.",
    )


def _unique(ids: Iterable[str], noun: str, source: str) -> set[str]:
    seen: set[str] = set()
    for key in ids:
        if key in seen:
            raise DatasetError(f"{source}: the {noun} {key!r} is there twice.", hint="Give each its own id.")
        if not key or len(key) > MAX_ID_LENGTH:
            raise DatasetError(
                f"{source}: a {noun} has an id of {len(key)} characters ({key[:40]!r}); 1 to {MAX_ID_LENGTH} are allowed.",
                hint="Give it a shorter id of its own.",
            )
        seen.add(key)
    return seen


def _encodable(source: str, key: str, *texts: str) -> None:
    for text in (key, *texts):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise DatasetError(
                f"{source}: the text of {key.encode(errors='replace').decode()!r} holds half a character at position "
                f"{error.start}, so it cannot be stored.",
                hint="Write the file anew as UTF-8.",
            ) from error
