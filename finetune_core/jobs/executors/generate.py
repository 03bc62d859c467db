"""Write questions over the corpus: each reply is kept, with what it cost, in the transaction in which it is counted.

A kill loses at most the replies that were on their way. What was answered is found by generator, chunk and number, and
never asked again; a stopped, cancelled or failed job keeps all it has written.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from finetune_core.errors import JobCancelled, JobInterrupt, ProviderError, StopRequested
from finetune_core.jobs import filtering
from finetune_core.jobs.question_writers import Call, GenerationParams, Plan, open_writer, plan, prices
from finetune_core.jobs.run import JobRun
from finetune_core.providers.chat import RequestRefusedError
from finetune_core.records import content_id
from finetune_core.storage import database, generations, pairs
from finetune_core.storage.generations import Asked, GenerationState, Spend
from finetune_core.storage.pairs import NewPair, PairSource
from finetune_core.synthesis.questions import Batch, QuestionWriter, Written
from finetune_core.wording import counted

HEAVY = True
Params = GenerationParams
MAX_FAILURES_IN_A_ROW = 3
POLL_S = 0.5
GRACE_S = 30.0
"""How long a stop waits for replies on their way: they are paid for."""


def is_heavy(params: GenerationParams) -> bool:
    """Only a local model needs the machine to itself."""
    return params.generator == "gguf"


class _GivenUpError(Exception):
    """Raised in a waiting thread whose job is ending."""


@dataclass
class Purse:
    """What may be spent, what was, and what calls on their way may take at most."""

    max_tokens: int | None
    max_cost_usd: float | None
    spent: Spend
    reserved: dict[Call, tuple[int, float]] = field(default_factory=dict)

    def reserve(self, call: Call, tokens: int, cost_usd: float) -> bool:
        """Set the call's worst case aside; False if the cap does not leave that much."""
        tokens_taken = self.spent.tokens + sum(tokens for tokens, _ in self.reserved.values())
        cost_taken = (self.spent.cost_usd or 0.0) + sum(cost for _, cost in self.reserved.values())
        if self.max_tokens is not None and tokens_taken + tokens > self.max_tokens:
            return False
        if self.max_cost_usd is not None and cost_taken + cost_usd > self.max_cost_usd:
            return False
        self.reserved[call] = (tokens, cost_usd)
        return True

    def settle(self, call: Call, paid: Spend) -> None:
        """Replace the call's worst case by what it took."""
        self.reserved.pop(call, None)
        cost = (
            None if self.spent.cost_usd is paid.cost_usd is None else (self.spent.cost_usd or 0) + (paid.cost_usd or 0)
        )
        self.spent = Spend(
            self.spent.input_tokens + paid.input_tokens, self.spent.output_tokens + paid.output_tokens, cost
        )


def execute(run: JobRun, params: GenerationParams) -> dict[str, Any]:
    """Make the calls that are missing, up to the cap, then run the chosen filters over what is new.

    Raises ProviderError in the vendor's words if the service refuses, or fails three times in a row.
    """
    writer = open_writer(run.project_id, params)
    try:
        session = _Session(run, params, writer)
        result = session.work()
    finally:
        writer.close()
    if params.filters:
        result["set_aside"] = filtering.run_filters(run, params.filters)
    return result


class _Session:
    """One attempt at one job: the calls on their way and what came of the others."""

    def __init__(self, run: JobRun, params: GenerationParams, writer: QuestionWriter) -> None:
        self.run, self.params, self.writer = run, params, writer
        self.prices = prices(params)
        _check_cap(params, self.prices.are_known)
        with database.reading() as connection:
            self.plan: Plan = plan(connection, run.project_id, params, writer)
            self.purse = Purse(params.max_tokens, params.max_cost_usd, generations.spent(connection, job_id=run.job_id))
        self.avoid = _earlier_questions(run.project_id, writer.key, self.plan)
        self.given_up = threading.Event()
        self.running: dict[Future[Batch], Call] = {}
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

    def _fill(self, pool: ThreadPoolExecutor, left: Iterator[Call]) -> None:
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
            avoid = self.avoid.get(call.passage.id, ())
            future = pool.submit(self.writer.write, call.passage, call.numbers, avoid, self._wait_allowed)
            self.running[future] = call

    def _reserved(self, call: Call) -> bool:
        if call in self.purse.reserved:
            return True
        given, taken = self.writer.largest_call(call.passage, len(call.numbers))
        return self.purse.reserve(call, given + taken, self.prices.cost_usd(given, taken) or 0.0)

    def _wait_allowed(self) -> None:
        if self.given_up.is_set():
            raise _GivenUpError

    def _keep(self, future: Future[Batch]) -> None:
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
        new = [self._pair(call, number, one) for number, one in zip(call.numbers, batch.written, strict=True)]
        asked = [
            Asked(call.passage.id, number, *_became(one, pair))
            for number, one, pair in zip(call.numbers, batch.written, new, strict=True)
        ]
        with self.run.writing() as connection:
            pairs.insert(connection, self.run.project_id, [pair for pair in new if pair is not None])
            generations.record(connection, self.run.project_id, self.writer.key, asked)
            if paid.tokens:
                name = self.params.provider if self.params.generator == "endpoint" else "this machine"
                generations.add_spend(connection, self.run.project_id, self.run.job_id, name, paid)
        self.purse.settle(call, paid)
        for one_asked in asked:
            self.counts[one_asked.state] += 1

    def _keep_failure(self, call: Call, error: ProviderError) -> None:
        self.purse.settle(call, Spend())
        asked = [Asked(call.passage.id, number, GenerationState.FAILED, None, str(error)) for number in call.numbers]
        with self.run.writing() as connection:
            generations.record(connection, self.run.project_id, self.writer.key, asked)
        self.counts[GenerationState.FAILED] += len(asked)
        self.run.say(f"{error}")
        self.failures_in_a_row += 1
        is_fatal = not error.retryable and not isinstance(error, RequestRefusedError)
        if is_fatal or self.failures_in_a_row >= MAX_FAILURES_IN_A_ROW:
            raise error

    def _pair(self, call: Call, number: int, one: Written) -> NewPair | None:
        if one.reason or not one.question:
            return None
        passage = call.passage
        return NewPair(
            id=content_id("pair", self.writer.key, passage.id, str(number)),
            question=one.question,
            grades={passage.id: 1},
            document_id=passage.document,
            source=PairSource.GENERATED,
            evidence=one.evidence,
            answer=one.answer,
            generator=self.writer.key,
        )

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
            done / max(1, self.plan.num_questions), f"{counted(written, 'question')} written{tokens}{money}"
        )

    def result(self) -> dict[str, Any]:
        """What this attempt did, and what the job has cost over all of its attempts."""
        return {
            "generator": self.writer.key,
            "num_written": self.counts[GenerationState.WRITTEN],
            "num_unusable": self.counts[GenerationState.UNUSABLE],
            "num_failed": self.counts[GenerationState.FAILED],
            "num_done_before": self.plan.num_done,
            "num_questions": self.plan.num_questions,
            "is_capped": self.is_capped,
            "input_tokens": self.purse.spent.input_tokens,
            "output_tokens": self.purse.spent.output_tokens,
            "cost_usd": self.purse.spent.cost_usd,
        }


def _became(one: Written, pair: NewPair | None) -> tuple[GenerationState, str | None, str]:
    if pair is None:
        return GenerationState.UNUSABLE, None, one.reason or "The question was empty."
    return GenerationState.WRITTEN, pair.id, ""


def _earlier_questions(project_id: str, generator: str, planned: Plan) -> dict[str, list[str]]:
    """Chunk id to its earlier questions, for chunks of which some numbers were written before."""
    if not planned.num_done:
        return {}
    with database.reading() as connection:
        return {
            call.passage.id: generations.questions_written(connection, project_id, generator, call.passage.id)
            for call in planned.calls
            if min(call.numbers) > 0
        }


def _check_cap(params: GenerationParams, are_prices_known: bool) -> None:
    if params.max_cost_usd is not None and not are_prices_known:
        raise ProviderError(
            f"A cap of {params.max_cost_usd} dollars cannot be kept: the prices of {params.provider} are not known.",
            hint="Enter them on Settings, or set a cap in tokens.",
        )
