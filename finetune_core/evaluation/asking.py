"""Many questions to one chat, so that a restart asks, and pays for, none twice."""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from finetune_core.providers.chat import BatchChat, Call, Chat, Checkpoint, OnText, Reply, Request, RequestRefusedError
from finetune_core.recipe import Prices
from finetune_core.records import content_id

_TICK_S = 0.5


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back for one request; `failure` says why nothing did, "" otherwise. `seconds` is the wait for it."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    failure: str = ""


class Progress(Protocol):
    """The part of a run that asking needs."""

    def progress(self, fraction: float, message: str = "") -> None: ...
    def checkpoint(self) -> None: ...


def ask_all(
    chat: Chat,
    requests: Sequence[Request],
    run: Progress,
    kept: Path | None = None,
    on_text: OnText | None = None,
) -> list[Answered]:
    """The answers in the order of the requests, each at temperature 0.

    Answers are written to the file `kept` as they come and read from there after a restart, known by what was asked; with
    None nothing is written, as for what a person typed. A request that the model refuses is answered with a `failure`.
    `on_text` is told of all answers as they grow, an empty line between them; whoever watches them has a `run` whose
    checkpoint can be called from any thread. Raises the ProviderError of a service that fails; what was answered until
    then is kept.
    """
    keys = [request_key(request) for request in requests]
    answers = KeptAnswers(kept)
    waiting = {key: request for key, request in zip(keys, requests, strict=True) if key not in answers.known}
    log = _Log(answers, len(set(keys)), run, chat.name)
    texts = on_text and _Texts(on_text)
    if waiting and isinstance(chat, BatchChat):
        if texts is None:
            _ask_batch(chat, waiting, log)
        else:
            _ask_in_turn(chat, waiting, log, texts)
    elif waiting:
        _ask_threads(chat, waiting, log, texts)
    return [answers.known[key] for key in keys]


def cost_facts(answers: Sequence[Answered], prices: Prices | None = None) -> dict[str, Any]:
    """What the answers took: `num_asked`, tokens, `cost_usd` (None if unknown), median `latency_ms`, `num_refused`."""
    asked = sum(answer.input_tokens for answer in answers)
    said = sum(answer.output_tokens for answer in answers)
    cost_usd = prices.cost_usd(asked, said) if prices else None
    return {
        "num_asked": len(answers),
        "num_refused": sum(bool(answer.failure) for answer in answers),
        "input_tokens": asked,
        "output_tokens": said,
        "cost_usd": cost_usd,
        "cost_usd_per_query": None if cost_usd is None or not answers else cost_usd / len(answers),
        "latency_ms": 1000 * float(np.median([answer.seconds for answer in answers])) if answers else None,
    }


def chat_facts(chat: Chat, answers: Sequence[Answered], prices: Prices | None = None) -> dict[str, Any]:
    """What a report says of the chat that answered: `cost_facts`; of a model on this machine its engine and its size."""
    size = getattr(chat, "size_bytes", None)
    known = {} if size is None else {"deployed_bytes": size}
    return {**cost_facts(answers, prices), **getattr(chat, "engine", {}), **known}


class KeptAnswers:
    """Answers by what was asked, in memory and, if a file is given, there as well; what the file holds is `known`."""

    def __init__(self, kept: Path | None = None) -> None:
        self.known: dict[str, Answered] = _read(kept) if kept else {}
        self._kept = kept

    def answers(self, requests: Sequence[Request]) -> list[Answered | None]:
        """What is known of each request, None of one that was not answered."""
        return [self.known.get(request_key(request)) for request in requests]

    def take(self, key: str, answer: Answered) -> None:
        """Keep one; not from several threads at once."""
        self.known[key] = answer
        if self._kept:
            with self._kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, **asdict(answer)}, ensure_ascii=False) + "\n")


def request_key(request: Request, repetition: int = 0) -> str:
    """By what an answer is known; a `repetition` of the same question has an answer of its own."""
    return content_id("request", json.dumps(asdict(request), sort_keys=True, default=str), str(repetition))


class _Log:
    """Takes answers as they come, and shows how many there are."""

    def __init__(self, answers: KeptAnswers, total: int, run: Progress, name: str) -> None:
        self.answers, self.run, self._total, self._name = answers, run, total, name

    def show(self) -> None:
        num = len(self.answers.known)
        self.run.progress(min(1.0, num / self._total), f"{self._name}: {num:,} of {self._total:,} answered")


class _Texts:
    """The answers that grow at once, as one text."""

    def __init__(self, on_text: OnText) -> None:
        self._on_text, self._lock = on_text, threading.Lock()
        self._texts: list[str] = []

    def another(self) -> OnText:
        """Takes the text of one more answer, which stands behind those before."""
        place = len(self._texts)
        self._texts.append("")

        def tell(text: str) -> None:
            with self._lock:
                self._texts[place] = text
                self._on_text("\n\n".join(filter(None, self._texts)))

        return tell


def _ask_batch(chat: BatchChat, waiting: Mapping[str, Request], log: _Log) -> None:
    keys = list(waiting)
    marked = time.perf_counter()

    def take(position: int, reply: Reply | RequestRefusedError) -> None:
        nonlocal marked
        now = time.perf_counter()
        log.answers.take(keys[position], _taken(reply, now - marked))
        marked = now
        log.show()

    chat.complete_batch([waiting[key] for key in keys], take, log.run.checkpoint)


def _ask_in_turn(chat: Chat, waiting: Mapping[str, Request], log: _Log, texts: _Texts) -> None:
    """In this thread: how many cores a model on this machine may take was set for it alone."""
    for key, request in waiting.items():
        log.answers.take(key, ask(chat, request, log.run.checkpoint, texts.another()))
        log.show()


def _ask_threads(chat: Chat, waiting: Mapping[str, Request], log: _Log, texts: _Texts | None) -> None:
    pool = ThreadPoolExecutor(chat.num_parallel)
    watched = [(log.run.checkpoint, texts.another()) if texts else (None, None) for _ in waiting]
    asked = {pool.submit(ask, chat, waiting[key], *how): key for key, how in zip(waiting, watched, strict=True)}
    pending: set[Future[Answered]] = set(asked)
    try:
        while pending:
            done, pending = wait(pending, timeout=_TICK_S, return_when="FIRST_COMPLETED")
            for future in [one for one in done if one.exception() is None]:
                log.answers.take(asked[future], future.result())
            for future in done:  # raises where one failed, once the others are written down
                future.result()
            log.show()
            log.run.checkpoint()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for future in pending:  # those that were under way: they were paid for
            if not future.cancelled() and future.exception() is None:
                log.answers.take(asked[future], future.result())


def ask(chat: Chat, request: Request, checkpoint: Checkpoint | None = None, on_text: OnText | None = None) -> Answered:
    """One answer, as `ask_all` gives it; kept nowhere."""
    started = time.perf_counter()
    try:
        reply = chat.complete(
            request.messages,
            schema=request.schema,
            tools=request.tools,
            max_tokens=request.max_tokens,
            temperature=0.0,
            checkpoint=checkpoint,
            on_text=on_text,
        )
    except RequestRefusedError as error:
        return Answered(failure=error.message)
    return _answered(reply, time.perf_counter() - started)


def _taken(reply: Reply | RequestRefusedError, seconds: float) -> Answered:
    return Answered(failure=reply.message) if isinstance(reply, RequestRefusedError) else _answered(reply, seconds)


def _answered(reply: Reply, seconds: float) -> Answered:
    own = seconds if reply.seconds is None else reply.seconds
    return Answered(reply.text, reply.calls, reply.input_tokens, reply.output_tokens, own)


def _read(kept: Path) -> dict[str, Answered]:
    found: dict[str, Answered] = {}
    for line in kept.read_text(encoding="utf-8").splitlines() if kept.is_file() else ():
        try:
            values = json.loads(line)
            answer = Answered(**{name: value for name, value in values.items() if name != "key"})
        except (ValueError, TypeError):  # the last line of a process that was killed while writing
            continue
        found[values["key"]] = replace(answer, calls=tuple(Call(**call) for call in values["calls"]))
    return found
