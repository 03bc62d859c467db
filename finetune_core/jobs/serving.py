"""`python -m finetune_core serve`: the process that answers Playground questions.

It is started on demand, keeps the last models warm, and leaves after five idle minutes. One for each home folder, held by
a lock file. `serving_client` has the other end of the protocol.
"""

import fcntl
import hmac
import json
import secrets
import signal
import socketserver
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from finetune_core.errors import FinetuneError
from finetune_core.jobs import serving_client
from finetune_core.jobs.warm_models import WarmModels
from finetune_core.storage import database

IDLE_S = 300.0
MAX_LINE_BYTES = 1_000_000


def serve(idle_s: float = IDLE_S) -> None:
    """Answer questions until nobody asked for `idle_s` seconds. Returns at once if another process does so already."""
    with (database.home() / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        with _Server(idle_s) as server:
            signal.signal(signal.SIGTERM, lambda *_: server.leave())
            serving_client.publish(server.server_address[1], server.token)
            server.serve_forever(poll_interval=0.2)
        serving_client.address_file().unlink(missing_ok=True)


class _ClientLeftError(Exception):
    """Whoever asked closed the connection: the work for that answer ends."""


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, idle_s: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.token = secrets.token_urlsafe(32)
        self.models = WarmModels()
        self.started_at = database.now()
        self.num_answers = 0
        self._idle_s = idle_s
        self._busy = 0
        self._last = time.monotonic()
        self._lock = threading.Lock()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep the process from leaving meanwhile."""
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1
                self._last = time.monotonic()

    def idle_s(self) -> float:
        """Seconds since the last question; 0 while one is being answered."""
        return 0.0 if self._busy else time.monotonic() - self._last

    def service_actions(self) -> None:
        """Called by `serve_forever` several times a second."""
        if self.idle_s() > self._idle_s:
            self.leave()

    def leave(self) -> None:
        """End `serve_forever`, from whatever thread this is called."""
        threading.Thread(target=self.shutdown, daemon=True).start()

    def prepare(self, request: dict[str, Any]) -> None:
        """Load models in the background; what fails is told when somebody asks."""

        def load() -> None:
            with self.busy(), suppress(FinetuneError):
                self.models.prepare(request["project_id"], request["model_ids"])

        threading.Thread(target=load, daemon=True).start()

    def status(self) -> dict[str, Any]:
        """What the process holds and how long it has been idle."""
        return {
            "started_at": self.started_at,
            "models": self.models.names(),
            "num_answers": self.num_answers,
            "idle_s": self.idle_s(),
            "leaves_after_s": self._idle_s,
        }


class _Handler(socketserver.StreamRequestHandler):
    server: _Server
    timeout = 10.0  # for the request line; a client that connects and says nothing holds no thread for long

    def handle(self) -> None:
        self._sending, self._said = threading.Lock(), dict[str, str]()
        try:
            request = json.loads(self.rfile.readline(MAX_LINE_BYTES))
            if not hmac.compare_digest(str(request.pop("token", "")), self.server.token):
                return
            operation = request.pop("operation")
        except (ValueError, KeyError, AttributeError, TypeError, OSError):
            return
        with suppress(OSError, _ClientLeftError):  # nobody is there to be told
            self._send(self._answer(operation, request))

    def _answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"result": self._do(operation, request)}
        except FinetuneError as error:
            return {"error": {"kind": type(error).__name__, "message": error.message, "hint": error.hint}}
        except _ClientLeftError:
            raise
        except Exception as error:  # the second place that catches everything: a bug ends one answer, not the process
            traceback.print_exc()
            sys.stderr.flush()
            message = f"This is a bug: {type(error).__name__}: {error}"
            hint = f"The traceback is in {serving_client.log_file()}; please report it."
            return {"error": {"kind": "FinetuneError", "message": message, "hint": hint}}

    def _do(self, operation: str, request: dict[str, Any]) -> Any:
        if operation == "status":
            return self.server.status()
        if operation == "release":
            return self.server.models.release(request["model_id"])
        if operation == "prepare":
            return self.server.prepare(request)
        assert operation == "answer", operation
        with self.server.busy():
            answers = self.server.models.answer(
                request["project_id"], request["model_ids"], request["input"], self._tell_progress, self._tell_said
            )
            self.server.num_answers += 1
            return answers

    def _tell_progress(self, fraction: float, message: str) -> None:
        self._tell({"progress": fraction, "message": message})

    def _tell_said(self, contender_id: str, text: str) -> None:
        """Only what is new: a long answer is not sent again with each of its words."""
        known = self._said.get(contender_id, "")
        num_kept = len(known) if text.startswith(known) else 0
        self._said[contender_id] = text
        self._tell({"said": text[num_kept:], "id": contender_id, "num_kept": num_kept})

    def _tell(self, news: dict[str, Any]) -> None:
        try:
            self._send(news)
        except OSError as error:
            raise _ClientLeftError from error

    def _send(self, reply: dict[str, Any]) -> None:
        with self._sending:  # several threads may tell news
            self.wfile.write(json.dumps(reply, ensure_ascii=False).encode() + b"\n")
