"""Reviewing question/passage pairs: find the next one, decide, edit, undo, add, import, export."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune_core.corpus import interchange
from finetune_core.corpus.interchange import FORMATS, WRITTEN
from finetune_core.errors import PairError, StaleEditError
from finetune_core.records import SplitName, content_id, file_sha256
from finetune_core.storage import database, imports, reviews
from finetune_core.storage import pairs as rows
from finetune_core.storage.database import Connection
from finetune_core.storage.imports import ImportSummary
from finetune_core.storage.pairs import NewPair, Pair, PairFilter, PairSource, PairState
from finetune_core.workspace import jobs, reviewing
from finetune_core.workspace.reviewing import Progress, UndoneStep

__all__ = ["FORMATS", "WRITTEN", "ImportSummary", "Pair", "PairFilter", "PairSource", "PairState"]

MAX_TEXT = 20_000
SAME_START_WORDS = 4
ALIKE = 0.6
"""Estimated Jaccard similarity from which two questions count as "like this one"; lower than a near-duplicate on purpose."""


@dataclass(frozen=True)
class PassageView:
    """A passage as a person sees it; `document` is the document's name. `evidence` is (start, end) in `text`, or None."""

    id: str
    heading: str
    text: str
    document: str
    evidence: tuple[int, int] | None
    grade: int = 1


@dataclass(frozen=True)
class PairView:
    """A pair with the passages it stands on, the one it was written for first."""

    pair: Pair
    passages: tuple[PassageView, ...]


def upcoming(project_id: str, chosen: PairFilter, after_seq: int = 0, num: int = 1) -> list[PairView]:
    """The next `num` pairs of the filter after `after_seq`, going round to the front at the end; fewer where it has fewer."""
    with database.reading() as connection:
        found = rows.following(connection, project_id, chosen, after_seq, num)
        if len(found) < num and after_seq > 0:
            seen = {one.seq for one in found}
            front = rows.following(connection, project_id, chosen, 0, num)
            found += [one for one in front if one.seq not in seen][: num - len(found)]
        return [_view(connection, project_id, one) for one in found]


def get(project_id: str, pair_id: str) -> PairView:
    """The pair of that id. Raises PairError if there is none."""
    with database.reading() as connection:
        return _view(connection, project_id, _existing(rows.get(connection, project_id, pair_id), pair_id))


def progress(project_id: str, chosen: PairFilter | None = None) -> Progress:
    """Counts in each state over the filter's other conditions, the measured pace, and whether a step can be undone."""
    with database.reading() as connection:
        counts = rows.counts_by_state(connection, project_id, chosen)
        return reviewing.progress(connection, reviews.PAIRS, project_id, counts)


def decide(
    project_id: str,
    pair_id: str,
    version: int,
    state: PairState,
    *,
    question: str | None = None,
    answer: str | None = None,
    evidence: str | None = None,
) -> Pair:
    """Give the pair a state and, where they are not None, new texts; the pair as it is now.

    `version` is the one that was shown. Raises StaleEditError that says what changed since, and PairError for an empty or
    too long question, or for evidence that does not stand in the passage; nothing is written then.
    """
    texts = {"question": question, "answer": answer, "evidence": evidence}
    given = {name: value.strip() for name, value in texts.items() if value is not None}
    with database.writing() as connection:
        found = _existing(rows.get(connection, project_id, pair_id), pair_id)
        if found.version != version:
            if found.state == state and all(getattr(found, name).strip() == text for name, text in given.items()):
                return found  # the same decision said twice, over a broken connection
            raise _stale(found, given, state)
        values = _changed(found, given)
        if values.get("evidence"):
            _require_quote(connection, project_id, found, values["evidence"])
        if state != found.state:
            reviewed_at = None if state == PairState.PENDING else database.now()
            values |= {"state": state, "set_aside_by": "", "reviewed_at": reviewed_at}
        if values and not reviews.change(connection, reviews.PAIRS, project_id, found, values):
            raise _stale(_existing(rows.get(connection, project_id, pair_id), pair_id), given, state)
        return _existing(rows.get(connection, project_id, pair_id), pair_id)


def undo(project_id: str) -> UndoneStep[Pair] | None:
    """Take back the last decision, edit or bulk action; None where there is nothing to undo.

    Raises StaleEditError if every pair of that step was changed in another way since.
    """
    with database.writing() as connection:
        done = reviews.undo(connection, reviews.PAIRS, project_id)
        if done is None:
            return None
        back = rows.by_seq(connection, done.seqs[: database.BATCH])
    reviewing.require_undone(done)
    return UndoneStep(tuple(back), len(done.seqs), done.num_changed_since)


def decide_all(project_id: str, chosen: PairFilter, state: PairState, expected: int | None = None) -> int:
    """Give every pair of the filter a state; how many changed. One undo takes all of it back.

    Raises StaleEditError if `expected` is given and the filter no longer takes in that many pairs.
    """
    with database.writing() as connection:
        num = rows.count(connection, project_id, chosen)
        if expected is not None and num != expected:
            raise StaleEditError(
                f"The filter takes in {num:,} pairs now; it was {expected:,} when you asked.",
                hint="Look at the new number and confirm again.",
            )
        return reviews.change_all(connection, reviews.PAIRS, project_id, rows.matches(project_id, chosen), state)


def alike(project_id: str, pair_id: str, *, same_start: bool = False) -> list[Pair]:
    """Pending pairs like this one, itself first: near-duplicate questions, or such as begin with the same four words.

    Raises PairError for an unknown pair.
    """
    from finetune_core.corpus.near_duplicates import shingles

    with database.reading() as connection:
        model = _existing(rows.get(connection, project_id, pair_id), pair_id)
        start, own = _start(model.question), shingles(model.question)
        # A start narrows the rows down in SQL; likeness has to look at each pending question.
        chosen = PairFilter(state=PairState.PENDING, text=model.question.split()[0] if same_start else "")
        found = [model]
        for one in rows.each(connection, project_id, chosen):
            if one.id == pair_id:
                continue
            if _start(one.question) == start if same_start else _jaccard(own, shingles(one.question)) >= ALIKE:
                found.append(one)
    return found


def reject_these(project_id: str, pair_ids: Sequence[str]) -> int:
    """Reject these pairs in one step, those that are still there; how many changed."""
    with database.writing() as connection:
        return reviews.change_all(
            connection, reviews.PAIRS, project_id, rows.among(project_id, pair_ids), PairState.REJECTED
        )


def page(project_id: str, chosen: PairFilter, number: int, size: int = 50) -> tuple[list[Pair], int]:
    """Page `number` (from 0) of the filter's pairs in order of creation, and how many pairs it has in all."""
    with database.reading() as connection:
        return rows.page(connection, project_id, chosen, number, size), rows.count(connection, project_id, chosen)


def documents_of(project_id: str) -> dict[str, str]:
    """Id to name of the documents that have pairs."""
    with database.reading() as connection:
        return rows.documents(connection, project_id)


def filters_of(project_id: str) -> dict[str, int]:
    """Name of each filter that set pairs aside, with their number."""
    with database.reading() as connection:
        return {name: num for name, num in rows.counts_by_filter(connection, project_id).items() if name}


def find_passages(project_id: str, text: str, limit: int = 20) -> list[PassageView]:
    """Own passages that hold `text`, for writing a pair by hand; [] for no text."""
    if not text.strip():
        return []
    with database.reading() as connection:
        found = rows.passages_with(connection, project_id, text.strip(), limit)
    return [PassageView(*one, evidence=None) for one in found]


def add(project_id: str, question: str, chunk_id: str, *, answer: str = "", evidence: str = "") -> Pair:
    """Add an accepted pair by hand on one of the project's own passages.

    Raises PairError for an empty question, an unknown passage, evidence that does not stand in it, or a pair that exists.
    """
    question, answer, evidence = _checked("question", question), answer.strip(), evidence.strip()
    pair_id = content_id("written", chunk_id, question)
    with database.writing() as connection:
        heading, text, document_id, _ = rows.passage(connection, project_id, "", chunk_id)
        if not document_id:
            raise PairError(f"There is no passage {chunk_id!r} in this project.", hint="Choose one from the list.")
        if evidence and evidence not in f"{heading}\n{text}":
            raise _no_quote(evidence)
        new = NewPair(
            pair_id, question, {chunk_id: 1}, document_id, PairSource.WRITTEN, evidence, _checked_answer(answer),
            state=PairState.ACCEPTED,
        )  # fmt: skip
        if not rows.insert(connection, project_id, [new]):
            raise PairError(
                "This question is there already for this passage.", hint="Find it in the table to change it."
            )
        return _existing(rows.get(connection, project_id, pair_id), pair_id)


def import_file(project_id: str, path: Path, file_format: str, split: str = "") -> ImportSummary:
    """Add a file's corpus and its questions as accepted pairs, whole or not at all.

    Raises DatasetError for anything wrong with the file, PairError for an unknown split.
    """
    if split and split not in {name.value for name in SplitName}:
        raise PairError(f"{split!r} is not a split.", hint="Choose train, validation or test.")
    labelled = interchange.read(path, file_format)
    if split:
        labelled = labelled.for_split(split)
    with database.writing() as connection:
        return imports.import_labelled(connection, project_id, labelled)


def submit_import(project_id: str, path: Path, file_format: str, split: str = "", name: str = "") -> str:
    """The same as a job, with progress; the job's id. `name` is what the person calls the file, if not as it is called."""
    params = {"path": str(path), "format": file_format, "split": split}
    content = file_sha256(path) if path.is_file() else str(path)
    key = f"import:{project_id}:{content}"[:200]  # pressed twice, the same file has been uploaded twice
    return jobs.submit(project_id, "import_pairs", params, title=f"Import {name or path.name}", unique_key=key)


def export_file(
    project_id: str, path: Path, file_format: str, chosen: PairFilter | None = None, split: str = ""
) -> dict[str, Any]:
    """Write the accepted pairs (or those of the filter) with their whole corpora to `path`; what was written.

    Raises PairError where there is none, or where `path` exists.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise PairError(f"{path} exists already.", hint="Name a file or folder that does not exist yet.")
    chosen = chosen or PairFilter(state=PairState.ACCEPTED)
    with database.reading() as connection:
        labelled = imports.labelled_from(connection, project_id, chosen, split)
    if not labelled.questions:
        raise PairError("There is no pair to export.", hint="Accept some pairs first, or choose another filter.")
    path.parent.mkdir(parents=True, exist_ok=True)
    interchange.write(labelled, path, file_format)
    return {"path": str(path), "num_pairs": len(labelled.questions), "num_passages": len(labelled.passages)}


def export_bytes(project_id: str, file_format: str, chosen: PairFilter) -> bytes:
    """The same for a download; a folder comes as a zip."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"pairs{FORMATS[file_format].suffix}"
        export_file(project_id, path, file_format, chosen)
        if path.is_file():
            return path.read_bytes()
        return Path(shutil.make_archive(str(Path(folder) / "zip"), "zip", folder, path.name)).read_bytes()


def _view(connection: Connection, project_id: str, found: Pair) -> PairView:
    grades = rows.grades(connection, project_id, [found.id])[found.id] or {found.chunk_id: 1}
    first_shown = sorted(grades.items(), key=lambda item: item[0] != found.chunk_id)
    passages = []
    for chunk_id, grade in first_shown:
        heading, text, _, document = rows.passage(connection, project_id, found.origin, chunk_id)
        at = text.find(found.evidence) if found.evidence and chunk_id == found.chunk_id else -1
        passages.append(
            PassageView(chunk_id, heading, text, document, (at, at + len(found.evidence)) if at >= 0 else None, grade)
        )
    return PairView(found, tuple(passages))


def _existing(found: Pair | None, pair_id: str) -> Pair:
    if found is None:
        raise PairError(f"There is no pair {pair_id!r}; it may have been deleted.", hint="Reload the page.")
    return found


def _changed(found: Pair, given: dict[str, str]) -> dict[str, Any]:
    """The values that differ, and the original texts with the first edit."""
    values: dict[str, Any] = {name: text for name, text in given.items() if text != getattr(found, name).strip()}
    if "question" in values:
        _checked("question", values["question"])
    if "answer" in values:
        _checked_answer(values["answer"])
    if values and found.original is None:
        values["original"] = {"question": found.question, "answer": found.answer, "evidence": found.evidence}
    return values


def _stale(now: Pair, given: dict[str, str], state: PairState) -> StaleEditError:
    texts = [name for name, text in given.items() if text != getattr(now, name).strip()]
    other = f"its {' and '.join(texts)} differ from yours" if texts else "its texts are like yours"
    return StaleEditError(
        f"This pair was changed since you saw it: it is {now.state.value} now, and {other}. Yours would have been "
        f"{state.value}. Nothing was written.",
        hint="Look at how it is now, then decide again; what you typed is still in the boxes.",
    )


def _checked(name: str, text: str) -> str:
    text = text.strip()
    if not text:
        raise PairError(f"The {name} is empty.", hint="Write one, or reject the pair.")
    if len(text) > MAX_TEXT:
        raise PairError(f"The {name} has {len(text):,} characters; at most {MAX_TEXT:,} are kept.", hint="Shorten it.")
    return text


def _checked_answer(text: str) -> str:
    return _checked("answer", text) if text else text


def _require_quote(connection: Connection, project_id: str, found: Pair, evidence: str) -> None:
    heading, text, _, _ = rows.passage(connection, project_id, found.origin, found.chunk_id)
    if evidence not in f"{heading}\n{text}":
        raise _no_quote(evidence)


def _no_quote(evidence: str) -> PairError:
    return PairError(
        f"The evidence {evidence[:60]!r} does not stand in the passage.",
        hint="Copy it from the passage, letter by letter.",
    )


def _start(question: str) -> tuple[str, ...]:
    return tuple(question.casefold().split()[:SAME_START_WORDS])


def _jaccard(first: set[bytes], second: set[bytes]) -> float:
    return len(first & second) / len(first | second) if first or second else 1.0
