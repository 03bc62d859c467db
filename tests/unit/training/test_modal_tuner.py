"""The tuner at Modal, with its function run in this process: same settings, same artefact, and nothing sent twice."""

import json
import shutil
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import modal
import pytest
import torch
from safetensors.torch import load_file

from finetune_core.errors import JobCancelled, ProviderError, StopRequested, TrainingError
from finetune_core.training import modal_container, modal_tuner
from finetune_core.training.chat_config import ChatTuningConfig
from finetune_core.training.conversations import Conversation
from finetune_core.training.local_tuner import train_adapter
from finetune_core.training.modal_container import Order, call_key, request_key
from finetune_core.training.modal_tuner import ModalPlace, explained, train_on_modal, tuning_function
from tests.training_fixtures import TINY_CHAT_CONFIG, RecordedRun, memorable_conversations

pytestmark = pytest.mark.filterwarnings("ignore:The tune function is executing locally")
LEARNED = memorable_conversations()
SHORT = {**TINY_CHAT_CONFIG, "epochs": 2, "evaluations": 2, "tuner": "modal"}


class ThisProcess:
    """Runs Modal's function in a thread, with a folder for the volume and a dictionary for the mailbox."""

    def __init__(self, config: ChatTuningConfig, volume: Path) -> None:
        self.function = tuning_function(config)[1]
        self.volume, self.mailbox = volume, dict[str, Any]()
        self.threads: dict[str, threading.Thread] = {}
        self.returned: dict[str, dict[str, Any]] = {}
        self.cancelled: list[str] = []

    def send(self, order: Order) -> str:
        call_id = f"fc-{len(self.threads)}"
        self.mailbox[call_key(order.name)] = call_id
        values = json.loads(json.dumps(asdict(order)))

        def work() -> None:
            self.returned[call_id] = self.function.local(values, str(self.volume), self.mailbox)

        self.threads[call_id] = threading.Thread(target=work)
        self.threads[call_id].start()
        return call_id

    def outcome(self, call_id: str, wait_s: float) -> dict[str, Any] | None:
        self.threads[call_id].join(min(wait_s, 0.05))
        assert self.threads[call_id].is_alive() or call_id in self.returned, "it died"
        return self.returned.get(call_id)

    def cancel(self, call_id: str) -> None:
        self.cancelled.append(call_id)

    def fetch(self, folder: str, target: Path) -> None:
        shutil.copytree(self.volume / folder, target, dirs_exist_ok=True)

    def put_model(self, folder: Path) -> str:
        return str(folder)


@pytest.fixture
def config(tiny_chat: str, monkeypatch: pytest.MonkeyPatch) -> ChatTuningConfig:
    monkeypatch.setattr(modal_container, "TELL_S", 0.0)
    torch.set_num_threads(1)
    return ChatTuningConfig(base_model=tiny_chat, **SHORT)


def test_it_gives_the_adapter_and_the_curves_of_the_local_tuner(config: ChatTuningConfig, tmp_path: Path) -> None:
    there, here = RecordedRun(tmp_path / "there"), RecordedRun(tmp_path / "here")
    place = ThisProcess(config, tmp_path / "volume")
    sent = train_on_modal(LEARNED, LEARNED[:4], config, there, place)
    local = train_adapter(LEARNED, LEARNED[:4], config.model_copy(update={"tuner": "local"}), here)
    one, other = (load_file(folder / "adapter_model.safetensors") for folder in (sent.folder, local.folder))
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    for name in ("loss", "validation_loss", "learning_rate"):
        assert there.metrics[name] == here.metrics[name]
    assert sent.facts["best_step"] == local.facts["best_step"]
    assert (sent.facts["gpu"], sent.facts["modal_call"]) == ("A10G", "fc-0")


def test_who_starts_again_finds_the_training_and_reads_on(config: ChatTuningConfig, tmp_path: Path) -> None:
    class DiedError(Exception):
        pass

    run, place = RecordedRun(tmp_path / "run"), ThisProcess(config, tmp_path / "volume")
    log = run.log

    def dying_log(step: int, **metrics: float) -> None:
        if step == 3:
            raise DiedError
        log(step, **metrics)

    run.log = dying_log  # type: ignore[method-assign]
    with pytest.raises(DiedError):
        train_on_modal(LEARNED, LEARNED[:4], config, run, place)
    run.log = log  # type: ignore[method-assign]
    run.facts.pop("modal_call")  # it died before it could note the answer, even
    train_on_modal(LEARNED, LEARNED[:4], config, run, place)
    assert len(place.threads) == 1
    assert [step for step, _ in run.metrics["loss"]] == list(range(1, 9))


def test_a_stop_keeps_the_best_and_a_cancel_ends_the_call(config: ChatTuningConfig, tmp_path: Path) -> None:
    long = config.model_copy(update={"epochs": 50})
    run = RecordedRun(tmp_path / "stopped")
    run.stop_at = 2
    trained = train_on_modal(LEARNED, LEARNED[:4], long, run, ThisProcess(long, tmp_path / "volume"))
    assert trained.facts["stopped"]
    assert trained.facts["last_step"] < 200
    assert (trained.folder / "adapter_model.safetensors").is_file()
    run, place = RecordedRun(tmp_path / "cancelled"), ThisProcess(long, tmp_path / "volume")
    run.cancel_at = 2
    with pytest.raises(JobCancelled):
        train_on_modal(LEARNED, LEARNED[:4], long, run, place)
    assert place.mailbox[request_key(run.facts["vendor_name"])] == modal_container.CANCEL
    place.threads["fc-0"].join()
    assert place.returned == {"fc-0": {"cancelled": True}}
    assert place.cancelled == ["fc-0"]


def test_a_stop_before_there_is_anything_to_keep_keeps_nothing(config: ChatTuningConfig, tmp_path: Path) -> None:
    run, place = RecordedRun(tmp_path), ThisProcess(config, tmp_path / "volume")
    run.remember(vendor_name="asked-early")
    place.mailbox[request_key("asked-early")] = modal_container.STOP
    with pytest.raises(StopRequested):
        train_on_modal(LEARNED, LEARNED[:4], config, run, place)
    assert not (run.workdir / "adapter").exists()


def test_what_went_wrong_there_is_said_here(config: ChatTuningConfig, tmp_path: Path) -> None:
    short = config.model_copy(update={"max_tokens": 32})
    long = [Conversation("l", ({"role": "user", "content": "word " * 99},), LEARNED[0].response)]
    with pytest.raises(TrainingError, match="None of the 1 training examples fits into 32 tokens") as caught:
        train_on_modal(long, (), short, RecordedRun(tmp_path), ThisProcess(short, tmp_path / "volume"))
    assert caught.value.hint == "Raise the longest example (tokens)."


def test_without_the_package_or_credentials_the_next_step_is_said(
    config: ChatTuningConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODAL_CONFIG_PATH", str(tmp_path / "none.toml"))
    with pytest.raises(ProviderError) as refused, explained():
        raise modal.exception.AuthError("Token missing.")
    assert (refused.value.message, refused.value.hint) == ("Modal refused: Token missing.", "Run: modal setup")
    with pytest.raises(ProviderError) as broken, explained():
        raise modal.exception.ConnectionError("no route")
    assert broken.value.retryable
    with pytest.raises(ProviderError, match="Modal says: FunctionTimeoutError"), explained():
        raise modal.exception.FunctionTimeoutError
    monkeypatch.setitem(sys.modules, "modal", None)
    with pytest.raises(ProviderError) as missing:
        ModalPlace(config)
    assert missing.value.hint == f"Install it: {modal_tuner.INSTALL}"
