"""Measured speeds: kept, preferred over guesses, and never worth a failed job."""

import errno
import json
import time
from pathlib import Path

import numpy as np
import pytest

from finetune_core.training import speeds
from finetune_core.training.speeds import TimedEmbedder


def test_the_median_of_the_last_measurements_counts(tmp_path: Path) -> None:
    assert speeds.tokens_per_s(tmp_path, "m", "embedding") is None
    for tokens in (100, 9_000, 100, 200, 300, 400):  # the first falls out
        speeds.record(tmp_path, "m", "embedding", tokens * 10, 10.0)
    assert speeds.tokens_per_s(tmp_path, "m", "embedding") == (300.0, 5)
    assert speeds.tokens_per_s(tmp_path, "m", "embedding", threads=99) is None
    assert speeds.tokens_per_s(tmp_path, "m", speeds.ENCODE) is None
    assert speeds.tokens_per_s(tmp_path, "other", "embedding") is None


def test_what_is_too_short_says_nothing(tmp_path: Path) -> None:
    speeds.record(tmp_path, "m", "embedding", 1000, speeds.MIN_SECONDS / 2)
    speeds.record(tmp_path, "m", "embedding", 0, 10.0)
    assert speeds.tokens_per_s(tmp_path, "m", "embedding") is None


def test_a_probe_on_a_busy_machine_is_made_again_and_the_best_of_a_day_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([5.0, 50.0, 20.0, 10.0])
    probe = lambda: next(found)  # noqa: E731
    clock = time.time()
    monkeypatch.setattr(speeds.time, "time", lambda: clock)
    assert speeds.machine_flops(tmp_path, 1, probe) == 5.0
    assert speeds.machine_flops(tmp_path, 1, probe) == 5.0  # still fresh
    clock += speeds.PROBE_S + 1
    assert speeds.machine_flops(tmp_path, 1, probe) == 50.0
    clock += speeds.PROBE_S + 1
    assert speeds.machine_flops(tmp_path, 1, probe) == 50.0  # busy again: the machine did not change
    clock += speeds.PROBE_KEPT_S + 1
    assert speeds.machine_flops(tmp_path, 1, probe) == 10.0  # nobody knows what it was yesterday


def test_a_real_probe_is_quick_and_plausible(tmp_path: Path) -> None:
    started = time.monotonic()
    one = speeds.machine_flops(tmp_path, 1)
    assert 1e8 < one < 1e16
    assert speeds.machine_flops(tmp_path, 3) == 3 * one
    assert time.monotonic() - started < 60


def test_a_damaged_file_or_a_full_disk_costs_nothing_but_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / speeds.FILE_NAME).write_text("[1, 2")
    assert speeds.tokens_per_s(tmp_path, "m", "embedding") is None
    speeds.record(tmp_path, "m", "embedding", 1000, 10.0)
    assert speeds.tokens_per_s(tmp_path, "m", "embedding") == (100.0, 1)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = (tmp_path / speeds.FILE_NAME).read_text()
    monkeypatch.setattr(Path, "write_text", full)
    speeds.record(tmp_path, "m", "embedding", 5000, 10.0)
    assert (tmp_path / speeds.FILE_NAME).read_text() == before
    assert json.loads(before)
    assert [path.name for path in tmp_path.iterdir()] == [speeds.FILE_NAME]


def test_a_timed_embedder_counts_the_work_and_passes_everything_through() -> None:
    class Slow:
        fingerprint = "slow"
        is_symmetric = True

        def encode_passages(self, texts, checkpoint=None):
            time.sleep(0.05 * len(texts))
            return np.ones((len(texts), 2), np.float32)

        encode_queries = encode_passages

    timed = TimedEmbedder(Slow(), lambda texts: [len(text) for text in texts])
    assert timed.encode_passages(["abc", "de"]).shape == (2, 2)
    assert timed.encode_queries(["f"]).shape == (1, 2)
    assert (timed.num_tokens, timed.fingerprint, timed.is_symmetric) == (6, "slow", True)
    assert 0.14 < timed.seconds < 60
