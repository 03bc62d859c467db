"""What a freeze starts from: the pairs that count, as examples, each with the corpus it is searched against."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, String, func, select

from finetune_core.records import Corpus, Passage, QueryPassages, SplitName
from finetune_core.storage import documents, duplicates, pairs
from finetune_core.storage.imports import joined_corpus
from finetune_core.storage.pairs import Pair, PairFilter, PairState
from finetune_core.storage.tables import pair


@dataclass(frozen=True)
class Gathered:
    """Examples by the split they came with, those without one under TRAIN, and the corpus of each split.

    `imported` holds the splits that came with pairs of their own. `own_documents` are the ids of the project's own
    documents among the passages. `num_gone` counts pairs none of whose passages is still included.
    """

    examples: dict[SplitName, tuple[QueryPassages, ...]]
    corpora: dict[SplitName, Corpus]
    imported: frozenset[SplitName]
    own_documents: frozenset[str]
    num_gone: int = 0
    num_never_reviewed: int = 0
    num_without_right: int = 0


@dataclass
class _Counts:
    gone: int = 0
    without_right: int = 0
    origins: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def gather(connection: Connection, project_id: str, *, include_pending: bool = False) -> Gathered:
    """The accepted pairs of a project, and the pending ones that passed the filters if wanted.

    A split's corpus is that of the files imported for it; all included chunks for the project's own. A pair on a chunk that
    is an exact duplicate stands on the chunk that is kept.
    """
    by_split: dict[SplitName, list[Pair]] = {name: [] for name in SplitName}
    for one in chosen_pairs(connection, project_id, include_pending=include_pending):
        by_split[SplitName(one.split or SplitName.TRAIN)].append(one)
    origins = {name: tuple(sorted({one.origin for one in found})) for name, found in by_split.items()}
    corpora = {wanted: _joined(connection, project_id, wanted) for wanted in set(origins.values())}
    stands_for = {
        origin: duplicates.standing_in(connection, project_id, origin) for origin in {*sum(origins.values(), ())}
    }
    counts = _Counts()
    examples = {}
    for name, found in by_split.items():
        grades = pairs.grades(connection, project_id, [one.id for one in found])
        corpus, public = corpora[origins[name]]
        made = (_example(one, grades[one.id], corpus, public, stands_for[one.origin], counts) for one in found)
        examples[name] = tuple(example for example in made if example)
    own = {passage.document for corpus, public in corpora.values() for (origin, _), key in public.items()
           if not origin for passage in (corpus[key],)}  # fmt: skip
    return Gathered(
        examples=examples,
        corpora={name: corpora[origins[name]][0] for name in SplitName},
        imported=frozenset(SplitName(one.split) for found in by_split.values() for one in found if one.split),
        own_documents=frozenset(own),
        num_gone=counts.gone,
        num_never_reviewed=sum(not example.reviewed for some in examples.values() for example in some),
        num_without_right=counts.without_right,
    )


def chosen_pairs(connection: Connection, project_id: str, *, include_pending: bool) -> Iterable[Pair]:
    """Accepted pairs, and with `include_pending` the pending ones that no filter objects to, in order of creation."""
    yield from pairs.each(connection, project_id, PairFilter(state=PairState.ACCEPTED))
    if include_pending:
        for one in pairs.each(connection, project_id, PairFilter(state=PairState.PENDING)):
            if _passed(one.outcomes):
                yield one


def num_chosen(connection: Connection, project_id: str) -> tuple[int, int]:
    """How many pairs are accepted, and how many pending ones no filter objects to."""
    num_accepted = pairs.count(connection, project_id, PairFilter(state=PairState.ACCEPTED))
    pending = (pair.c.project_id == project_id, pair.c.state == PairState.PENDING)
    # A look for the text is ten times faster than reading the JSON of a hundred thousand rows.
    passed = pair.c.outcomes.cast(String).not_like('%"passed": false%')
    return num_accepted, connection.scalar(select(func.count()).select_from(pair).where(*pending, passed)) or 0


def _passed(outcomes: dict[str, Any]) -> bool:
    return all(outcome.get("passed", True) for outcome in outcomes.values())


def _joined(
    connection: Connection, project_id: str, origins: tuple[str, ...]
) -> tuple[Corpus, dict[tuple[str, str], str]]:
    included: dict[str, list[Passage]] = {
        origin: [one.passage for one in documents.included_chunks(connection, project_id, origin)] for origin in origins
    }
    passages, public = joined_corpus(included)
    return Corpus(passages), public


def _example(
    one: Pair,
    grades: dict[str, int],
    corpus: Corpus,
    public: dict[tuple[str, str], str],
    stands_for: dict[str, str],
    counts: _Counts,
) -> QueryPassages | None:
    """The pair as an example, or None, counted, where no right passage of it is left."""
    right = {key: grade for key, grade in grades.items() if grade > 0}
    if not right:
        counts.without_right += 1
        return None
    first_shown = sorted(right.items(), key=lambda item: item[0] != one.chunk_id)
    relevant: dict[str, int] = {}
    for key, grade in first_shown:
        place = public.get((one.origin, stands_for.get(key, key)))
        if place is not None:
            relevant[place] = max(grade, relevant.get(place, grade))
    if not relevant:
        counts.gone += 1
        return None
    group = corpus[next(iter(relevant))].document
    reviewed = one.state == PairState.ACCEPTED
    return QueryPassages(one.id, one.question, relevant, group, one.evidence, one.answer, reviewed)
