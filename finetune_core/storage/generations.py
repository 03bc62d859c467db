"""What was asked of generators, what that cost, and each project's own edition of a prompt."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, delete, func, insert, select

from finetune_core.storage.database import now
from finetune_core.storage.tables import generation, pair, prompt, spend


class GenerationState(StrEnum):
    """What became of one question asked of a generator. Only `failed` ones are ever asked again: they cost nothing."""

    WRITTEN = "written"
    UNUSABLE = "unusable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Asked:
    """One numbered question of a chunk: the pair it became, or the reason why it became none."""

    chunk_id: str
    number: int
    state: GenerationState
    pair_id: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Spend:
    """Tokens and money; `cost_usd` is None where no price was known for any of it."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None

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
    """Chunk id to the numbers that were answered already, usable or not; failed ones are left out."""
    query = select(generation.c.chunk_id, generation.c.number).where(
        generation.c.project_id == project_id,
        generation.c.generator == generator,
        generation.c.state != GenerationState.FAILED,
    )
    found: dict[str, set[int]] = defaultdict(set)
    for chunk_id, number in connection.execute(query):
        found[chunk_id].add(number)
    return dict(found)


def questions_written(connection: Connection, project_id: str, generator: str, chunk_id: str) -> list[str]:
    """The questions the generator wrote about a chunk before, in order of number, as they stand now."""
    query = (
        select(pair.c.question)
        .join(generation, (generation.c.pair_id == pair.c.id) & (generation.c.project_id == pair.c.project_id))
        .where(pair.c.project_id == project_id, generation.c.generator == generator, generation.c.chunk_id == chunk_id)
        .order_by(generation.c.number)
    )
    return list(connection.scalars(query))


def record(connection: Connection, project_id: str, generator: str, asked: Sequence[Asked]) -> None:
    """Keep what became of questions; an earlier failure of the same number is replaced."""
    for one in asked:
        key = (generation.c.project_id == project_id, generation.c.generator == generator)
        own = (generation.c.chunk_id == one.chunk_id, generation.c.number == one.number)
        connection.execute(delete(generation).where(*key, *own, generation.c.state == GenerationState.FAILED))
    rows = [
        {
            "project_id": project_id,
            "generator": generator,
            "chunk_id": one.chunk_id,
            "number": one.number,
            "state": one.state.value,
            "pair_id": one.pair_id,
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


def counts(connection: Connection, project_id: str) -> dict[GenerationState, int]:
    """How many questions of the project ended in each state; states without any are 0."""
    query = select(generation.c.state, func.count()).where(generation.c.project_id == project_id)
    found = {row[0]: row[1] for row in connection.execute(query.group_by(generation.c.state))}
    return {state: found.get(state.value, 0) for state in GenerationState}


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
