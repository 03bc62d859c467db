"""Talking to the process that answers Playground questions: where it is, starting it, asking it, ending it.

It listens on loopback, on a port and with a token that stand in `serve.json` in the home folder, readable by its owner
only. A request is one line of JSON, the reply any number of lines with news and one with `result` or `error`. News are
`{"progress": ..., "message": ...}`, or `{"said": ..., "id": ..., "num_kept": ...}`: what a contender says behind the first
`num_kept` characters of what it had said until then.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune_core import errors
from finetune_core.errors import FinetuneError, ProviderError
from finetune_core.jobs import supervisor
from finetune_core.storage import database

START_TIMEOUT_S = 60.0  # two seconds as a rule; a machine that trains may take longer
SILENCE_TIMEOUT_S = 120.0  # the process says something every few seconds while it works
OnProgress = Callable[[float, str], None]
"""Is told of the share done (0 to 1) and what is being done. From any thread; raises where nobody listens any more."""
OnSaid = Callable[[str, str], None]
"""Is told of a contender's id and all that it has said so far; else as `OnProgress`."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the process listens, and which process it is."""

    pid: int
    process_started: float
    port: int
    token: str


def address_file() -> Path:
    """The file that names port and token."""
    return database.home() / "serve.json"


def log_file() -> Path:
    """What the process printed."""
    return database.home() / "serve.log"


def living() -> Address | None:
    """The address of the process if it is alive, else None."""
    with suppress(OSError, ValueError, TypeError):
        address = Address(**json.loads(address_file().read_text(encoding="utf-8")))
        if supervisor.is_process_alive(address.pid, address.process_started):
            return address
    return None


def call(
    operation: str,
    *,
    start: bool = True,
    on_progress: OnProgress | None = None,
    on_said: OnSaid | None = None,
    **request: Any,
) -> Any:
    """Ask the process and return its result; None if it is not alive and `start` is False.

    What `on_progress` and `on_said` raise ends the question, and the work for it. Raises the FinetuneError that the process
    met, or ProviderError if it cannot be started, falls silent or dies.
    """
    try:
        connected = _connected(start)
        if connected is None:
            return None
        address, connection = connected
        with connection:
            line = json.dumps({"token": address.token, "operation": operation, **request})
            connection.sendall(line.encode() + b"\n")
            with connection.makefile("r", encoding="utf-8") as replies:
                return _reply(replies, on_progress, on_said)
    except TimeoutError as error:
        raise ProviderError(
            f"The Playground's process said nothing for {SILENCE_TIMEOUT_S:.0f} s.",
            hint="Stop it on the Settings page, then ask again.",
            retryable=True,
        ) from error
    except OSError as error:
        raise _died() from error


def stop() -> bool:
    """End the process and free its memory; False if there was none. The next question starts it again.

    Returns once it is gone, killed if it does not go within five seconds.
    """
    import psutil

    address = living()
    if address is None:
        return False
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(address.pid)
        process.terminate()
        if not _is_gone_within(address, 5):
            process.kill()
            _is_gone_within(address, 5)
    return True


def _is_gone_within(address: Address, timeout_s: float) -> bool:
    """Waits; a zombie, whose parent was not told yet, is gone: it holds no memory and answers nobody."""
    deadline = time.monotonic() + timeout_s
    while supervisor.is_process_alive(address.pid, address.process_started):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def release(model_id: str) -> None:
    """Have the process forget a model, if it is alive. Raises ArtefactError while it answers with that model."""
    with suppress(ProviderError):  # a process that died holds nothing
        call("release", start=False, model_id=model_id)


def _connected(start: bool) -> tuple[Address, socket.socket] | None:
    """Reach the process; None if it is not alive and `start` is False.

    One that is about to end is still alive when it no longer listens. It has heard nothing, so its successor is asked.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        address = living()
        if address is None:
            if not start:
                return None
            address = _started()
        try:
            return address, socket.create_connection(("127.0.0.1", address.port), timeout=SILENCE_TIMEOUT_S)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _reply(lines: Iterator[str], on_progress: OnProgress | None, on_said: OnSaid | None) -> Any:
    texts: dict[str, str] = {}
    for line in lines:
        reply = json.loads(line)
        if "result" in reply:
            return reply["result"]
        if error := reply.get("error"):
            raise _known_error(error)
        if "said" in reply:
            text = texts[reply["id"]] = texts.get(reply["id"], "")[: reply["num_kept"]] + reply["said"]
            if on_said:
                on_said(reply["id"], text)
        elif on_progress:
            on_progress(reply["progress"], reply["message"])
    raise _died()


def _known_error(error: dict[str, str]) -> FinetuneError:
    kind = getattr(errors, error["kind"], FinetuneError)
    assert issubclass(kind, FinetuneError)
    return kind(error["message"], hint=error["hint"])


def _died() -> ProviderError:
    return ProviderError(
        "The Playground's process ended before it had answered.",
        hint=f"Ask again: it starts afresh. If that happens again, see {log_file()}.",
        retryable=True,
    )


def _started() -> Address:
    """Start the process and wait until it listens. Two callers at once get the same one: the later process leaves."""
    try:
        supervisor.start_detached([sys.executable, "-m", "finetune_core", "serve"], log_file())
    except (OSError, subprocess.SubprocessError) as error:
        raise ProviderError(
            f"The Playground's process could not be started: {error}.", hint="Free some memory and try again."
        ) from error
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if address := living():
            return address
        time.sleep(0.05)
    raise ProviderError(
        f"The Playground's process did not start within {START_TIMEOUT_S:.0f} s.",
        hint=f"See {log_file()}, then try again.",
    )


def publish(port: int, token: str) -> None:
    """Say where this process listens (called by the process itself)."""
    import psutil

    address = {"pid": os.getpid(), "process_started": psutil.Process().create_time(), "port": port, "token": token}
    partial = address_file().with_suffix(".part")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        json.dump(address, stream)
    partial.replace(address_file())
