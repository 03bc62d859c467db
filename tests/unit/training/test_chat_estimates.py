"""What tuning a chat model would take, worked out by hand."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from finetune_core.providers.prices import Prices
from finetune_core.recipe import Charge
from finetune_core.training.chat_config import ChatTuningConfig
from finetune_core.training.chat_estimates import BUNDLED_SIZE, USED_SHARE, chat_estimate
from finetune_core.training.conversations import Conversation


class FakeMachine:
    """Knows one service, and as many past runs as it is told."""

    cache = Path("unused")

    def __init__(self, timed: tuple[float, int] | None = None) -> None:
        self.timed = timed

    def tokens_per_s(self, work: str, model: str) -> tuple[float, int] | None:
        return self.timed

    def flops(self) -> float:
        return 1e11

    def service(self, name: str) -> Any:
        return SimpleNamespace(name=name, prices=Prices(0.1, 0.2, "2026-11-01", None, {"gpt": 5.0}))

    def model_folder(self, model_id: str) -> Path:
        raise AssertionError


def conversation(num_tokens: int) -> Conversation:
    """One whose texts are guessed at `num_tokens` tokens with the marks of its two turns."""
    return Conversation(
        "c", ({"role": "user", "content": f"{num_tokens}".ljust(4 * (num_tokens - 10) - 4, "x")},), {"content": "abc"}
    )


def test_the_time_comes_from_past_runs_else_from_a_probe() -> None:
    config = ChatTuningConfig(epochs=2, batch_size=8)
    sample = [conversation(100), conversation(300)]
    timed = chat_estimate("r", sample, 20, config, FakeMachine((400.0, 2)))
    assert timed.seconds == pytest.approx(1.15 * 2 * 20 * 200 / 400)
    assert timed.basis == "the last 2 runs of this base model on this machine"
    assert timed.num_steps == 2 * 3
    probed = chat_estimate("r", sample, 20, config, FakeMachine())
    assert probed.seconds == pytest.approx(1.15 * 8000 * 4 * BUNDLED_SIZE.num_weights / (USED_SHARE * 1e11))
    assert "probe" in probed.basis
    less = chat_estimate("r", sample, 20, config.model_copy(update={"gradient_checkpointing": True}), FakeMachine())
    assert probed.memory_bytes is not None
    assert less.memory_bytes is not None
    assert less.memory_bytes < 0.8 * probed.memory_bytes
    assert probed.disk_bytes is not None
    assert probed.disk_bytes > 4 * BUNDLED_SIZE.num_weights, "the bundled model was not unpacked yet"


def test_what_a_batch_begins_with_is_read_once() -> None:
    system, config = {"role": "system", "content": "y" * 800}, ChatTuningConfig(epochs=1, batch_size=8)
    apart = [conversation(100 + at) for at in range(8)]
    sharing = [Conversation(one.id, (system, *one.messages), one.response) for one in apart]
    without, with_system = (
        chat_estimate("r", sample, 80, config, FakeMachine()).seconds for sample in (apart, sharing)
    )
    assert without is not None
    assert with_system is not None
    # Ten batches each read 200 tokens more, where the examples have 16,000 more.
    assert (with_system - without) / without == pytest.approx(10 * 200 / (80 * 103.5), rel=0.15)


@pytest.mark.parametrize(
    ("num_tokens", "batch_size", "is_recomputed", "measured"),
    [(251, 8, False, 2.65e9), (893, 2, False, 3.78e9), (893, 2, True, 2.26e9)],
)
def test_the_memory_told_is_near_what_was_measured(
    num_tokens: int, batch_size: int, is_recomputed: bool, measured: float
) -> None:
    """Measured: the largest resident size of a whole run of the bundled model, one step, on a processor."""
    config = ChatTuningConfig(batch_size=batch_size, gradient_checkpointing=is_recomputed)
    told = chat_estimate("r", [conversation(num_tokens)] * 4, 20, config, FakeMachine((50.0, 1))).memory_bytes
    assert told == pytest.approx(measured, rel=0.15)
    more = config.model_copy(update={"batch_size": 64})
    assert chat_estimate(
        "r", [conversation(num_tokens)], 20, more, FakeMachine((50.0, 1))
    ).memory_bytes == pytest.approx(told, rel=0.15), "a batch is computed in parts, so its size changes little"


def test_examples_that_are_too_long_count_for_nothing_and_are_said() -> None:
    config = ChatTuningConfig(epochs=1, max_tokens=200, batch_size=1)
    found = chat_estimate("r", [conversation(100), conversation(300)], 20, config, FakeMachine((100.0, 1)))
    assert found.num_steps == 10
    assert found.seconds == pytest.approx(1.15 * 10 * 100 / 100)
    assert found.warnings == ("About 50% of the examples are longer than 200 tokens and are left out.",)


def test_a_service_charges_for_tokens_and_modal_was_never_timed() -> None:
    config = ChatTuningConfig(tuner="openai", service="S", base_model="gpt", epochs=3, max_tokens=32)
    told = Conversation("c", ({"role": "user", "content": "hello world"},), {"content": "Merhaba!"})
    found = chat_estimate("r", [told] * 2, 20, config, FakeMachine())
    # hello, world; a line's end; M, erh, aba, !; five marks for each of two turns: 17 tokens, whatever the longest example is
    assert found.charges == (Charge("S", 0, num_training_tokens=3 * 20 * 17, cost_usd=pytest.approx(5e-6 * 1020)),)
    assert (found.num_steps, found.warnings) == (3 * 2, ())
    other = config.model_copy(update={"base_model": "gpt-other"})
    unknown = chat_estimate("r", [told], 9, other, FakeMachine())
    assert unknown.charges[0].cost_usd is None
    assert unknown.warnings[0] == "The service takes at least 10 training examples; this dataset has 9."
    assert unknown.warnings[1].startswith("No price was entered for training gpt-other at S")
    modal = chat_estimate("r", [conversation(100)], 10, ChatTuningConfig(tuner="modal"), FakeMachine())
    assert modal.seconds is None
    assert "A10G" in modal.basis


def test_nothing_to_learn_from_takes_no_time() -> None:
    found = chat_estimate("r", [], 0, ChatTuningConfig(), FakeMachine((100.0, 1)))
    assert (found.seconds, found.num_steps, found.warnings) == (0.0, 0, ())
