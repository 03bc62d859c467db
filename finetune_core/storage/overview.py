"""What a project holds at each step of the way, counted in a handful of queries."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, func, select

from finetune_core.records import SplitName
from finetune_core.storage import demonstrations, labelled, tables
from finetune_core.storage.pairs import PairState, counts_by_state
from finetune_core.storage.tables import LIVE_STATES, chunk, comparison, dataset, document, job, model, pair


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts of one project.

    Examples of all kinds are counted together in the states; `demonstrated` is the kind of most demonstrations, "" if there
    are none. `num_test_only` are the accepted ones that come with the test split, such as the demo's.
    """

    num_documents: int
    num_chunks: int
    num_pending: int
    num_accepted: int
    num_rejected: int
    num_aside: int
    num_test_only: int
    num_datasets: int
    num_runs: int
    num_live_runs: int
    num_models: int
    num_comparisons: int
    newest_dataset: str
    newest_comparison: dict[str, Any] | None
    num_choices: int = 0
    num_pending_queries: int = 0
    num_demonstrations: int = 0
    demonstrated: str = ""

    @property
    def has_only_choices(self) -> bool:
        """Whether the project is about a router alone: it has choices, and nothing that could be searched."""
        return bool(self.num_choices) and not self.num_documents and not self.num_chunks

    @property
    def has_only_demonstrations(self) -> bool:
        """Whether the project is about a language model alone: it has demonstrations, and no other examples or documents."""
        others = self.num_pairs - self.num_demonstrations + self.num_documents + self.num_chunks + self.num_choices
        return bool(self.num_demonstrations) and not others

    @property
    def num_pairs(self) -> int:
        """All examples, in whatever state."""
        return self.num_pending + self.num_accepted + self.num_rejected + self.num_aside


def overview(connection: Connection, project_id: str) -> Overview:
    """The counts of a project; all 0 for one that is new."""
    queries = labelled.counts_by_state(connection, project_id)
    shown = demonstrations.counts(connection, project_id)
    states = Counter(counts_by_state(connection, project_id)) + Counter(queries)
    kinds: Counter[str] = Counter()
    for (kind, state), num in shown.items():
        states[state] += num
        kinds[kind] += num
    trains = (job.c.project_id == project_id, job.c.kind == "train")
    return Overview(
        num_documents=_count(connection, document, document.c.project_id == project_id),
        num_chunks=_count(connection, chunk, chunk.c.project_id == project_id),
        num_pending=states[PairState.PENDING],
        num_accepted=states[PairState.ACCEPTED],
        num_rejected=states[PairState.REJECTED],
        num_aside=states[PairState.ASIDE],
        num_test_only=sum(
            _num_test_only(connection, table, project_id) for table in (pair, tables.labelled, tables.demonstration)
        ),
        num_datasets=_count(connection, dataset, dataset.c.project_id == project_id),
        num_runs=_count(connection, job, *trains),
        num_live_runs=_count(connection, job, *trains, job.c.state.in_(LIVE_STATES)),
        num_models=_count(connection, model, model.c.project_id == project_id),
        num_comparisons=_count(connection, comparison, comparison.c.project_id == project_id),
        newest_dataset=_newest(connection, project_id, dataset, "name") or "",
        newest_comparison=_newest(connection, project_id, comparison, "result"),
        num_choices=_count(connection, tables.choice, tables.choice.c.project_id == project_id),
        num_pending_queries=queries[PairState.PENDING],
        num_demonstrations=kinds.total(),
        demonstrated=kinds.most_common(1)[0][0] if kinds else "",
    )


def _num_test_only(connection: Connection, table: Table, project_id: str) -> int:
    columns = table.c
    conditions = (
        columns.project_id == project_id, columns.state == PairState.ACCEPTED, columns.split == SplitName.TEST,
    )  # fmt: skip
    return _count(connection, table, *conditions)


def _count(connection: Connection, table: Table, *conditions: Any) -> int:
    return connection.scalar(select(func.count()).select_from(table).where(*conditions)) or 0


def _newest(connection: Connection, project_id: str, table: Table, column: str) -> Any:
    mine = select(table.c[column]).where(table.c.project_id == project_id)
    return connection.scalar(mine.order_by(table.c.created_at.desc()).limit(1))
