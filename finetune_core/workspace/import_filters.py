"""What is taken out of examples, and which are left out, as they come in from a file; and a look at it before."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from finetune_core.corpus.interchange.row_formats import Brought
from finetune_core.corpus.redaction import Secret, find, redact, redact_all, texts_in
from finetune_core.errors import DatasetError
from finetune_core.plugins.recording import Event, sift
from finetune_core.records import Chat

__all__ = ["Secret"]

SECRET_NAMES = {kind.name.lower(): kind for kind in Secret}
"""What the kinds of secrets are called on the command line."""

NUM_SAMPLES = 3
"""Of each kind of secret, how many are shown."""
_AROUND, _LONGEST = 50, 80
_UNTOUCHED = ("id", "group", "database")
"""Fields that a record is known, split and run by."""


@dataclass(frozen=True, slots=True)
class ImportFilter:
    """What to do with a file's examples: the kinds of secrets to take out, and of chats whether to leave out questions that
    were asked before, and turns that refine an earlier answer.
    """

    secrets: frozenset[Secret] = frozenset()
    leave_out_repeats: bool = False
    leave_out_refined: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many rows were not taken: without an answer, the same as another or asked before, refining an answer."""

    num_failed: int = 0
    num_repeated: int = 0
    num_refined: int = 0

    @property
    def sentence(self) -> str:
        """In words, "" for none."""
        words = {"without an answer": self.num_failed, "repeated": self.num_repeated, "refining": self.num_refined}
        return ", ".join(f"{num:,} {what}" for what, num in words.items() if num)


@dataclass(frozen=True, slots=True)
class SecretSample:
    """A secret where it stands: `where` is the row, `before` and `after` what is around it, cut where there is a …."""

    kind: Secret
    where: str
    before: str
    secret: str
    after: str

    def around(self, kinds: Collection[Secret]) -> tuple[str, str]:
        """What is before and after the secret, once those kinds are taken out there too."""
        return redact(self.before, kinds=kinds), redact(self.after, kinds=kinds)


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """What a file holds, before anything of it is stored.

    `num_touched` tells in how many examples each kind of secret stands, whatever is taken out; `left_out` is what would be
    left out if both kinds of chats were.
    """

    file_format: str
    num_examples: int
    left_out: LeftOut
    num_touched: dict[Secret, int] = field(default_factory=dict)
    samples: tuple[SecretSample, ...] = ()

    @property
    def sentence(self) -> str:
        """All of it in words, a place to a line."""
        touched = ", ".join(f"{kind} in {num:,}" for kind, num in self.num_touched.items() if num) or "none"
        lines = [
            f"{self.num_examples:,} examples ({self.file_format}); secrets: {touched}; "
            f"could be left out: {self.left_out.sentence or 'none'}."
        ]
        lines += [f"{one.where}: {one.before}>>{one.secret}<<{one.after}" for one in self.samples]
        return "\n".join(" ".join(line.split()) for line in lines)


@dataclass(frozen=True, slots=True)
class Filtered:
    """The examples to keep, the secrets that were taken out of them, and what was left out."""

    brought: tuple[Brought, ...]
    secrets: Counter[Secret]
    left_out: LeftOut


def secrets_called(names: str) -> frozenset[Secret]:
    """The kinds of secrets that are called so, with commas between; none for "". Raises DatasetError for an unknown one."""
    given = [name.strip().lower() for name in names.split(",") if name.strip()]
    if unknown := next((name for name in given if name not in SECRET_NAMES), None):
        raise DatasetError(
            f"{unknown!r} is nothing that can be taken out; there are {', '.join(SECRET_NAMES)}.",
            hint="Name some of these.",
        )
    return frozenset(SECRET_NAMES[name] for name in given)


def filtered(brought: Sequence[Brought], chosen: ImportFilter) -> Filtered:
    """The examples of a file after the filter, in order. What has no answer, or is the same row again, never stays."""
    kept, left_out = _sifted(brought, chosen)
    secrets: Counter[Secret] = Counter()
    if chosen.secrets:
        kept = [replace(one, example=_redacted(one.example, secrets, chosen.secrets)) for one in kept]
    return Filtered(tuple(kept), secrets, left_out)


def preview(file_format: str, brought: Sequence[Brought]) -> ImportPreview:
    """What any filter would do to the examples of a file."""
    _, left_out = _sifted(brought, ImportFilter(leave_out_repeats=True, leave_out_refined=True))
    touched: Counter[Secret] = Counter()
    samples: list[SecretSample] = []
    answered = [one for one in brought if not one.failure]
    for one in answered:
        here: set[Secret] = set()
        for sample in _samples(one):
            if sample.kind not in here and touched[sample.kind] < NUM_SAMPLES:
                samples.append(sample)
            here.add(sample.kind)
        touched.update(here)
    counts = {kind: touched[kind] for kind in Secret}
    return ImportPreview(file_format, len(answered), left_out, counts, tuple(sorted(samples, key=lambda one: one.kind)))


def _sifted(brought: Sequence[Brought], chosen: ImportFilter) -> tuple[list[Brought], LeftOut]:
    answered = [one for one in brought if not one.failure]
    num_failed = sum(one.times for one in brought if one.failure)
    num_same = sum(one.times - 1 for one in answered)
    if not (chosen.leave_out_repeats or chosen.leave_out_refined) or not all(
        isinstance(one.example, Chat) for one in answered
    ):
        return answered, LeftOut(num_failed, num_same)
    events = [Event(one.example.messages, one.example.response, one.example.tools) for one in answered]
    by_event = dict(zip(map(id, events), answered, strict=True))
    found = sift(events, duplicates=not chosen.leave_out_repeats, refine_turns=not chosen.leave_out_refined)
    kept = [by_event[id(event)] for event in found.events]
    return kept, LeftOut(num_failed, num_same + found.num_duplicates, found.num_refined)


def _samples(one: Brought) -> Iterable[SecretSample]:
    """Every secret of an example, with what is around it."""
    for name in _texts(one.example):
        for text in texts_in(getattr(one.example, name)):
            for found in find(text):
                start, end = max(0, found.start - _AROUND), found.end + _AROUND
                before = f"{'…' if start else ''}{text[start : found.start]}"
                after = f"{text[found.end : end]}{'…' if end < len(text) else ''}"
                secret = text[found.start : found.end]
                yield SecretSample(found.kind, one.where, before, secret[:_LONGEST], after)


def _redacted(example: Any, secrets: Counter[Secret], kinds: frozenset[Secret]) -> Any:
    return replace(example, **{name: redact_all(getattr(example, name), secrets, kinds) for name in _texts(example)})


def _texts(example: Any) -> list[str]:
    """The fields of an example that secrets are looked for in."""
    return [each.name for each in fields(example) if each.name not in _UNTOUCHED]
