"""How fast this machine was: measured once for each piece of real work, kept as JSON, so that estimates are not guesses.

`speeds.json` in the home folder holds, for each base model and number of threads, the tokens per second of the last
trainings by each recipe and of the last encodings, and the last probes of the machine. Losing the file loses nothing
but precision.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from finetune_core.providers.embedder import Checkpoint, Embedder, Vectors

FILE_NAME = "speeds.json"
MIN_SECONDS = 3.0  # shorter work says more about starting up than about speed
NUM_KEPT = 5
PROBE_S = 600.0  # a probe older than this is made again …
PROBE_KEPT_S = 86_400.0  # … and a better one of the last day still counts: a machine is no slower for being busy then


ENCODE = "encode"
"""The work of encoding texts alone; that of training steps goes by the name of the recipe."""


def record(folder: Path, base_model: str, work: str, num_tokens: int, seconds: float, threads: int = 0) -> None:
    """Keep one measurement in `folder`; work shorter than `MIN_SECONDS`, and a full disk, are passed over."""
    if seconds < MIN_SECONDS or num_tokens < 1:
        return
    known = _read(folder)
    models = known.setdefault("tokens_per_s", {})
    key = _key(base_model, work, threads)
    models[key] = [*models.get(key, []), num_tokens / seconds][-NUM_KEPT:]
    _write(folder, known)


def tokens_per_s(folder: Path, base_model: str, work: str, threads: int = 0) -> tuple[float, int] | None:
    """The median of the last measurements and how many there are, or None if nothing was timed yet."""
    values = _read(folder).get("tokens_per_s", {}).get(_key(base_model, work, threads)) or []
    return (float(median(values)), len(values)) if values else None


def machine_flops(folder: Path, threads: int = 0, probe: Callable[[], float] | None = None) -> float:
    """Floating-point operations per second of float32 matrix products on this machine's cores, or `threads` of them.

    Probed again when that is old. Of the probes of a day the best counts: other work can only make a machine look slower
    than it is.
    """
    known, now = _read(folder), time.time()
    probes = [(at, value) for at, value in known.get("probes", []) if 0 <= now - at < PROBE_KEPT_S]
    if not probes or now - max(at for at, _ in probes) > PROBE_S:
        probes.append((now, (probe or _probe)()))
        _write(folder, _read(folder) | {"probes": probes[-50:]})
    return float((threads or os.cpu_count() or 1) * max(value for _, value in probes))


def _probe(num_bursts: int = 200) -> float:
    """One core's speed: the quickest of many bursts of a tenth of a millisecond, spread over half a second.

    So short, and with matrices so small that one thread multiplies them, some fall between the work of others: on two
    cores with ten processes waiting, the quickest burst was 13 % slower than on idle ones, a whole second 20 times.
    """
    matrix = np.ones((96, 96), np.float32)
    shortest = np.inf
    for _ in range(num_bursts):
        started = time.perf_counter()
        for _ in range(5):
            matrix @ matrix
        shortest = min(shortest, time.perf_counter() - started)
        time.sleep(0.002)
    return 5 * 2 * 96**3 / shortest


class TimedEmbedder:
    """An embedder that adds up what it encodes; put it behind the cache, so that only real work counts.

    `count` gives the tokens of each text as the model reads them. The time it takes to load the model is left out.
    """

    def __init__(self, embedder: Embedder, count: Callable[[Sequence[str]], list[int]]) -> None:
        self.embedder = embedder
        self.is_symmetric = getattr(embedder, "is_symmetric", False)
        self.num_tokens = 0
        self.seconds = 0.0
        self._count = count

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the wrapped embedder."""
        return self.embedder.fingerprint

    def encode_queries(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
        """Vectors (Q, D) of the wrapped embedder, timed."""
        return self._timed(self.embedder.encode_queries, texts, checkpoint)

    def encode_passages(self, texts: Sequence[str], checkpoint: Checkpoint | None = None) -> Vectors:
        """Vectors (P, D) of the wrapped embedder, timed."""
        return self._timed(self.embedder.encode_passages, texts, checkpoint)

    def _timed(self, encode: Callable[..., Vectors], texts: Sequence[str], checkpoint: Checkpoint | None) -> Vectors:
        encode([], checkpoint)  # loads the model
        started = time.perf_counter()
        vectors = encode(texts, checkpoint)
        self.seconds += time.perf_counter() - started
        self.num_tokens += sum(self._count(texts))
        return vectors


def _key(base_model: str, work: str, threads: int) -> str:
    return f"{work} {base_model} on {threads or os.cpu_count()} threads"


def _read(folder: Path) -> dict[str, Any]:
    try:
        known = json.loads((folder / FILE_NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(folder: Path, known: dict[str, Any]) -> None:
    partial = folder / f"{FILE_NAME}.{os.getpid()}.part"
    with suppress(OSError):  # an estimate is not worth a failed job
        try:
            partial.write_text(json.dumps(known), "utf-8")
            partial.replace(folder / FILE_NAME)
        finally:
            partial.unlink(missing_ok=True)
