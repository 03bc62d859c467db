"""Write questions over the corpus; how replies are kept, `jobs.writing` says."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from finetune_core.jobs import chat_writers, filtering
from finetune_core.jobs.question_writers import GenerationParams, open_writer, plan
from finetune_core.jobs.run import JobRun
from finetune_core.jobs.writing import Call, WritingSession
from finetune_core.records import Passage, QueryPassages, content_id
from finetune_core.storage import database, generations, pairs
from finetune_core.storage.generations import Asked, GenerationState
from finetune_core.storage.pairs import NewPair, PairSource
from finetune_core.storage.tables import pair
from finetune_core.synthesis.questions import Written

HEAVY = True
Params = GenerationParams
is_heavy = chat_writers.is_heavy


def execute(run: JobRun, params: GenerationParams) -> dict[str, Any]:
    """Make the calls that are missing, up to the cap, then run the chosen filters over what is new.

    Raises ProviderError in the vendor's words if the service refuses, or fails three times in a row.
    """
    writer = open_writer(run.project_id, params)
    try:
        with database.reading() as connection:
            planned = plan(connection, run.project_id, params, writer)
        keeper = _Pairs(run.project_id, writer.key)
        result = WritingSession(run, params, writer, planned, keeper).work()
    finally:
        writer.close()
    if params.filters:
        result["set_aside"] = filtering.run_filters(run, params.filters)
    return result


class _Pairs:
    """Keeps questions as pairs with the passage they were written over."""

    record, noun = QueryPassages.__name__, "question"

    def __init__(self, project_id: str, generator: str) -> None:
        self.project_id, self.generator = project_id, generator

    def avoid(self, call: Call[Passage]) -> Sequence[str]:
        """The chunk's earlier questions, where some of its numbers were written before."""
        if not min(call.numbers):
            return ()
        with database.reading() as connection:
            return generations.written_before(
                connection, self.project_id, self.generator, call.subject.id, pair.c.question
            )

    def keep(self, connection: Connection, call: Call[Passage], written: Sequence[Written]) -> list[Asked]:
        new = [self._pair(call.subject, number, one) for number, one in zip(call.numbers, written, strict=True)]
        pairs.insert(connection, self.project_id, [one for one in new if one is not None])
        return [
            Asked(call.subject.id, number, *_became(one, made))
            for number, one, made in zip(call.numbers, written, new, strict=True)
        ]

    def _pair(self, passage: Passage, number: int, one: Written) -> NewPair | None:
        if one.reason or not one.question:
            return None
        return NewPair(
            id=content_id("pair", self.generator, passage.id, str(number)),
            question=one.question,
            grades={passage.id: 1},
            document_id=passage.document,
            source=PairSource.GENERATED,
            evidence=one.evidence,
            answer=one.answer,
            generator=self.generator,
        )


def _became(one: Written, made: NewPair | None) -> tuple[GenerationState, str | None, str]:
    if made is None:
        return GenerationState.UNUSABLE, None, one.reason or "The question was empty."
    return GenerationState.WRITTEN, made.id, ""
