"""Writing examples of any kind: calls run side by side, and each reply is kept, with what it cost, in the transaction in
which it is counted.

A kill loses at most the replies that were on their way. What was answered is found by generator, subject and number, and
never asked again; a stopped, cancelled or failed job keeps all it has written.
"""

import threading
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection

from finetune_core.errors import JobCancelled, JobInterrupt, ProviderError, StopRequested
from finetune_core.jobs import chat_writers
from finetune_core.jobs.chat_writers import WritingParams
from finetune_core.jobs.run import JobRun
from finetune_core.providers.chat import Checkpoint, RequestRefusedError
from finetune_core.storage import database, generations
from finetune_core.storage.generations import Asked, GenerationState, Spend
from finetune_core.synthesis.questions import Batch
from finetune_core.wording import counted

MAX_FAILURES_IN_A_ROW = 3
POLL_S = 0.5
GRACE_S = 30.0
"""How long a stop waits for replies on their way: they are paid for."""


class Subject(Protocol):
    """What examples are asked about; `id` changes with its content."""

    @property
    def id(self) -> str: ...


S = TypeVar("S", bound=Subject)
S_contra = TypeVar("S_contra", bound=Subject, contravariant=True)
W = TypeVar("W")
W_contra = TypeVar("W_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Call(Generic[S]):
    """Examples about one subject that one call is to write."""

    subject: S
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan(Generic[S]):
    """What is still to do; `num_done` of `num_wanted` were answered before and are not asked again."""

    calls: tuple[Call[S], ...]
    num_subjects: int
    num_wanted: int
    num_done: int


class Writer(Protocol[S_contra, W]):
    """Writes numbered examples about a subject; see `synthesis.questions.QuestionWriter` for what each part promises."""

    @property
    def key(self) -> str: ...
    @property
    def num_parallel(self) -> int: ...
    @property
    def num_per_call(self) -> int: ...

    def write(
        self,
        subject: S_contra,
        numbers: Sequence[int],
        avoid: Sequence[str] = (),
        checkpoint: Checkpoint | None = None,
        /,
    ) -> Batch[W]: ...
    def largest_call(self, subject: S_contra, num: int, /) -> tuple[int, int]: ...


class Keeper(Protocol[S, W_contra]):
    """What differs between kinds of example: how a reply is kept, and what the next call is not to repeat."""

    record: str
    noun: str

    def avoid(self, call: Call[S]) -> Sequence[str]:
        """Texts that the call is not to write again."""

    def keep(self, connection: Connection, call: Call[S], written: Sequence[W_contra]) -> list[Asked]:
        """Write what the call brought, one `Asked` for each of its numbers."""


def missing_calls(subject: S, num_wanted: int, asked: Collection[int], num_per_call: int) -> list[Call[S]]:
    """The calls that ask for those of `num_wanted` numbers that were not answered yet."""
    missing = [number for number in range(num_wanted) if number not in asked]
    return [
        Call(subject, tuple(missing[start : start + num_per_call])) for start in range(0, len(missing), num_per_call)
    ]


def planned(
    connection: Connection, project_id: str, subjects: Sequence[S], num_each: int, writer: Writer[S, Any]
) -> Plan[S]:
    """`num_each` examples about each of the subjects, but for those that this writer was answered already."""
    asked = generations.numbers_asked(connection, project_id, writer.key)
    calls: list[Call[S]] = []
    for subject in subjects:
        calls += missing_calls(subject, num_each, asked.get(subject.id, ()), writer.num_per_call)
    num_wanted = len(subjects) * num_each
    return Plan(tuple(calls), len(subjects), num_wanted, num_wanted - sum(len(call.numbers) for call in calls))


class _GivenUpError(Exception):
    """Raised in a waiting thread whose job is ending."""


@dataclass
class Purse:
    """What may be spent, what was, and what calls on their way may take at most; `reserved` goes by call."""

    max_tokens: int | None
    max_cost_usd: float | None
    spent: Spend
    reserved: dict[Any, tuple[int, float]] = field(default_factory=dict)

    def reserve(self, call: Any, tokens: int, cost_usd: float) -> bool:
        """Set the call's worst case aside; False if the cap does not leave that much."""
        tokens_taken = self.spent.tokens + sum(tokens for tokens, _ in self.reserved.values())
        cost_taken = (self.spent.cost_usd or 0.0) + sum(cost for _, cost in self.reserved.values())
        if self.max_tokens is not None and tokens_taken + tokens > self.max_tokens:
            return False
        if self.max_cost_usd is not None and cost_taken + cost_usd > self.max_cost_usd:
            return False
        self.reserved[call] = (tokens, cost_usd)
        return True

    def settle(self, call: Any, paid: Spend) -> None:
        """Replace the call's worst case by what it took."""
        self.reserved.pop(call, None)
        cost = (
            None if self.spent.cost_usd is paid.cost_usd is None else (self.spent.cost_usd or 0) + (paid.cost_usd or 0)
        )
        self.spent = Spend(
            self.spent.input_tokens + paid.input_tokens, self.spent.output_tokens + paid.output_tokens, cost
        )


class WritingSession(Generic[S, W]):
    """One attempt at one job: the calls on their way and what came of the others."""

    def __init__(
        self, run: JobRun, params: WritingParams, writer: Writer[S, W], plan: Plan[S], keeper: Keeper[S, W]
    ) -> None:
        """Raises ProviderError for a cap in dollars where the prices are not known."""
        chat_writers.check_cap(params)
        self.run, self.params, self.writer, self.plan, self.keeper = run, params, writer, plan, keeper
        self.prices = chat_writers.prices(params)
        with database.reading() as connection:
            self.purse = Purse(params.max_tokens, params.max_cost_usd, generations.spent(connection, job_id=run.job_id))
        self.given_up = threading.Event()
        self.running: dict[Future[Batch[W]], Call[S]] = {}
        self.counts = dict.fromkeys(GenerationState, 0)
        self.failures_in_a_row = 0
        self.is_capped = False

    def work(self) -> dict[str, Any]:
        """Keep as many calls on their way as the writer takes. Raises what ends a job early, after keeping what came in."""
        left = iter(self.plan.calls)
        pool = ThreadPoolExecutor(self.writer.num_parallel, thread_name_prefix="generate")
        try:
            self._fill(pool, left)
            while self.running:
                done, _ = wait(self.running, timeout=POLL_S, return_when=FIRST_COMPLETED)
                for future in done:
                    self._keep(future)
                self._tell()
                self._fill(pool, left)
        except BaseException as error:
            self._wind_down(error)
            if isinstance(error, StopRequested):
                raise StopRequested(self.result()) from None
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return self.result()

    def _fill(self, pool: ThreadPoolExecutor, left: Iterator[Call[S]]) -> None:
        while len(self.running) < self.writer.num_parallel and not self.is_capped:
            call = next(left, None)
            if call is None:
                return
            if not self._reserved(call):
                # Replies on their way usually take less than was set aside for them: wait for those first.
                while self.running and not self._reserved(call):
                    done, _ = wait(self.running, timeout=POLL_S, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._keep(future)
                    self.run.checkpoint()
                if call not in self.purse.reserved and not self._reserved(call):
                    self.is_capped = True
                    self.run.say("The cap leaves nothing for another call; what is written is kept.")
                    return
            avoid = self.keeper.avoid(call)
            future = pool.submit(self.writer.write, call.subject, call.numbers, avoid, self._wait_allowed)
            self.running[future] = call

    def _reserved(self, call: Call[S]) -> bool:
        if call in self.purse.reserved:
            return True
        given, taken = self.writer.largest_call(call.subject, len(call.numbers))
        return self.purse.reserve(call, given + taken, self.prices.cost_usd(given, taken) or 0.0)

    def _wait_allowed(self) -> None:
        if self.given_up.is_set():
            raise _GivenUpError

    def _keep(self, future: Future[Batch[W]]) -> None:
        """Write what a finished call brought, in one transaction. Raises ProviderError when going on makes no sense."""
        call = self.running.pop(future)
        try:
            batch = future.result()
        except _GivenUpError:
            return
        except ProviderError as error:
            self._keep_failure(call, error)
            return
        self.failures_in_a_row = 0
        paid = Spend(
            batch.input_tokens, batch.output_tokens, self.prices.cost_usd(batch.input_tokens, batch.output_tokens)
        )
        with self.run.writing() as connection:
            asked = self.keeper.keep(connection, call, batch.written)
            self._record(connection, asked)
            if paid.tokens:
                name = self.params.provider if self.params.generator == "endpoint" else "this machine"
                generations.add_spend(connection, self.run.project_id, self.run.job_id, name, paid)
        self.purse.settle(call, paid)
        for one_asked in asked:
            self.counts[one_asked.state] += 1

    def _record(self, connection: Connection, asked: Sequence[Asked]) -> None:
        generations.record(connection, self.run.project_id, self.writer.key, self.keeper.record, asked)

    def _keep_failure(self, call: Call[S], error: ProviderError) -> None:
        self.purse.settle(call, Spend())
        asked = [Asked(call.subject.id, number, GenerationState.FAILED, None, str(error)) for number in call.numbers]
        with self.run.writing() as connection:
            self._record(connection, asked)
        self.counts[GenerationState.FAILED] += len(asked)
        self.run.say(f"{error}")
        self.failures_in_a_row += 1
        is_fatal = not error.retryable and not isinstance(error, RequestRefusedError)
        if is_fatal or self.failures_in_a_row >= MAX_FAILURES_IN_A_ROW:
            raise error

    def _wind_down(self, error: BaseException) -> None:
        """Keep the replies that still come in, as they are paid for; a cancelled job waits for none."""
        self.given_up.set()
        if isinstance(error, JobInterrupt) and not isinstance(error, StopRequested | JobCancelled):
            return  # another attempt owns the job: nothing may be written
        done, _ = wait(self.running, timeout=0 if isinstance(error, JobCancelled) else GRACE_S)
        for future in done:
            try:
                self._keep(future)
            except ProviderError:
                continue

    def _tell(self) -> None:
        done = self.plan.num_done + sum(self.counts.values())
        written = self.counts[GenerationState.WRITTEN]
        cost = self.purse.spent.cost_usd
        money = f", ${cost:.4f}" if cost else ""
        tokens = f", {self.purse.spent.tokens:,} tokens" if self.purse.spent.tokens else ""
        self.run.progress(
            done / max(1, self.plan.num_wanted), f"{counted(written, self.keeper.noun)} written{tokens}{money}"
        )

    def result(self) -> dict[str, Any]:
        """What this attempt did, and what the job has cost over all of its attempts."""
        return {
            "generator": self.writer.key,
            "num_written": self.counts[GenerationState.WRITTEN],
            "num_unusable": self.counts[GenerationState.UNUSABLE],
            "num_failed": self.counts[GenerationState.FAILED],
            "num_done_before": self.plan.num_done,
            "num_questions": self.plan.num_wanted,
            "is_capped": self.is_capped,
            "input_tokens": self.purse.spent.input_tokens,
            "output_tokens": self.purse.spent.output_tokens,
            "cost_usd": self.purse.spent.cost_usd,
        }
