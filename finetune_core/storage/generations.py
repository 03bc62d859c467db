"""What was asked of generators, what that cost, and each project's own edition of a prompt."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Column, Connection, delete, func, insert, select

from finetune_core.providers.prices import Prices
from finetune_core.storage.database import now
from finetune_core.storage.tables import generation, prompt, spend


class GenerationState(StrEnum):
    """What became of one example asked of a generator. Only `failed` ones are ever asked again: they cost nothing."""

    WRITTEN = "written"
    UNUSABLE = "unusable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Asked:
    """One numbered example about a subject: the row it became, or the reason why it became none."""

    subject_id: str
    number: int
    state: GenerationState
    example_id: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Spend:
    """Tokens and money; `cost_usd` is None where no price was known for any of it."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None

    @classmethod
    def of(cls, prices: Prices, num_searches: float, input_tokens: int, output_tokens: int) -> "Spend":
        """What a call took at these prices, for its searches or its tokens; unknown where the service names neither."""
        cost_usd = prices.searches_cost_usd(num_searches) if num_searches else None
        if not num_searches and (input_tokens or output_tokens):
            cost_usd = prices.cost_usd(input_tokens, output_tokens)
        return cls(input_tokens, output_tokens, cost_usd)

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class ProviderSpend:
    """All that one provider was paid so far, over all projects."""

    provider: str
    spend: Spend
    num_calls: int


def numbers_asked(connection: Connection, project_id: str, generator: str) -> dict[str, set[int]]:
    """Subject id to the numbers that were answered already, usable or not; failed ones are left out."""
    query = select(generation.c.subject_id, generation.c.number).where(
        generation.c.project_id == project_id,
        generation.c.generator == generator,
        generation.c.state != GenerationState.FAILED,
    )
    found: dict[str, set[int]] = defaultdict(set)
    for subject_id, number in connection.execute(query):
        found[subject_id].add(number)
    return dict(found)


def written_before(
    connection: Connection, project_id: str, generator: str, subject_id: str, text: Column[str]
) -> list[str]:
    """The examples the generator wrote about a subject before, in order of number, as they stand now in the column `text`."""
    rows = text.table.c
    here = (generation.c.example_id == rows.id) & (generation.c.project_id == rows.project_id)
    asked = (generation.c.generator == generator, generation.c.subject_id == subject_id)
    query = select(text).join(generation, here).where(rows.project_id == project_id, *asked)
    return list(connection.scalars(query.order_by(generation.c.number)))


def record(connection: Connection, project_id: str, generator: str, kind: str, asked: Sequence[Asked]) -> None:
    """Keep what became of examples of a kind; an earlier failure of the same number is replaced."""
    for one in asked:
        key = (generation.c.project_id == project_id, generation.c.generator == generator)
        own = (generation.c.subject_id == one.subject_id, generation.c.number == one.number)
        connection.execute(delete(generation).where(*key, *own, generation.c.state == GenerationState.FAILED))
    rows = [
        {
            "project_id": project_id,
            "generator": generator,
            "subject_id": one.subject_id,
            "number": one.number,
            "record": kind,
            "state": one.state.value,
            "example_id": one.example_id,
            "reason": one.reason,
            "created_at": now(),
        }
        for one in asked
    ]
    if rows:
        connection.execute(insert(generation), rows)


def add_spend(connection: Connection, project_id: str | None, job_id: str | None, provider: str, paid: Spend) -> None:
    """Keep what one call took."""
    connection.execute(
        insert(spend).values(
            project_id=project_id,
            job_id=job_id,
            provider=provider,
            input_tokens=paid.input_tokens,
            output_tokens=paid.output_tokens,
            cost_usd=paid.cost_usd,
            at=now(),
        )
    )


def spent(connection: Connection, *, job_id: str = "", project_id: str = "") -> Spend:
    """The sum over a job, over a project, or over everything."""
    query = select(func.sum(spend.c.input_tokens), func.sum(spend.c.output_tokens), func.sum(spend.c.cost_usd))
    if job_id:
        query = query.where(spend.c.job_id == job_id)
    if project_id:
        query = query.where(spend.c.project_id == project_id)
    input_tokens, output_tokens, cost_usd = connection.execute(query).one()
    return Spend(int(input_tokens or 0), int(output_tokens or 0), cost_usd)


def spent_by_provider(connection: Connection) -> list[ProviderSpend]:
    """The sum for each provider that was ever asked, in order of name."""
    sums = (func.sum(spend.c.input_tokens), func.sum(spend.c.output_tokens), func.sum(spend.c.cost_usd), func.count())
    query = select(spend.c.provider, *sums).group_by(spend.c.provider).order_by(spend.c.provider)
    return [
        ProviderSpend(name, Spend(int(given), int(taken), cost), num_calls)
        for name, given, taken, cost, num_calls in connection.execute(query)
    ]


def counts(connection: Connection, project_id: str, kind: str) -> dict[GenerationState, int]:
    """How many examples of that kind ended in each state; states without any are 0."""
    mine = (generation.c.project_id == project_id, generation.c.record == kind)
    query = select(generation.c.state, func.count()).where(*mine)
    found = {row[0]: row[1] for row in connection.execute(query.group_by(generation.c.state))}
    return {state: found.get(state.value, 0) for state in GenerationState}


def reasons(
    connection: Connection, project_id: str, kind: str, num: int = 20
) -> list[tuple[GenerationState, str, int]]:
    """Why examples of that kind came to nothing: state, reason and how many times, the `num` most frequent first."""
    mine = (generation.c.project_id == project_id, generation.c.record == kind, generation.c.reason != "")
    columns = (generation.c.state, generation.c.reason)
    query = select(*columns, func.count()).where(*mine).group_by(*columns).order_by(func.count().desc(), *columns)
    return [(GenerationState(state), why, times) for state, why, times in connection.execute(query.limit(num))]


def own_prompt(connection: Connection, project_id: str, name: str, version: int = 0) -> tuple[int, str] | None:
    """(version, text) of the project's newest edition of a prompt, or of that version; None if it has none."""
    query = select(prompt.c.version, prompt.c.text).where(prompt.c.project_id == project_id, prompt.c.name == name)
    if version:
        query = query.where(prompt.c.version == version)
    row = connection.execute(query.order_by(prompt.c.version.desc()).limit(1)).first()
    return (row[0], row[1]) if row else None


def save_prompt(connection: Connection, project_id: str, name: str, text: str) -> int:
    """Add an edition of a prompt to the project and return its version, 1 for the first."""
    latest = own_prompt(connection, project_id, name)
    version = 1 + (latest[0] if latest else 0)
    values = {"project_id": project_id, "name": name, "version": version, "text": text, "created_at": now()}
    connection.execute(insert(prompt).values(values))
    return version
