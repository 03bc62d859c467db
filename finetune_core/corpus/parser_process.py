"""The child process in which files are parsed: `python -m finetune_core.corpus.parser_process`.

One JSON request a line on stdin ({"path", "name", "limits", "result"}); the answer is written to the file `result` names,
then a line "done" goes to stdout, after a line "alive" for each page. It ends when its parent does.
"""

import errno
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from finetune_core.corpus.parsed import Limits
from finetune_core.corpus.parsing import parse
from finetune_core.errors import CorpusError

DISK_ERRORS = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
OUT_OF_MEMORY = "Reading it needs more memory than is allowed."


def main() -> None:
    """Answer requests until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()
    for line in sys.stdin:
        request = json.loads(line)
        _say(answers, _answer(request, lambda: _say(answers, "alive")))


def _say(answers: TextIO, word: str) -> None:
    answers.write(word + "\n")
    answers.flush()


def _answer(request: dict[str, Any], alive: Callable[[], None]) -> str:
    """Write the answer; "done", or "full" if a disk was full, which is no fault of the file."""
    try:
        answer = _parsed(request, alive)
        Path(request["result"]).write_text(json.dumps(answer), "utf-8")
    except OSError as error:
        if error.errno in DISK_ERRORS:
            return "full"
        raise
    return "done"


def _parsed(request: dict[str, Any], alive: Callable[[], None]) -> dict[str, Any]:
    limits = Limits(**request["limits"])
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, resource.RLIM_INFINITY))
    try:
        parsed = parse(Path(request["path"]), request["name"], limits, alive)
        return {"parsed": parsed.to_json()}
    except CorpusError as error:
        return {"refused": error.message, "hint": error.hint}
    except MemoryError:
        return {"refused": OUT_OF_MEMORY, "hint": "Split the file into smaller ones and add those."}
    except FileNotFoundError:
        return {"refused": "The file is no longer there.", "hint": "Add it again."}
    except PermissionError:
        return {
            "refused": "The file may not be read.",
            "hint": "Give yourself the right to read it, then add it again.",
        }
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise
        text = " ".join(str(error).split())[:160]
        return {
            "refused": f"The file cannot be read ({type(error).__name__}: {text}).",
            "hint": "Save it in another format, for example as plain text, and add that.",
        }


def _leave_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
