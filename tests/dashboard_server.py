"""A dashboard of its own for tests and benchmarks: own home, own port, started by the documented command."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT_S = 180.0


@dataclass(frozen=True)
class Dashboard:
    """A running server: where it listens, what it printed, and how long it took to be healthy."""

    url: str
    port: int
    home: Path
    log: Path
    process: subprocess.Popen
    healthy_after_s: float


@contextmanager
def dashboard(home: Path, extra: Mapping[str, str] | None = None) -> Iterator[Dashboard]:
    """Start `streamlit run app.py` on a free port, wait until it is healthy, and end it afterwards."""
    home.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), home / "dashboard.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AYAR_", "STREAMLIT_"))}
    environment |= {"AYAR_HOME": str(home), "HF_HUB_OFFLINE": "1", "STREAMLIT_SERVER_HEADLESS": "true", **(extra or {})}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    started = time.monotonic()
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stream, stderr=subprocess.STDOUT)
    try:
        _wait_until_healthy(port, process, log)
        yield Dashboard(f"http://127.0.0.1:{port}", port, home, log, process, time.monotonic() - started)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        end_detached(home)


def end_detached(home: Path) -> None:
    """End the workers that were started for `home`, registered or not yet: no other process has that home."""
    for process in psutil.process_iter():
        try:
            if "finetune_core" in process.cmdline() and process.environ().get("AYAR_HOME") == str(home):
                process.kill()
                process.wait(10)
        except psutil.Error:
            continue


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(port: int, process: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise AssertionError(f"the dashboard ended: {log.read_text(errors='replace')[-2000:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=20) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"not healthy after {START_TIMEOUT_S} s: {log.read_text(errors='replace')[-2000:]}")
