"""One answering process for many questions: right passages, warm models, damage, two askers at once."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import psutil
import pytest

from finetune_core.errors import ArtefactError
from finetune_core.jobs import serving_client
from finetune_core.workspace import models, playground, projects
from tests.tuned_model import TEXTS, add_passages, add_tuned_model

_numbers = count(1)


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served") / "home"


@pytest.fixture
def home_folder(shared_home: Path) -> Path:
    """One home, and so one process that loads its libraries once, for all tests here."""
    return shared_home


@pytest.fixture(scope="module", autouse=True)
def _stopped(shared_home: Path) -> Iterator[None]:
    yield
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AYAR_HOME", str(shared_home))
        playground.stop()


@pytest.fixture
def project_id() -> str:
    project = projects.create(f"p{next(_numbers)}")
    add_passages(project.id)
    return project.id


@pytest.fixture
def tuned(project_id: str) -> tuple[str, Path]:
    """The id of a tuned model, which is its name too, and its folder."""
    name = f"m{next(_numbers)}"
    return name, add_tuned_model(project_id, name, name)


def num_answers() -> int:
    """How many questions the process has answered."""
    status = playground.status()
    return status.num_answers if status else 0


def test_a_question_finds_what_the_embedder_itself_finds(project_id: str, tuned: tuple[str, Path]) -> None:
    model_id, folder = tuned
    before = num_answers()
    question = "How does dough rise?"
    told: list[str] = []
    began = time.monotonic()
    base, found = playground.answer(
        project_id, [f"{model_id}/base", model_id], question, 3, lambda _, text: told.append(text)
    )
    first_s = time.monotonic() - began
    assert (base.name, found.name, found.num_searched) == ("bundled/all-MiniLM-L6-v2", model_id, len(TEXTS))

    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    passages_PD = model.encode(["Text: " + text for text in TEXTS.values()], normalize_embeddings=True)
    scores_P = passages_PD @ model.encode("Question: " + question, normalize_embeddings=True)
    order = np.argsort(-scores_P)[:3]
    assert [passage.id for passage in found.passages] == [list(TEXTS)[i] for i in order]
    assert [passage.rank for passage in found.passages] == [1, 2, 3]
    assert [passage.score for passage in found.passages] == pytest.approx(scores_P[order].tolist(), abs=1e-4)
    assert found.passages[0].text == TEXTS["bread"]
    assert found.passages[0].score != pytest.approx(base.passages[0].score, abs=1e-4)

    began = time.monotonic()
    again = playground.answer(project_id, [f"{model_id}/base", model_id], "Which button starts it?", 2)
    assert time.monotonic() - began < first_s, "models and passages stay loaded"
    assert [len(answer.passages) for answer in again] == [2, 2]
    status = playground.status()
    assert status is not None
    assert status.num_answers == before + 2
    assert {"bundled/all-MiniLM-L6-v2", model_id} <= set(status.models)


def test_new_passages_are_searched_at_once(project_id: str) -> None:
    assert playground.answer(project_id, ["base"], "apples")[0].num_searched == len(TEXTS)
    from finetune_core.records import Passage
    from finetune_core.storage import database, documents

    with database.writing() as connection:
        documents.insert_passages(connection, project_id, "", [Passage("new", "A pear is no apple.", "new")])
    answer = playground.answer(project_id, ["base"], "Is a pear an apple?")[0]
    assert (answer.num_searched, answer.passages[0].id) == (len(TEXTS) + 1, "new")


def test_two_tabs_ask_at_once_and_share_one_process(project_id: str, tuned: tuple[str, Path]) -> None:
    model_id, _ = tuned
    found: dict[str, str] = {}

    def ask(question: str) -> None:
        found[question] = playground.answer(project_id, [f"{model_id}/base", model_id], question)[1].passages[0].id

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


def test_altered_weights_are_refused_by_name(project_id: str, tuned: tuple[str, Path]) -> None:
    model_id, folder = tuned
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ArtefactError, match=r"model\.safetensors was altered"):
        playground.answer(project_id, [model_id], "apples")
    assert playground.answer(project_id, [f"{model_id}/base"], "apples")[0].passages, (
        "one bad model ends one answer only"
    )


def test_a_deleted_model_is_forgotten(project_id: str, tuned: tuple[str, Path]) -> None:
    model_id, _ = tuned
    playground.answer(project_id, [model_id], "apples")
    models.delete(model_id)
    status = playground.status()
    assert status is not None
    assert model_id not in status.models
    with pytest.raises(ArtefactError, match="deleted"):
        playground.answer(project_id, [model_id], "apples")


def test_only_one_serves_a_home(project_id: str) -> None:
    playground.answer(project_id, ["base"], "apples")
    before = num_answers()
    serve = [sys.executable, "-m", "finetune_core", "serve", "--idle-s", "600"]
    assert subprocess.run(serve, timeout=300, check=False).returncode == 0, "the second leaves at once"
    playground.answer(project_id, ["base"], "pears")
    assert num_answers() == before + 1, "the first goes on"


def test_a_wrong_token_gets_no_reply(project_id: str) -> None:
    playground.answer(project_id, ["base"], "apples")
    address = serving_client.living()
    assert address is not None
    assert oct(serving_client.address_file().stat().st_mode)[-3:] == "600"
    for token in ("", "x" * len(address.token)):
        with socket.create_connection(("127.0.0.1", address.port), timeout=60) as connection:
            connection.sendall(json.dumps({"token": token, "operation": "status"}).encode() + b"\n")
            assert connection.recv(100) == b""
    assert playground.status() is not None
