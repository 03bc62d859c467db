"""What a language model says reaches whoever asked while it grows, and whoever leaves is not answered any longer."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from finetune_core.errors import ProviderError
from finetune_core.evaluation.said import Said
from finetune_core.jobs import answering_run, serving, serving_client
from finetune_core.jobs.answering_run import AnsweringRun
from finetune_core.jobs.warm_models import WarmModels
from finetune_core.records import SqlQuestion
from finetune_core.workspace import playground

TEXTS = {"question": "How many?", "schema": "CREATE TABLE t (n);"}
WORDS = ["SELECT", "count(*)", "FROM", "çok_uzun", "WHERE", "n", ">", "1", ""]


@dataclass
class Loaded:
    """A contender that answers as the test wants."""

    name: str
    system: str
    answer: Callable[[str, Any], Said]
    record: type = SqlQuestion
    config: None = None

    @property
    def recipe(self) -> Any:
        return self

    def check_example(self, example: Any) -> None:
        """Any will do."""


class Speaker:
    """Says one word after the other."""

    def __call__(self, system: str, example: Any, config: None, *, run: Any) -> Said:
        said = ""
        for word in WORDS:
            said += f"{word} "
            run.on_text(f"{system}: {said}")
        return Said("whole")


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, home: Any) -> Iterator[Callable[[Any], None]]:
    """The process that answers, as a thread of this one; what is called says how every contender answers."""
    answers: list[Any] = []

    @contextmanager
    def borrowed(self: WarmModels, project_id: str, contender_id: str, run: Any) -> Iterator[Loaded]:
        yield Loaded(f"Model {contender_id}", contender_id, answers[-1])

    monkeypatch.setattr(WarmModels, "_borrowed", borrowed)
    monkeypatch.setattr(answering_run, "SAY_S", 0.0)
    home.mkdir(exist_ok=True)
    with serving._Server(60.0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        serving_client.publish(server.server_address[1], server.token)
        yield answers.append
        server.shutdown()
        thread.join()


def lines(model_ids: list[str]) -> Iterator[dict[str, Any]]:
    """What comes over the line, message by message; closing the iterator leaves."""
    address = serving_client.living()
    assert address is not None
    example = {"kind": "SqlQuestion", "group": "", "content": {**TEXTS, "database": "", "sql": ""}}
    request = {"project_id": "p", "model_ids": model_ids, "input": {"example": example}}
    with socket.create_connection(("127.0.0.1", address.port), timeout=20) as connection:
        connection.sendall(json.dumps({"token": address.token, "operation": "answer", **request}).encode() + b"\n")
        with connection.makefile("r", encoding="utf-8") as replies:
            yield from map(json.loads, replies)


def test_each_contender_is_heard_before_the_answers_come(ask: Any) -> None:
    ask(Speaker())
    told: list[tuple[str, str]] = []
    answers = playground.ask("p", ["a", "b"], "SqlQuestion", TEXTS, on_said=lambda *said: told.append(said))
    assert [one.said and one.said.text for one in answers] == ["whole", "whole"]
    growing = [f"{' '.join(WORDS[: num + 1])} " for num in range(len(WORDS))]
    assert told == [(name, f"{name}: {text}") for name in ("a", "b") for text in growing]
    assert playground.ask("p", ["a"], "SqlQuestion", TEXTS)[0].said == Said("whole"), "nobody has to listen"


def test_only_what_is_new_is_sent(ask: Any) -> None:
    ask(Speaker())
    *news, result = lines(["a"])
    assert "".join(one["said"] for one in news) == f"a: {' '.join(WORDS)} "
    assert [one["num_kept"] for one in news[:3]] == [0, len("a: SELECT "), len("a: SELECT count(*) ")]
    assert result["result"][0]["said"]["text"] == "whole"

    def anew(*_: Any, run: Any) -> Said:
        for text in ("one", "one two", "", "three"):
            run.on_text(text)
        return Said("whole")

    ask(anew)
    told: list[str] = []
    playground.ask("p", ["a"], "SqlQuestion", TEXTS, on_said=lambda _, text: told.append(text))
    assert told == ["one", "one two", "", "three"]


def test_a_service_that_dies_in_between_is_told_as_ever(ask: Any) -> None:
    def die(*_: Any, run: Any) -> Said:
        run.on_text("SELECT")
        raise ProviderError("It is down.", hint="Wait.")

    ask(die)
    told: list[str] = []
    with pytest.raises(ProviderError, match=r"It is down\.") as caught:
        playground.ask("p", ["a"], "SqlQuestion", TEXTS, on_said=lambda _, text: told.append(text))
    assert (caught.value.hint, told) == ("Wait.", ["SELECT"])


def test_the_work_ends_when_whoever_asked_leaves_in_between(ask: Any) -> None:
    ended = threading.Event()

    def talk(*_: Any, run: Any) -> Said:
        try:
            for number in range(10_000):
                run.on_text("word " * number)
                time.sleep(0.002)
        finally:
            ended.set()
        return Said("never")

    ask(talk)
    coming = lines(["a"])
    assert next(coming)["id"] == "a"
    coming.close()  # type: ignore[attr-defined]
    assert ended.wait(10)

    class ReloadedError(Exception):
        pass

    def reload(*_: str) -> None:
        raise ReloadedError

    ended.clear()
    with pytest.raises(ReloadedError):
        playground.ask("p", ["a"], "SqlQuestion", TEXTS, on_said=reload)
    assert ended.wait(10)


def test_news_are_told_ten_times_a_second() -> None:
    told: list[str] = []
    run = AnsweringRun("p", lambda *_: None, told.append)
    assert run.on_text is not None
    until = time.monotonic() + 0.35
    num = 0
    while time.monotonic() < until:
        run.on_text(str(num := num + 1))
    assert 1 <= len(told) <= 4 < num
    assert AnsweringRun("p", lambda *_: None).on_text is None
