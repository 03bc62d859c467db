"""Writing queries for the choices of a router: what it will cost, the job, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune_core.jobs import chat_writers, query_writers
from finetune_core.jobs.query_writers import PROMPT_OF, QueryGenerationParams
from finetune_core.records import Labelled
from finetune_core.storage import database, generations, labelled
from finetune_core.storage.generations import GenerationState
from finetune_core.storage.pairs import PairState
from finetune_core.wording import counted
from finetune_core.workspace import generation, jobs
from finetune_core.workspace.generation import Estimate, GeneratorView

__all__ = ["PROMPT_OF", "QueryGenerationParams"]

JOB = "generate_queries"
DEFAULT_GENERATOR = "gguf"
_TOKENS_PER_TEXT = {"endpoint": 25, "gguf": 15}
_SECONDS_PER_CALL = {"endpoint": 3.0, "gguf": 2.0}


@dataclass(frozen=True, slots=True)
class QueryCounts:
    """What generation came to so far: queries written, other wordings included; those that could not be used or failed,
    without wordings; and all queries by state, whoever wrote them."""

    num_written: int
    num_unusable: int
    num_failed: int
    num_queries: Mapping[PairState, int]


def generators() -> list[GeneratorView]:
    """What can write queries, the best first; a query needs a model, so there is none without."""
    return [view for view in generation.generators() if view.kind in PROMPT_OF]


def params_from(values: Mapping[str, Any]) -> QueryGenerationParams:
    """Check what a person chose. Raises JobError that names the first value that does not fit."""
    return generation.checked(QueryGenerationParams, values)


def estimate(project_id: str, params: QueryGenerationParams) -> Estimate:
    """Tokens, money and time of what is still to do. Raises what starting it would raise, but for a missing key."""
    params = _with_prompt(project_id, params)
    writer = query_writers.sketched_writer(project_id, params)
    with database.reading() as connection:
        plan = query_writers.plan(connection, project_id, params, writer)
    num_missing = plan.num_wanted - plan.num_done
    # The cap sets twice the usual prompt aside, so half of it is what to expect.
    input_tokens = sum(writer.largest_call(call.subject, len(call.numbers))[0] for call in plan.calls) // 2
    output_tokens = num_missing * params.num_wordings * _TOKENS_PER_TEXT[params.generator]
    measured = _measured_seconds(project_id, params)
    guessed = _SECONDS_PER_CALL[params.generator] * len(plan.calls) / writer.num_parallel
    return Estimate(
        plan.num_subjects, plan.num_wanted, plan.num_done, len(plan.calls), input_tokens, output_tokens,
        chat_writers.prices(params).cost_usd(input_tokens, output_tokens),
        num_missing * measured if measured else guessed, "measured" if measured else "guessed",
    )  # fmt: skip


def start(project_id: str, params: QueryGenerationParams) -> str:
    """Queue the generation with the prompt now in force and return its job; a live one of the project is returned instead.

    Raises ProviderError or DatasetError for what can be known before.
    """
    params = _with_prompt(project_id, params)
    seen = estimate(project_id, params)
    chat_writers.check_cap(params)
    num = (seen.num_questions - seen.num_done) * params.num_wordings
    title = f"Write {counted(num, 'query')} for {counted(seen.num_chunks, 'choice')}"
    return jobs.submit(project_id, JOB, params.model_dump(mode="json"), title=title, unique_key=f"{JOB}:{project_id}")


def latest_job(project_id: str) -> jobs.JobView | None:
    """The newest generation of queries in the project, or None."""
    return generation.latest_job(project_id, JOB)


def counts(project_id: str) -> QueryCounts:
    """What generation came to so far in this project."""
    with database.reading() as connection:
        asked = generations.counts(connection, project_id, Labelled.__name__)
        by_state = labelled.counts_by_state(connection, project_id)
        num_written = labelled.num_generated(connection, project_id)
    return QueryCounts(num_written, asked[GenerationState.UNUSABLE], asked[GenerationState.FAILED], by_state)


def _with_prompt(project_id: str, params: QueryGenerationParams) -> QueryGenerationParams:
    """The same with the edition of the prompt that is in force now, so that a later edit never changes a queued job."""
    view = generation.prompt(project_id, PROMPT_OF[params.generator])
    return params.model_copy(update={"prompt_version": view.version if view.is_own else 0})


def _measured_seconds(project_id: str, params: QueryGenerationParams) -> float | None:
    """Seconds per query of the last finished generation like this one here, or None."""
    for job in jobs.listing(project_id, (JOB,), 10):
        same = all(job.params.get(name) == getattr(params, name) for name in ("generator", "provider", "num_wordings"))
        num = job.result.get("num_written", 0) + job.result.get("num_unusable", 0)
        if same and job.started_at and job.finished_at and job.attempt == 1 and num >= 10:
            return float((job.finished_at - job.started_at) / num)
    return None
