"""A GGUF model file run in this process by llama.cpp: no service, no key, answers held to a grammar."""

import functools
import os
import secrets
import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from finetune_core.errors import ProviderError
from finetune_core.providers.chat import Checkpoint, Message, OnText, Reply, RequestRefusedError, Tool
from finetune_core.providers.streamed_message import StreamedMessage
from finetune_core.records import content_id, file_sha256

MAGIC = b"GGUF"
QUIET = -1


class LocalGgufChat:
    """A chat over the model file `path`.

    `num_parallel` requests share the model, each with a context of `context_tokens`. Equal seeds give equal answers as
    long as requests come one at a time; beside others the batch, and with it the rounding, may differ.
    """

    def __init__(self, path: Path, *, num_parallel: int = 4, context_tokens: int = 2048, num_threads: int = 0) -> None:
        check_gguf(path)
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = context_tokens * num_parallel
        params.n_parallel = num_parallel
        threads = num_threads or _free_cores()
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.enable_reasoning = 0  # thinking aloud would spend the answer's tokens
        params.warmup = params.ui = False
        params.verbosity = QUIET
        # llama.cpp always opens a loopback port; nobody but this process may use it.
        params.port = 0
        params.api_keys = [secrets.token_hex(16)]
        self._path, self._num_parallel, self._context_tokens = path, num_parallel, context_tokens
        self._slots = threading.BoundedSemaphore(num_parallel)
        try:
            self._server: Any = xllamacpp.Server(params)
        except (RuntimeError, ValueError) as error:
            raise ProviderError(
                f"llama.cpp cannot load {path.name}: {error}",
                hint="Choose another GGUF file; this one is damaged or of a kind this llama.cpp does not know.",
            ) from error

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self._path.stem

    @functools.cached_property
    def fingerprint(self) -> str:
        """The file's hash and the release of the engine."""
        return content_id(file_sha256(self._path), f"xllamacpp {version('xllamacpp')}")

    @property
    def num_parallel(self) -> int:
        """How many calls may be under way at once."""
        return self._num_parallel

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[Tool] = (),
        max_tokens: int = 512,
        seed: int = 0,
        temperature: float = 0.7,
        checkpoint: Checkpoint | None = None,
        on_text: OnText | None = None,
    ) -> Reply:
        """As `Chat.complete`; `checkpoint` is called before the model starts. An answer that nobody watches runs to its end."""
        request: dict[str, Any] = {
            "messages": [dict(message) for message in messages],
            "max_tokens": max_tokens,
            "seed": seed,
            "temperature": temperature,
            "cache_prompt": False,  # what lay in the cache before would change the rounding, and so the answer
        }
        if schema is not None:
            request["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        if tools:
            request["tools"] = [dict(tool) for tool in tools]
        with self._slots:
            if checkpoint is not None:
                checkpoint()
            try:
                message = self._answered(request, on_text, checkpoint)
            except ValueError as error:
                raise ProviderError(
                    f"{self.name} cannot be asked this way: {error}",
                    hint="The model's chat template does not fit; choose another GGUF file.",
                ) from error
        if refused := message.last.get("error"):
            raise RequestRefusedError(
                f"{self.name} refused: {refused.get('message', refused)}.",
                hint=f"Make chunks shorter: prompt and answer have {self._context_tokens} tokens together.",
            )
        assert message.tokens is not None
        return Reply(message.text, *message.tokens, message.calls)

    def _answered(
        self, request: dict[str, Any], on_text: OnText | None, checkpoint: Checkpoint | None
    ) -> StreamedMessage:
        message, raised = StreamedMessage(on_text), list[BaseException]()

        def take(piece: dict[str, Any]) -> bool:
            """Called by llama.cpp, which swallows what is raised here and ends the answer where this is true."""
            try:
                message.add(piece)
                if checkpoint is not None:
                    checkpoint()
            except BaseException as error:
                raised.append(error)
            return bool(raised)

        if on_text is None:
            message.add(self._server.handle_chat_completions(request))
        else:
            counted = {"stream": True, "stream_options": {"include_usage": True}}
            self._server.handle_chat_completions({**request, **counted}, take)
        if raised:
            raise raised[0]
        return message

    def close(self) -> None:
        """Free the model's memory."""
        self._server = None


def check_gguf(path: Path) -> None:
    """Raise ProviderError unless `path` is a readable file that starts as GGUF files do."""
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
    except OSError as error:
        raise ProviderError(
            f"The model file {path} cannot be read: {error.strerror}.", hint="Give the path of a GGUF file."
        ) from error
    if start != MAGIC:
        raise ProviderError(
            f"{path} is not a GGUF file: it starts with {start!r}, not {MAGIC!r}.",
            hint="Give the path of a GGUF file; they usually end in .gguf.",
        )


def _free_cores() -> int:
    """The cores nobody is using, at least one: its threads wait for each other, so one that has to share a core with
    another program stops them all (ten times slower here)."""
    cores = os.cpu_count() or 1
    return max(1, cores - round(os.getloadavg()[0])) if hasattr(os, "getloadavg") else cores
