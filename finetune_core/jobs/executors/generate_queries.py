"""Write queries for the choices of a router; how replies are kept, `jobs.writing` says."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from finetune_core.jobs import chat_writers, query_filtering
from finetune_core.jobs.query_writers import QueryGenerationParams, open_writer, plan
from finetune_core.jobs.run import JobRun
from finetune_core.jobs.writing import Call, WritingSession
from finetune_core.records import Labelled, content_id
from finetune_core.storage import database, labelled
from finetune_core.storage.generations import Asked, GenerationState
from finetune_core.storage.labelled import NewQuery
from finetune_core.storage.pairs import PairSource, PairState
from finetune_core.synthesis.choice_queries import AVOIDED, Topic, WrittenQuery

HEAVY = True
Params = QueryGenerationParams
is_heavy = chat_writers.is_heavy


def execute(run: JobRun, params: QueryGenerationParams) -> dict[str, Any]:
    """Make the calls that are missing, up to the cap, then run the chosen filters; `num_queries` counts wordings too.

    Raises ProviderError in the vendor's words if the service refuses, or fails three times in a row.
    """
    writer = open_writer(run.project_id, params)
    try:
        with database.reading() as connection:
            planned = plan(connection, run.project_id, params, writer)
        keeper = _Queries(run.project_id, writer.key)
        result = WritingSession(run, params, writer, planned, keeper).work()
    finally:
        writer.close()
    result["num_queries"] = keeper.num_added
    if params.filters:
        result["set_aside"] = query_filtering.run_filters(run, params.filters)
    return result


class _Queries:
    """Keeps queries as pending, the wordings of one under its seed question."""

    record, noun = Labelled.__name__, "query"

    def __init__(self, project_id: str, generator: str) -> None:
        self.project_id, self.generator, self.num_added = project_id, generator, 0

    def avoid(self, call: Call[Topic]) -> Sequence[str]:
        """The newest queries there are for the choice, whoever wrote them."""
        with database.reading() as connection:
            return labelled.newest(connection, self.project_id, call.subject.label, AVOIDED)

    def keep(self, connection: Connection, call: Call[Topic], written: Sequence[WrittenQuery]) -> list[Asked]:
        return [
            self._kept(connection, call.subject, number, one) for number, one in zip(call.numbers, written, strict=True)
        ]

    def _kept(self, connection: Connection, topic: Topic, number: int, one: WrittenQuery) -> Asked:
        if one.reason or not one.wordings:
            return Asked(topic.id, number, GenerationState.UNUSABLE, None, one.reason or "The query was empty.")
        seed = content_id("seed question", self.generator, topic.id, str(number))
        new = [
            NewQuery(
                content_id("query", text, topic.label), text, topic.label, seed, PairSource.GENERATED,
                state=PairState.PENDING, generator=self.generator,
            )
            for text in one.wordings
        ]  # fmt: skip
        num_added = labelled.add(connection, self.project_id, new)
        self.num_added += num_added
        if not num_added:
            return Asked(topic.id, number, GenerationState.UNUSABLE, None, "The same query was there already.")
        return Asked(topic.id, number, GenerationState.WRITTEN, new[0].id)
