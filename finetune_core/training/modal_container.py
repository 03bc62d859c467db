"""The local tuner as it runs inside a Modal function: what it needs of a run is kept on a volume and told to a mailbox."""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from finetune_core.errors import FinetuneError, JobCancelled, ProviderError, StopRequested
from finetune_core.recipe import Measured, Service
from finetune_core.training.chat_config import ChatTuningConfig, Tuner
from finetune_core.training.conversations import Conversation
from finetune_core.training.local_tuner import train_adapter

TELL_S = 2.0
STOP, CANCEL = "stop", "cancel"
FACTS_FILE = "facts.json"


class Mailbox(Protocol):
    """What both sides can read and write: a `modal.Dict`, or a dictionary where both are one process."""

    def get(self, key: str, default: Any = None, /) -> Any: ...
    def update(self, other: Mapping[str, Any], /) -> Any: ...


@dataclass(frozen=True)
class Order:
    """What is to be trained, as JSON values; `name` is that of its folder on the volume and of its entries in the mailbox."""

    name: str
    seed: int
    config: dict[str, Any]
    train: list[dict[str, Any]]
    validation: list[dict[str, Any]]

    @classmethod
    def of(
        cls,
        name: str,
        seed: int,
        config: ChatTuningConfig,
        train: Sequence[Conversation],
        validation: Sequence[Conversation],
    ) -> "Order":
        """The order for these conversations; of the settings only those that the tuner reads."""
        values = config.model_dump(mode="json", include=set(ChatTuningConfig.model_fields)) | {
            "tuner": Tuner.LOCAL.value
        }
        return cls(name, seed, values, [asdict(one) for one in train], [asdict(one) for one in validation])


def train_in_container(order: Mapping[str, Any], mailbox: Mailbox, volume: Path) -> dict[str, Any]:
    """Train, with everything that survives a restart of the container in `volume/<name>`.

    Returns `facts`, and the adapter lies in `volume/<name>/adapter`; or `error` and `hint` where a person can mend it; or
    `cancelled`; or `stopped` before there was anything to keep.
    """
    found = Order(**order)
    run = ContainerRun(found.name, found.seed, mailbox, volume / found.name)
    try:
        trained = train_adapter(
            [_conversation(one) for one in found.train],
            [_conversation(one) for one in found.validation],
            ChatTuningConfig.model_validate(found.config),
            run,
        )
    except JobCancelled:
        return {"cancelled": True}
    except StopRequested:
        return {"stopped": True}
    except FinetuneError as error:
        return {"error": error.message, "hint": error.hint}
    finally:
        with suppress(StopRequested, JobCancelled):
            run.tell()
    return {"facts": trained.facts}


def event_key(name: str, number: int) -> str:
    """Where in the mailbox the events of that number are: lists of `["log", step, metrics]`, `["progress", share, text]` or
    `["remember", 0, facts]`.
    """
    return f"{name}/events/{number}"


def request_key(name: str) -> str:
    """Where in the mailbox it stands that the training should stop or be cancelled."""
    return f"{name}/request"


def call_key(name: str) -> str:
    """Where in the mailbox the id of the function call stands that trains under that name."""
    return f"{name}/call"


class ContainerRun:
    """A `Run` whose news go to a mailbox every two seconds, and that hears requests there."""

    on_text = None

    def __init__(self, name: str, seed: int, mailbox: Mailbox, folder: Path) -> None:
        self.workdir, self.cache, self.seed = folder, folder / "cache", seed
        folder.mkdir(parents=True, exist_ok=True)
        self._name, self._mailbox = name, mailbox
        self._pending: list[list[Any]] = []
        self._told_at = 0.0
        self._was_stopped = False
        file = folder / FACTS_FILE
        self._facts: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}

    def model_folder(self, model_id: str) -> Path:
        """Raises ProviderError: models of the project are not here."""
        raise ProviderError(f"The model {model_id} is not at Modal.", hint="Choose another base model.")

    def measured(self, model_id: str) -> Measured | None:
        """None: comparisons of the project are not here."""
        return None

    def service(self, name: str) -> Service:
        """Raises ProviderError: services are not reached from here."""
        raise ProviderError(f"The service {name} is not reached from Modal.", hint="Choose another tuner.")

    def spend(self, service: str, num_searches: float = 0.0, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """Nothing: no service is reached from here."""

    def spend_training(self, service: str, model: str, num_tokens: int) -> None:
        """Nothing: no service is reached from here."""

    def log(self, step: int, **metrics: float) -> None:
        """As `Run.log`."""
        self._pending.append(["log", step, metrics])
        self.checkpoint()

    def progress(self, fraction: float, message: str = "") -> None:
        """As `Run.progress`."""
        self._pending.append(["progress", fraction, message])
        self.checkpoint()

    def checkpoint(self) -> None:
        """As `Run.checkpoint`; looks into the mailbox at most every two seconds."""
        if time.monotonic() - self._told_at >= TELL_S:
            self.tell()

    def tell(self) -> None:
        """Send what is pending, and raise what was requested."""
        self._told_at = time.monotonic()
        if self._pending:
            number = self.recall("num_told", 0)
            self._mailbox.update({event_key(self._name, number): self._pending})
            self._pending = []
            self._keep(num_told=number + 1)
        request = self._mailbox.get(request_key(self._name))
        if request == CANCEL:
            raise JobCancelled
        if request == STOP and not self._was_stopped:
            self._was_stopped = True
            raise StopRequested

    def remember(self, **facts: Any) -> None:
        """As `Run.remember`, in a file on the volume; told to the other side too."""
        self._keep(**facts)
        self._pending.append(["remember", 0, facts])

    def _keep(self, **facts: Any) -> None:
        self._facts.update(facts)
        part = self.workdir / f"{FACTS_FILE}.part"
        part.write_text(json.dumps(self._facts), "utf-8")
        part.replace(self.workdir / FACTS_FILE)

    def recall(self, key: str, default: Any = None) -> Any:
        """As `Run.recall`."""
        return self._facts.get(key, default)


def _conversation(values: Mapping[str, Any]) -> Conversation:
    return Conversation(**{**values, "messages": tuple(values["messages"]), "tools": tuple(values["tools"])})
