"""Questions to a real answering process: right passages, warm models, crashes, damage, two askers at once."""

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

import numpy as np
import psutil
import pytest

from finetune_core.errors import ArtefactError, CorpusError, FinetuneError, ProviderError
from finetune_core.jobs import serving_client
from finetune_core.workspace import models, playground, projects
from tests.tuned_model import TEXTS, add_passages, add_tuned_model


@pytest.fixture
def project_id() -> Iterator[str]:
    project = projects.create("p")
    add_passages(project.id)
    yield project.id
    playground.stop()


def test_a_question_finds_what_the_embedder_itself_finds(project_id: str) -> None:
    folder = add_tuned_model(project_id)
    question = "How does dough rise?"
    told: list[str] = []
    began = time.monotonic()
    base, tuned = playground.answer(project_id, ["m1/base", "m1"], question, 3, lambda _, text: told.append(text))
    first_s = time.monotonic() - began
    assert (base.name, tuned.name, tuned.num_searched) == ("bundled/all-MiniLM-L6-v2", "Tuned no. 1", len(TEXTS))

    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    passages_PD = model.encode(["Text: " + text for text in TEXTS.values()], normalize_embeddings=True)
    scores_P = passages_PD @ model.encode("Question: " + question, normalize_embeddings=True)
    order = np.argsort(-scores_P)[:3]
    assert [passage.id for passage in tuned.passages] == [list(TEXTS)[i] for i in order]
    assert [passage.rank for passage in tuned.passages] == [1, 2, 3]
    assert [passage.score for passage in tuned.passages] == pytest.approx(scores_P[order].tolist(), abs=1e-4)
    assert tuned.passages[0].text == TEXTS["bread"]
    assert tuned.passages[0].score != pytest.approx(base.passages[0].score, abs=1e-4)

    began = time.monotonic()
    again = playground.answer(project_id, ["m1/base", "m1"], "Which button starts it?", 2)
    assert time.monotonic() - began < first_s, "models and passages stay loaded"
    assert [len(answer.passages) for answer in again] == [2, 2]
    status = playground.status()
    assert status is not None
    assert (status.num_answers, set(status.models)) == (2, {"bundled/all-MiniLM-L6-v2", "Tuned no. 1"})


def test_new_passages_are_searched_at_once(project_id: str) -> None:
    assert playground.answer(project_id, ["base"], "apples")[0].num_searched == len(TEXTS)
    from finetune_core.records import Passage
    from finetune_core.storage import database, documents

    with database.writing() as connection:
        documents.insert_passages(connection, project_id, "", [Passage("new", "A pear is no apple.", "new")])
    answer = playground.answer(project_id, ["base"], "Is a pear an apple?")[0]
    assert (answer.num_searched, answer.passages[0].id) == (len(TEXTS) + 1, "new")


def test_two_tabs_ask_at_once_and_share_one_process(project_id: str) -> None:
    add_tuned_model(project_id)
    found: dict[str, str] = {}

    def ask(question: str) -> None:
        found[question] = playground.answer(project_id, ["m1/base", "m1"], question)[1].passages[0].id

    threads = [
        threading.Thread(target=ask, args=(question,)) for question in ("Why does bread rise?", "When to pick apples?")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"Why does bread rise?": "bread", "When to pick apples?": "apple"}
    ours = [p for p in psutil.process_iter(["cmdline", "environ"]) if "serve" in (p.info["cmdline"] or [])]
    assert len([p for p in ours if (p.info["environ"] or {}).get("AYAR_HOME") == os.environ["AYAR_HOME"]]) == 1


def test_a_crash_is_told_and_the_next_question_starts_it_again(project_id: str) -> None:
    playground.answer(project_id, ["base"], "apples")
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


def test_altered_weights_are_refused_by_name(project_id: str) -> None:
    weights = add_tuned_model(project_id) / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ArtefactError, match=r"model\.safetensors was altered"):
        playground.answer(project_id, ["m1"], "apples")
    assert playground.answer(project_id, ["m1/base"], "apples")[0].passages, "one bad model ends one answer only"


def test_a_deleted_model_is_forgotten(project_id: str) -> None:
    add_tuned_model(project_id)
    playground.answer(project_id, ["m1"], "apples")
    models.delete("m1")
    status = playground.status()
    assert status is not None
    assert status.models == ()
    with pytest.raises(ArtefactError, match="deleted"):
        playground.answer(project_id, ["m1"], "apples")


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


def test_only_one_serves_a_home(project_id: str) -> None:
    playground.answer(project_id, ["base"], "apples")
    serve = [sys.executable, "-m", "finetune_core", "serve", "--idle-s", "600"]
    assert subprocess.run(serve, timeout=300, check=False).returncode == 0, "the second leaves at once"
    status = playground.status()
    assert status is not None
    assert status.num_answers == 1, "the first goes on"


def test_a_wrong_token_gets_no_reply(project_id: str) -> None:
    import socket

    playground.answer(project_id, ["base"], "apples")
    address = serving_client.living()
    assert address is not None
    assert oct(serving_client.address_file().stat().st_mode)[-3:] == "600"
    for token in ("", "x" * len(address.token)):
        with socket.create_connection(("127.0.0.1", address.port), timeout=60) as connection:
            connection.sendall(json.dumps({"token": token, "operation": "status"}).encode() + b"\n")
            assert connection.recv(100) == b""
    assert playground.status() is not None


def test_moved_counts_places_risen() -> None:
    def answer(*ids: str) -> playground.Answer:
        found = (playground.FoundPassage(rank, name, 0.5, "", "", "") for rank, name in enumerate(ids, start=1))
        return playground.Answer("m", "m", 0.1, 9, tuple(found))

    assert playground.moved(answer("a", "b", "c"), answer("c", "b", "d")) == {"c": 2, "b": 0, "d": None}
    assert playground.moved(answer("a", "b"), answer("b", "a")) == {"b": 1, "a": -1}
