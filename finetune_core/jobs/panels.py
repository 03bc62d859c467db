"""What a panel of answers would ask: two systems of a finished comparison, their questions, a language model and a judge."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field

from finetune_core.errors import ArtefactError, DatasetError, ProviderError
from finetune_core.evaluation.answer_panel import ANSWER_PROMPT, questions_with, requests_of, scored_questions
from finetune_core.evaluation.ragas_answers import judge_effort
from finetune_core.providers import bundled
from finetune_core.providers.chat import Chat as ChatModel
from finetune_core.providers.chat import estimated_tokens
from finetune_core.providers.prices import Prices
from finetune_core.recipe import Resources
from finetune_core.records import MODEL_REFERENCE, SERVICE_REFERENCE, Chat, Part, QueryPassages, content_id
from finetune_core.storage import artefacts, comparisons, database, datasets
from finetune_core.storage import providers as provider_rows
from finetune_core.storage.comparisons import ComparisonRow

CONTEXT_TOKENS = 8192
"""What a local GGUF model reads at most, passages, question and answer together."""
USUAL_ANSWER_TOKENS = 80
GRADE_TOKENS = 150


class PanelParams(BaseModel):
    """Which two systems of which comparison, who answers, who judges, and within which bounds.

    `chat` and `judge` are named as `recipes._chats.open_chat` takes them; without a judge only what needs none is measured.
    """

    comparison_id: str
    before: str
    after: str
    chat: str = Field(bundled.BUNDLED_CHAT, min_length=1, max_length=400)
    judge: str = Field("", max_length=400)
    num_questions: int = Field(50, ge=1, le=5000)
    top_k: int = Field(5, ge=1, le=10)
    answer_tokens: int = Field(256, ge=8, le=4096)
    embedder: str = bundled.BUNDLED_EMBEDDER
    max_tokens: int | None = Field(None, ge=1, description="Hard cap on tokens, input and output, answers and grades.")
    max_cost_usd: float | None = Field(None, gt=0, description="Hard cap on money.")
    seed: int = 0

    @property
    def identity(self) -> str:
        """Equal for panels that come to the same, whatever they may cost."""
        values = self.model_dump(exclude={"max_tokens", "max_cost_usd"})
        return content_id("panel", ANSWER_PROMPT, *(f"{name}={value}" for name, value in sorted(values.items())))


@dataclass(frozen=True)
class Plan:
    """The questions as each of both systems has them asked, and where true answers come from."""

    comparison: ComparisonRow
    before: Part[Chat]
    after: Part[Chat]
    num_with_answer: int
    num_with_quote: int


@dataclass(frozen=True)
class Effort:
    """What calls to one model take, about: `cost_usd` is None where its prices are not known, 0 on this machine."""

    num_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


def plan(project_id: str, params: PanelParams) -> Plan:
    """The panel's questions. Raises ArtefactError if the comparison or a system is gone or finds no passages, DatasetError if
    nothing could be measured."""
    with database.reading() as connection:
        row = comparisons.find(connection, params.comparison_id)
    if row is None or row.project_id != project_id:
        raise ArtefactError(
            f"There is no comparison {params.comparison_id!r}.", hint="Choose one from the Compare page."
        )
    known = {system["key"]: system["name"] for system in row.result["systems"]}
    if (
        row.result["searched"] != "passages"
        or params.before == params.after
        or {params.before, params.after} - {*known}
    ):
        raise ArtefactError(
            "A panel needs two systems of this comparison that find passages.",
            hint=f"Choose two of: {', '.join(known.values())}.",
        )
    test = datasets.load_split(project_id, row.dataset_id).test
    part: Part[QueryPassages] = scored_questions(test, params.num_questions, params.seed)
    folder = comparisons.folder(project_id, row.id)
    artefacts.read_manifest(folder)
    parts = [
        questions_with(part, comparisons.read_report(folder / f"{key}.parquet"), params.top_k)
        for key in (params.before, params.after)
    ]
    num_with_answer = sum(bool(one.answer) for one in part.examples)
    num_with_quote = sum(bool(one.evidence and not one.answer) for one in part.examples)
    if not params.judge and not num_with_answer + num_with_quote:
        raise DatasetError(
            f"None of the {len(part)} questions has a true answer or a quote that answers it, so without a judge nothing can "
            "be measured.",
            hint="Choose a judge.",
        )
    return Plan(row, parts[0], parts[1], num_with_answer, num_with_quote)


def answering_effort(found: Plan, params: PanelParams, prices: Prices) -> Effort:
    """What answering takes; a prompt that both systems share is asked once."""
    requests = requests_of(found.before, params.answer_tokens) + requests_of(found.after, params.answer_tokens)
    texts = {str(request.messages) for request in requests}
    given = sum(estimated_tokens(text) for text in texts)
    return _effort(len(texts), given, len(texts) * min(USUAL_ANSWER_TOKENS, params.answer_tokens), prices)


def judging_effort(found: Plan, params: PanelParams, prices: Prices) -> Effort:
    """What grading takes; nothing without a judge."""
    if not params.judge:
        return Effort(0, 0, 0, 0.0)
    length = min(USUAL_ANSWER_TOKENS, params.answer_tokens)
    if params.judge.startswith(MODEL_REFERENCE):
        num = len(found.before) + len(found.after)
        return _effort(num, num * (GRADE_TOKENS + length), num * 10, prices)
    efforts = [judge_effort(part, length, len(part)) for part in (found.before, found.after)]
    calls, given, taken = (sum(values) for values in zip(*efforts, strict=True))
    return _effort(calls, given, taken, prices)


def prices_of(reference: str) -> Prices:
    """What a model charges for tokens: what a person entered for a service, nothing on this machine.

    Raises ProviderError for an unknown service.
    """
    if not reference.startswith(SERVICE_REFERENCE):
        return Prices(0.0, 0.0)
    with database.reading() as connection:
        return provider_rows.get(connection, reference.removeprefix(SERVICE_REFERENCE)).prices


def check_cap(params: PanelParams) -> None:
    """Raise ProviderError if a cap on money cannot be kept, because prices are not known."""
    for reference in (params.chat, params.judge):
        prices = prices_of(reference)
        if params.max_cost_usd is not None and not prices.are_known:
            raise ProviderError(
                f"A cap of {params.max_cost_usd} dollars cannot be kept: the prices of "
                f"{reference.removeprefix(SERVICE_REFERENCE)} are not known.",
                hint="Enter them on the Settings page, or set a cap in tokens.",
            )


def opened(reference: str, run: Resources) -> ChatModel:
    """The chat of that name, a bundled or GGUF model run by llama.cpp one answer at a time, so that equal prompts get equal
    answers in whatever company. Raises ArtefactError or ProviderError if it is not there."""
    from finetune_core.providers.gguf_chat import LocalGgufChat
    from finetune_core.recipes import _chats

    if reference == bundled.BUNDLED_CHAT:
        return LocalGgufChat(bundled.locate(reference), num_parallel=1, context_tokens=CONTEXT_TOKENS)
    if reference.lower().endswith(_chats.GGUF_SUFFIX):
        return LocalGgufChat(Path(reference).expanduser(), num_parallel=1, context_tokens=CONTEXT_TOKENS)
    return _chats.open_chat(reference, run)


def _effort(num_calls: int, given: int, taken: int, prices: Prices) -> Effort:
    return Effort(num_calls, given, taken, prices.cost_usd(given, taken))
