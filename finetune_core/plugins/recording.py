"""What a strong model was asked and answered, recorded where it is used: one schema of events, whoever records them."""

import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from finetune_core.errors import DatasetError


@dataclass(frozen=True, slots=True)
class Event:
    """One exchange with a model, in the form of OpenAI's interface.

    `response` is the assistant's message, None where the call failed; `failure` says why then. `usage` holds the tokens as
    the service counted them, {} where it does not say. `source` names what was called ("chat", "completion", "parse"),
    `seconds` is the time it took and `at` when it ended, in seconds since the epoch.
    """

    messages: tuple[Mapping[str, Any], ...]
    response: Mapping[str, Any] | None
    tools: tuple[Mapping[str, Any], ...] = ()
    model: str = ""
    source: str = "chat"
    usage: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    at: float = 0.0
    failure: str = ""


class Recording:
    """Events in the order they ended; also appended to the file `path`, if one is given, so that a crash loses none.

    Safe to use from several threads.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path, self._lock = path, threading.Lock()
        self._events: list[Event] = read_events(path) if path is not None and path.is_file() else []

    @property
    def events(self) -> list[Event]:
        """All events so far, those that were in the file included."""
        with self._lock:
            return list(self._events)

    def add(self, event: Event) -> None:
        """Keep one event."""
        line = json.dumps(asdict(event), ensure_ascii=False) + "\n"
        with self._lock:
            self._events.append(event)
            if self._path is not None:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(line)


@dataclass(frozen=True, slots=True)
class Sifted:
    """The events worth learning from, and how many were left out for each reason."""

    events: tuple[Event, ...]
    num_failed: int = 0
    num_duplicates: int = 0
    num_refined: int = 0


def sift(events: Iterable[Event], *, duplicates: bool = False, refine_turns: bool = False) -> Sifted:
    """Leave out failures, and unless wanted, questions that were asked before and turns that refine an earlier answer.

    A refine turn is what a response synthesizer asks when it shows an answer and more context to better it with: the
    final answer is learned from it only in a way that depends on where chunks were cut.
    """
    kept: list[Event] = []
    seen: set[str] = set()
    counts = {"num_failed": 0, "num_duplicates": 0, "num_refined": 0}
    for event in events:
        asked = json.dumps([list(event.messages), list(event.tools)], sort_keys=True)
        if event.failure or not event.response:
            counts["num_failed"] += 1
        elif asked in seen and not duplicates:
            counts["num_duplicates"] += 1
        elif is_refine_turn(event) and not refine_turns:
            counts["num_refined"] += 1
        else:
            kept.append(event)
            seen.add(asked)
    return Sifted(tuple(kept), **counts)


def is_refine_turn(event: Event) -> bool:
    """Whether the model was asked to better an answer it was shown, as LlamaIndex' refine prompts ask."""
    asked = " ".join(str(message.get("content") or "") for message in event.messages).casefold()
    return "existing answer" in asked and "refine" in asked


def as_lines(events: Iterable[Event]) -> list[dict[str, Any]]:
    """The events as lines of OpenAI's fine-tuning file; those without an answer have none."""
    return [
        {"messages": [*event.messages, event.response], **({"tools": list(event.tools)} if event.tools else {})}
        for event in events
        if event.response
    ]


def save_lines(events: Iterable[Event], path: Path) -> int:
    """Write `as_lines` as JSON lines; how many there are."""
    lines = as_lines(events)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return len(lines)


def read_events(path: Path) -> list[Event]:
    """The events in a file that a `Recording` wrote; a last line that was cut short by a crash is left out.

    Raises DatasetError that names the line for any other that is not an event.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            values = json.loads(line)
            found.append(Event(**values | {name: tuple(values[name]) for name in ("messages", "tools")}))
        except (ValueError, TypeError, KeyError) as error:
            if number == len(lines):
                break
            raise DatasetError(
                f"{path.name}, line {number}, is no recorded event.", hint="Remove the line, or record anew."
            ) from error
    return found


def failed(
    messages: Sequence[Mapping[str, Any]], error: BaseException, source: str, started: float, model: str = ""
) -> Event:
    """The event of a call that raised; `started` is a `time.perf_counter()`."""
    words = f"{type(error).__name__}: {error}"[:500]
    return Event(
        tuple(messages),
        None,
        model=model,
        source=source,
        seconds=time.perf_counter() - started,
        at=time.time(),
        failure=words,
    )
