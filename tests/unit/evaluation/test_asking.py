"""Many questions to one chat: in order, none twice, and nothing that was answered is lost."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from finetune_core.errors import ProviderError
from finetune_core.evaluation.asking import ask_all, cost_facts
from finetune_core.providers.chat import Call, Checkpoint, Reply, Request, RequestRefusedError
from finetune_core.providers.prices import Prices
from tests.training_fixtures import RecordedRun

TOOL = {"type": "function", "function": {"name": "book", "description": "", "parameters": {"type": "object"}}}


def asking(text: str) -> Request:
    return Request(({"role": "user", "content": text},), tools=(TOOL,), max_tokens=5)


class Parrot:
    """Says what it is asked, calls a function where it is asked to, refuses and fails on demand."""

    name, fingerprint, num_parallel = "parrot", "parrot", 2

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_broken = False
        self._lock = threading.Lock()

    def complete(self, messages: Sequence[Any], *, tools: Sequence[Any] = (), **options: Any) -> Reply:
        text = messages[-1]["content"]
        assert tools == (TOOL,)
        assert options["temperature"] == 0
        with self._lock:
            self.asked.append(text)
        if text == "refuse":
            raise RequestRefusedError("Too long.", hint="Shorten it.")
        if text == "fail" and self.is_broken:
            raise ProviderError("It is down.", hint="Wait.")
        return Reply(text.upper(), 10, 2, (Call("book", '{"for": 2}'),) if text == "book" else ())

    def close(self) -> None:
        """Nothing is held."""


class Choir(Parrot):
    """Answers all at once, the last first."""

    def complete_batch(
        self, requests: Sequence[Request], on_reply: Callable[[int, Reply], None], checkpoint: Checkpoint
    ) -> None:
        for position in reversed(range(len(requests))):
            checkpoint()
            on_reply(
                position, self.complete(requests[position].messages, tools=requests[position].tools, temperature=0)
            )


@pytest.mark.parametrize("chat", [Parrot(), Choir()], ids=["one by one", "all at once"])
def test_answers_come_in_order_and_equal_requests_are_asked_once(chat: Parrot, tmp_path: Path) -> None:
    run, kept = RecordedRun(tmp_path), tmp_path / "answers.jsonl"
    requests = [asking(text) for text in ("a", "book", "c", "a")]
    answers = ask_all(chat, requests, run, kept)
    assert [answer.text for answer in answers] == ["A", "BOOK", "C", "A"]
    assert answers[1].calls == (Call("book", '{"for": 2}'),)
    assert sorted(chat.asked) == ["a", "book", "c"]
    assert ask_all(chat, requests, run, kept) == answers
    assert len(chat.asked) == 3


def test_a_service_that_fails_loses_no_answer_and_a_cut_line_is_asked_again(tmp_path: Path) -> None:
    run, kept, chat = RecordedRun(tmp_path), tmp_path / "answers.jsonl", Parrot()
    chat.is_broken = True
    with pytest.raises(ProviderError, match="It is down"):
        ask_all(chat, [asking(text) for text in ("a", "b", "c", "fail")], run, kept)
    num_asked = len(chat.asked)
    kept.write_text(kept.read_text("utf-8") + '{"key": "cut o', "utf-8")
    chat.is_broken = False
    answers = ask_all(chat, [asking(text) for text in ("a", "b", "c", "fail", "refuse")], run, kept)
    assert [answer.text for answer in answers] == ["A", "B", "C", "FAIL", ""]
    assert answers[-1].failure == "Too long."
    assert len(chat.asked) == num_asked + 2


def test_what_is_answered_together_shares_the_time(tmp_path: Path) -> None:
    class Timed(Choir):
        def complete_batch(self, requests: Sequence[Request], on_reply: Any, checkpoint: Checkpoint) -> None:
            for position in range(len(requests)):
                on_reply(position, Reply("a", 1, 1, seconds=0.25))

    answers = ask_all(Timed(), [asking("a"), asking("b")], RecordedRun(tmp_path))
    assert [answer.seconds for answer in answers] == [0.25, 0.25]


def test_what_a_person_typed_is_written_nowhere(tmp_path: Path) -> None:
    ask_all(Parrot(), [asking("secret")], RecordedRun(tmp_path / "work"))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("kind", [Parrot, Choir], ids=["one by one", "all at once"])
def test_answers_that_are_watched_stand_below_each_other(kind: type[Parrot], tmp_path: Path) -> None:
    class Growing(kind):  # type: ignore[misc,valid-type]
        def complete(self, messages: Sequence[Any], *, on_text: Any, checkpoint: Any, **options: Any) -> Reply:
            reply = super().complete(messages, **options)
            checkpoint()
            for end in range(1, len(reply.text) + 1):
                on_text(reply.text[:end])
            return reply

    told: list[str] = []
    answers = ask_all(Growing(), [asking("ab"), asking("c")], RecordedRun(tmp_path), on_text=told.append)
    assert [answer.text for answer in answers] == ["AB", "C"]
    assert told[-1] == "AB\n\nC"
    assert "A" in told or "C" in told


def test_whoever_watches_can_leave(tmp_path: Path) -> None:
    class Endless(Parrot):
        def complete(self, *_: Any, on_text: Any, **options: Any) -> Reply:
            while True:
                on_text("and so on")

    class LeftError(Exception):
        pass

    def leave(text: str) -> None:
        raise LeftError

    with pytest.raises(LeftError):
        ask_all(Endless(), [asking("a"), asking("b")], RecordedRun(tmp_path), on_text=leave)


def test_costs_are_those_of_the_tokens(tmp_path: Path) -> None:
    answers = ask_all(Parrot(), [asking("a"), asking("refuse")], RecordedRun(tmp_path))
    facts = cost_facts(answers, Prices(1.0, 2.0))
    assert (facts["num_asked"], facts["num_refused"], facts["input_tokens"], facts["output_tokens"]) == (2, 1, 10, 2)
    assert facts["cost_usd"] == pytest.approx((10 * 1 + 2 * 2) / 1e6)
    assert cost_facts([])["latency_ms"] is None
