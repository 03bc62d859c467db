"""Parsing in a process of its own, so that a file that hangs, crashes or eats memory takes nothing else with it."""

import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from finetune_core.corpus.parsed import Limits, Parsed
from finetune_core.errors import CorpusError, StorageError

POLL_S = 0.5
PREFIX = "ayar-parse-"
COMMAND = (sys.executable, "-m", "finetune_core.corpus.parser_process")


class ParserProcess:
    """Parses files one after the other in one child process, which is replaced when it had to be killed.

    Use as a context manager; leaving it ends the child. What the child hands over lies below `folder`, or below the
    system's temporary folder; a job gives its own, so that what a killed one leaves is found and goes with the job.
    """

    def __init__(
        self, limits: Limits | None = None, command: Sequence[str] = COMMAND, folder: Path | None = None
    ) -> None:
        self.limits = limits or Limits()
        self._command = command
        self._child: subprocess.Popen[bytes] | None = None
        for left in folder.glob(f"{PREFIX}*") if folder else ():
            shutil.rmtree(left, ignore_errors=True)
        self._folder = tempfile.TemporaryDirectory(prefix=PREFIX, dir=folder)

    def __enter__(self) -> "ParserProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._folder.cleanup()

    def parse(self, path: Path, name: str, checkpoint: Callable[[], None] = lambda: None) -> Parsed:
        """The text of the file at `path`; `checkpoint` is called at least once a second meanwhile.

        Raises CorpusError with the reason for a file that is refused, also if the parser hung or died over it, and
        StorageError if the disk of the temporary folder is full.
        """
        result = Path(self._folder.name) / "result.json"
        result.unlink(missing_ok=True)
        request = {"path": str(path), "name": name, "limits": asdict(self.limits), "result": str(result)}
        try:
            state = self._ask(request, checkpoint)
        except BaseException:
            self._end()  # interrupted: the child still works on this file
            raise
        if state == "hung":
            raise CorpusError(
                f"Reading it took more than {self.limits.timeout_s:g} s.",
                hint="Split the file into smaller ones, or save it in another format.",
            )
        if state == "died":
            raise CorpusError(
                "The parser crashed or ran out of memory over it.",
                hint="Save it in another format, for example as plain text, and add that.",
            )
        if state == "full":
            raise StorageError(
                f"The disk is full: {self._folder.name} took no more while {name} was read.",
                hint="Free some space there, then resume.",
            )
        answer = json.loads(result.read_text("utf-8"))
        if "refused" in answer:
            raise CorpusError(answer["refused"], hint=answer["hint"])
        return Parsed.from_json(answer["parsed"])

    def _ask(self, request: dict[str, Any], checkpoint: Callable[[], None]) -> str:
        """ "done", "full", "hung" or "died"; the child is gone after all but the first."""
        child = self._running()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()
        except BrokenPipeError:
            self._end()
            return "died"
        state = self._listen(child.stdout, checkpoint)
        if state != "done":
            self._end()
        return state

    def _listen(self, answers: IO[bytes], checkpoint: Callable[[], None]) -> str:
        """Each page that was read gives the file its full time again, so that long documents are not taken for hung."""
        deadline = time.monotonic() + self.limits.timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(answers, selectors.EVENT_READ)
            while time.monotonic() < deadline:
                checkpoint()
                if not selector.select(POLL_S):
                    continue
                word = answers.readline()
                if word == b"alive\n":
                    deadline = time.monotonic() + self.limits.timeout_s
                else:
                    return {b"done\n": "done", b"full\n": "full"}.get(word, "died")
        return "hung"

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._child is None or self._child.poll() is not None:
            self._end()
            root = str(Path(__file__).resolve().parents[2])
            paths = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
            keep = {
                name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR") if name in os.environ
            }
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,  # a buffered reader would swallow lines that select() then never sees
                stderr=subprocess.DEVNULL,
                env={**keep, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},  # no keys: it reads what strangers wrote
            )
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
