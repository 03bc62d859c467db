"""The process that answers questions: when it starts, crashes, leaves, and what it refuses."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from finetune_core.errors import CorpusError, FinetuneError, ProviderError
from finetune_core.jobs import serving_client
from finetune_core.workspace import playground, projects
from tests.tuned_model import add_passages


@pytest.fixture
def project_id() -> Iterator[str]:
    project = projects.create("p")
    add_passages(project.id)
    yield project.id
    playground.stop()


def test_a_crash_is_told_and_the_next_question_starts_it_again(project_id: str) -> None:
    serving_client.call("release", model_id="none")  # starts it
    address = serving_client.living()
    assert address is not None
    psutil.Process(address.pid).suspend()  # it accepts the question, and dies before it answers
    raised: list[FinetuneError] = []

    def ask() -> None:
        try:
            playground.answer(project_id, ["base"], "apples")
        except FinetuneError as error:
            raised.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while not any(one.raddr and one.raddr.port == address.port for one in psutil.Process().net_connections("tcp")):
        time.sleep(0.05)
    time.sleep(0.5)
    os.kill(address.pid, signal.SIGKILL)
    thread.join(120)
    assert isinstance(raised[0], ProviderError)
    assert "ended before" in raised[0].message
    assert "Ask again" in raised[0].hint
    assert playground.answer(project_id, ["base"], "apples")[0].passages[0].id == "apple"
    again = serving_client.living()
    assert again is not None
    assert again.pid != address.pid


def test_a_process_that_no_longer_listens_is_waited_for_until_it_is_gone(home: Path) -> None:
    ending = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    began = psutil.Process(ending.pid).create_time()
    address = {"pid": ending.pid, "process_started": began, "port": port, "token": "x"}
    home.mkdir(exist_ok=True)
    serving_client.address_file().write_text(json.dumps(address), encoding="utf-8")
    assert serving_client.living() is not None
    end = threading.Timer(0.5, ending.kill)
    end.start()
    assert serving_client.call("release", start=False, model_id="any") is None
    assert serving_client.living() is None
    end.join()
    ending.wait(10)


def test_nothing_to_search_is_told() -> None:
    project = projects.create("empty")
    try:
        with pytest.raises(CorpusError, match="no passages"):
            playground.answer(project.id, ["base"], "apples")
    finally:
        playground.stop()


@pytest.mark.parametrize(
    ("ids", "question", "k", "words"),
    [
        (["base"], "   ", 5, "has 0"),
        (["base"], "x" * 2001, 5, "has 2001"),
        (["base"], "x", 0, "0 passages"),
        (["base"], "x", 51, "51 passages"),
        ([], "x", 5, "0 models"),
        (["a", "b", "c"], "x", 5, "3 models"),
    ],
)
def test_bad_input_is_refused_without_starting_anything(ids: list[str], question: str, k: int, words: str) -> None:
    with pytest.raises(CorpusError, match=words):
        playground.answer("p", ids, question, k)
    assert playground.status() is None


def test_it_leaves_when_idle() -> None:
    projects.create("p")
    serve = [sys.executable, "-m", "finetune_core", "serve", "--idle-s", "1"]
    assert subprocess.run(serve, timeout=300, check=False).returncode == 0
    assert not serving_client.address_file().exists()
    assert playground.status() is None


def test_moved_counts_places_risen() -> None:
    def answer(*ids: str) -> playground.Answer:
        found = (playground.FoundPassage(rank, name, 0.5, "", "", "") for rank, name in enumerate(ids, start=1))
        return playground.Answer("m", "m", 0.1, 9, tuple(found))

    assert playground.moved(answer("a", "b", "c"), answer("c", "b", "d")) == {"c": 2, "b": 0, "d": None}
    assert playground.moved(answer("a", "b"), answer("b", "a")) == {"b": 1, "a": -1}
