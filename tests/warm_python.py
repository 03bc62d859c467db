"""New processes without the seconds that loading the libraries takes: a Python that has loaded them forks for each script.

What a script finds is what a new interpreter would give it: its own `__main__`, environment, arguments and folder, no thread and
nothing open. Only that the modules it imports are loaded already makes the difference.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SERVER = """
import gc, importlib, json, os, runpy, sys, threading
for name in sys.argv[1:]:
    importlib.import_module(name)
assert threading.active_count() == 1, "a thread would be missing after the fork"
gc.freeze()
for line in sys.stdin:
    order = json.loads(line)
    if "wait" in order:
        print(os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1]), flush=True)
        continue
    pid = os.fork()
    if not pid:
        break
    print(pid, flush=True)
else:
    sys.exit()
for number, (path, flags) in enumerate([(os.devnull, os.O_RDONLY), *((path, os.O_WRONLY) for path in order["output"])]):
    os.dup2(os.open(path, flags), number)
os.chdir(order["folder"])
os.environ.clear()
os.environ.update(order["environment"])
sys.argv[1:] = order["arguments"]
runpy.run_path(order["script"], run_name="__main__")
"""


@dataclass
class Forked:
    """A script that runs or has run; `wait` for what `returncode`, `stdout` and `stderr` say."""

    server: "WarmPython"
    pid: int
    folder: tempfile.TemporaryDirectory[str]
    returncode: int | None = None
    stdout: str = ""
    stderr: str = ""

    def kill(self) -> None:
        """End it as `kill -9` does."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout_s: float = 300) -> "Forked":
        """Itself, ended; raises TimeoutError, having killed it, if that takes longer."""
        if self.returncode is None:
            self.returncode = self.server.ended(self.pid, timeout_s)
            self.stdout, self.stderr = (Path(self.folder.name, name).read_text("utf-8") for name in ("out", "err"))
            self.folder.cleanup()
        return self


class WarmPython:
    """A Python that waits with loaded modules, in `folder`; `options` are the interpreter's, as `-I`."""

    def __init__(self, modules: Sequence[str], options: Sequence[str] = (), folder: Path | None = None) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.folder = folder or Path.cwd()
        self.process = subprocess.Popen(
            [sys.executable, *options, "-c", _SERVER, *modules], cwd=self.folder, text=True,
            env=environment | {"OMP_NUM_THREADS": "1"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def start(
        self, code: str, *arguments: str, environment: dict[str, str] | None = None, folder: Path | None = None
    ) -> Forked:
        """Start `code` in a process of its own, in this process's environment and the server's folder if none is given."""
        own = tempfile.TemporaryDirectory()
        script, *output = (Path(own.name, name) for name in ("script.py", "out", "err"))
        for path, content in zip((script, *output), (code, "", ""), strict=True):
            path.write_text(content, "utf-8")
        order = {
            "script": str(script), "output": [str(path) for path in output], "arguments": arguments,
            "environment": dict(os.environ if environment is None else environment), "folder": str(folder or self.folder),
        }  # fmt: skip
        return Forked(self, self._said(order, 120), own)

    def run(self, code: str, *arguments: str, **place: object) -> Forked:
        """As `start`, and wait for its end."""
        return self.start(code, *arguments, **place).wait()  # type: ignore[arg-type]

    def ended(self, pid: int, timeout_s: float) -> int:
        """Its exit code, a signal's as a negative number."""
        return self._said({"wait": pid}, timeout_s)

    def _said(self, order: dict[str, object], timeout_s: float) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], timeout_s)[0]:
            if "wait" in order:
                os.kill(int(str(order["wait"])), signal.SIGKILL)
                self.process.stdout.readline()
            raise TimeoutError(f"{timeout_s} s were not enough for {order}")
        return int(self.process.stdout.readline())


@contextmanager
def warm_python(
    modules: Sequence[str], options: Sequence[str] = (), folder: Path | None = None
) -> Iterator[WarmPython]:
    """A `WarmPython` that leaves at the end."""
    server = WarmPython(modules, options, folder)
    try:
        yield server
    finally:
        server.process.communicate(timeout=60)
