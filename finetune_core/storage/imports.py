"""Labelled sets that come from files and go to files."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from finetune_core.corpus.interchange import LabelledSet, Question
from finetune_core.records import Passage, SplitName, content_id
from finetune_core.storage import documents, pairs
from finetune_core.storage.database import portions
from finetune_core.storage.pairs import NewPair, PairFilter, PairSource, PairState
from finetune_core.storage.tables import chunk, pair


@dataclass(frozen=True)
class ImportSummary:
    """What an import brought: pairs, those the project already had, questions without any passage, and passages."""

    num_pairs: int
    num_known: int
    num_without_passage: int
    num_passages: int
    num_new_passages: int
    splits: dict[str, int]

    @property
    def sentence(self) -> str:
        """The summary in words."""
        words = [f"Imported {self.num_pairs:,} pairs and a corpus of {self.num_passages:,} passages"]
        if self.num_known:
            words.append(f"{self.num_known:,} pairs were there already")
        if self.num_without_passage:
            words.append(f"{self.num_without_passage:,} questions have no passage and were left out")
        return "; ".join(words) + "."


def origin_of(labelled: LabelledSet) -> str:
    """The id of an import: the content hash of its corpus, so that files over the same corpus share it."""
    return content_id(
        "import",
        *(text for one in labelled.passages for text in (one.id, one.text, one.title, one.document)),
    )


def import_labelled(
    connection: Connection,
    project_id: str,
    labelled: LabelledSet,
) -> ImportSummary:
    """Add the set's whole corpus under an origin of its own, and its questions as accepted pairs.

    The same file again adds nothing. A question whose id another import has taken gets its origin as a suffix.
    """
    origin = origin_of(labelled)
    num_new_passages = documents.insert_passages(connection, project_id, origin, labelled.passages)
    judged = [question for question in labelled.questions if question.relevant]
    document_of = {passage.id: passage.document for passage in labelled.passages}
    num_pairs = 0
    splits: dict[str, int] = {}
    for some in portions(judged):
        taken = _taken_ids(connection, project_id, origin, some)
        num_pairs += pairs.insert(connection, project_id, (_new_pair(one, origin, taken, document_of) for one in some))
    for question in judged:
        splits[question.split] = splits.get(question.split, 0) + 1
    num_left_out = len(labelled.questions) - len(judged)
    num_known = len(judged) - num_pairs
    return ImportSummary(num_pairs, num_known, num_left_out, len(labelled.passages), num_new_passages, splits)


def labelled_from(
    connection: Connection,
    project_id: str,
    chosen: PairFilter,
    split: str = "",
) -> LabelledSet:
    """The pairs of a filter (and of one imported split, if named) with the whole corpora they are searched against.

    Ids are those they came with; where two corpora use one id for different texts, the origin is put before it.
    """
    found = [one for one in pairs.each(connection, project_id, chosen) if not split or one.split == split]
    grades = pairs.grades(connection, project_id, [one.id for one in found])
    asked: dict[str, set[str]] = {}
    for one in found:
        asked.setdefault(one.origin, set()).update(grades[one.id])
    passages, public = joined_corpus(
        {origin: _passages(connection, project_id, origin, keys) for origin, keys in asked.items()}
    )
    ids = _public_ids(found)
    questions = []
    for one in found:
        ordered = sorted(grades[one.id].items(), key=lambda item, first=one.chunk_id: item[0] != first)  # type: ignore[misc]
        relevant = {public[one.origin, key]: grade for key, grade in ordered if (one.origin, key) in public}
        questions.append(Question(ids[one.id], one.question, relevant, one.split, one.answer, one.evidence))
    return LabelledSet(tuple(questions), passages)


def joined_corpus(
    corpora: Mapping[str, list[Passage]],
) -> tuple[tuple[Passage, ...], dict[tuple[str, str], str]]:
    """The passages of several origins as one corpus, and (origin, id) -> id in it.

    The same id with the same text is one passage; with different texts the later ones get "origin:" before their id.
    """
    joined: dict[str, Passage] = {}
    public: dict[tuple[str, str], str] = {}
    for origin, passages in corpora.items():
        for passage in passages:
            key = passage.id
            if key in joined and joined[key].full_text != passage.full_text:
                key = f"{origin}:{key}"
            joined.setdefault(key, Passage(key, passage.text, passage.document, passage.title))
            public[origin, passage.id] = key
    return tuple(joined.values()), public


def _passages(connection: Connection, project_id: str, origin: str, asked: set[str]) -> list[Passage]:
    """What is searched of an origin, and the passages that pairs stand on although they were left out since."""
    query = select(chunk.c.id, chunk.c.text, chunk.c.document_id, chunk.c.heading)
    here = (chunk.c.project_id == project_id, chunk.c.origin == origin)
    included = {one.id for one in documents.included_chunks(connection, project_id, origin)}
    rows = connection.execute(query.where(*here).order_by(chunk.c.seq))
    return [Passage(*row) for row in rows if row.id in included or row.id in asked]


def _taken_ids(connection: Connection, project_id: str, origin: str, questions: list[Question]) -> set[str]:
    """Ids of questions that another import, another split or another text has taken in this project."""
    asked = {question.id: question for question in questions}
    query = select(pair.c.id, pair.c.origin, pair.c.split, pair.c.question, pair.c.original)
    taken = set()
    for some in portions(asked):
        for row in connection.execute(query.where(pair.c.project_id == project_id, pair.c.id.in_(some))):
            text = (row.original or {}).get("question", row.question)
            if (row.origin, row.split, text) != (origin, asked[row.id].split, asked[row.id].text):
                taken.add(row.id)
    return taken


def _new_pair(question: Question, origin: str, taken: set[str], document_of: Mapping[str, str]) -> NewPair:
    # The first right passage is the one to show; a question that is only judged wrong keeps its first.
    right = sorted(question.relevant.items(), key=lambda item: item[1] <= 0)
    pair_id = question.id
    if pair_id in taken:
        suffix = content_id(origin, question.split, question.text)
        pair_id = f"{pair_id}@{suffix}"
    return NewPair(
        id=pair_id,
        question=question.text,
        grades=dict(right),
        document_id=document_of[right[0][0]],
        source=PairSource.IMPORTED,
        evidence=question.evidence,
        answer=question.answer,
        origin=origin,
        split=SplitName(question.split).value if question.split else "",
        state=PairState.ACCEPTED,
    )


def _public_ids(found: list[pairs.Pair]) -> dict[str, str]:
    """Pair id to the id it came with, where that is free among these pairs."""
    plain = {one.id: _without_suffix(one.id) for one in found if one.source == PairSource.IMPORTED}
    counts: dict[str, int] = {}
    for key in [*plain.values(), *(one.id for one in found if one.id not in plain)]:
        counts[key] = counts.get(key, 0) + 1
    return {one.id: plain[one.id] if counts.get(plain.get(one.id, ""), 0) == 1 else one.id for one in found}


def _without_suffix(pair_id: str) -> str:
    head, mark, suffix = pair_id.rpartition("@")
    return (
        head if mark and len(suffix) == 16 and all(character in "0123456789abcdef" for character in suffix) else pair_id
    )
