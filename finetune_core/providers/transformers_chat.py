"""A chat model of transformers run in this process, alone or with a LoRA adapter; no service, no key."""

import functools
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from finetune_core.errors import ProviderError
from finetune_core.models.shared_prompts import cheapest_order, shared_tokens
from finetune_core.providers import grammar
from finetune_core.providers.chat import Checkpoint, Message, OnText, Reply, Request, RequestRefusedError, Tool
from finetune_core.providers.chat_model import (
    chat_folder,
    decoder_layers,
    engine,
    load_chat_model,
    quiet_peft,
)
from finetune_core.providers.chat_template import PROMPT_VERSION, ChatTemplate, parsed
from finetune_core.providers.embedder import model_bytes, model_hash
from finetune_core.records import content_id, file_sha256

ADAPTER_WEIGHTS, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
NUM_PARALLEL = 16
MAX_BATCH_TOKENS = 16_384
"""Most tokens of prompts and answers, padding included, that are held in memory at once."""
UNKNOWN_WINDOW = 4096

OnReply = Callable[[int, Reply | RequestRefusedError], None]


class TransformersChat:
    """The model in `folder` ("bundled/…", a folder or a hub name), with the LoRA adapter in `adapter_folder` if given.

    All chats over one folder share its weights in memory; an adapter is switched on for its own answers only. Up to
    `num_parallel` requests are answered in one go, padded on the left, on a GPU in bfloat16 where there is one, else in
    float32. At temperature 0 the likeliest token is taken at each step; beside others the rounding of a number may
    differ in its last bits. The weights load at the first request.
    """

    def __init__(
        self,
        folder: str | Path,
        adapter_folder: Path | None = None,
        *,
        num_parallel: int = NUM_PARALLEL,
        name: str = "",
    ) -> None:
        self._folder, self._adapter, self._num_parallel = str(folder), adapter_folder, num_parallel
        self._name = name or (adapter_folder or Path(self._folder)).name
        self._shared: _SharedModel | None = None
        if adapter_folder is not None:
            check_adapter(adapter_folder)

    @property
    def name(self) -> str:
        """What it is called: the name given, else that of its folder."""
        return self._name

    @property
    def num_parallel(self) -> int:
        """How many requests are answered in one go."""
        return self._num_parallel

    @functools.cached_property
    def fingerprint(self) -> str:
        """Changes whenever the answers may: a hash over weights, adapter, engine, precision and the prompt for functions.

        Raises ProviderError if the model is not there.
        """
        adapter = ""
        if self._adapter is not None:
            adapter = file_sha256(self._adapter / ADAPTER_WEIGHTS) + file_sha256(self._adapter / ADAPTER_CONFIG)
        facts = self.engine
        return content_id(
            model_hash(chat_folder(self._folder)), adapter, facts["engine"], facts["precision"], PROMPT_VERSION
        )

    @functools.cached_property
    def size_bytes(self) -> int:
        """The size of the model's files, the adapter's included."""
        return model_bytes(chat_folder(self._folder)) + (model_bytes(self._adapter) if self._adapter else 0)

    @functools.cached_property
    def engine(self) -> dict[str, str]:
        """What computes the answers: `engine` with its release, `precision` and `device`."""
        return engine()

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
        """As `Chat.complete`. With `schema` the answer fits it unless it is cut off at `max_tokens`."""
        request = Request(tuple(messages), tuple(tools), schema, max_tokens)
        with self._ready(checkpoint or _nothing) as shared:
            prompt = _prompt(shared, 0, request)
            growing = None if on_text is None else _Growing(shared, prompt, on_text)
            return _generate(shared, [prompt], temperature, seed, growing)[0]

    def complete_batch(self, requests: Sequence[Request], on_reply: OnReply, checkpoint: Checkpoint) -> None:
        """Answer all of `requests`, the longest first, at temperature 0; replies come as each batch ends.

        `on_reply` gets the RequestRefusedError of a request that cannot be answered.
        """
        with self._ready(checkpoint) as shared:
            prompts = []
            for position, request in enumerate(requests):
                checkpoint()
                try:
                    prompts.append(_prompt(shared, position, request))
                except RequestRefusedError as error:
                    on_reply(position, error)
            for batch in _batches(prompts, self._num_parallel):
                replies = _generate(shared, batch, 0.0, 0)
                for prompt, reply in zip(batch, replies, strict=True):
                    on_reply(prompt.position, reply)

    def close(self) -> None:
        """Let go of the model; its memory is free once no other chat uses it. The next request would load it again."""
        self._shared = None

    @contextmanager
    def _ready(self, checkpoint: Checkpoint) -> "Iterator[_SharedModel]":
        checkpoint()
        if self._shared is None or self._shared.is_spoilt:
            self._shared = _SharedModel.of(self._folder)
        with self._shared.using(self._adapter, checkpoint):
            yield self._shared


class _SharedModel:
    """The weights of one folder, loaded once for all chats over it; only one of them computes at a time."""

    _all: ClassVar["weakref.WeakValueDictionary[Path, _SharedModel]"] = weakref.WeakValueDictionary()
    _opening = threading.Lock()

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.model, self.tokenizer = load_chat_model(folder, name)
        self.template = ChatTemplate(self.tokenizer, name)
        self.window = int(getattr(self.model.config, "max_position_embeddings", 0) or UNKNOWN_WINDOW)
        self._adapted: Any = None  # peft's wrapper, once there is an adapter
        self._adapter_names: dict[Path, str] = {}
        self.is_spoilt = False  # by an adapter that was half put in when it turned out not to fit
        self._lock = threading.RLock()
        self._checkpoint: Checkpoint = _nothing
        for layer in decoder_layers(self.model):
            layer.register_forward_pre_hook(lambda *_: self._checkpoint())

    @classmethod
    def of(cls, name: str) -> "_SharedModel":
        folder = chat_folder(name).resolve()
        with cls._opening:
            found = cls._all.get(folder)
            if found is None or found.is_spoilt:
                found = cls._all[folder] = cls(folder, name)
            return found

    @functools.cached_property
    def stop_ids(self) -> list[int]:
        """The tokens that end an answer."""
        own = self.model.generation_config.eos_token_id
        ids = own if isinstance(own, list) else [own]
        return sorted({token for token in [*ids, self.tokenizer.eos_token_id] if token is not None})

    @functools.cached_property
    def grammar_tokenizer(self) -> Any:
        """The tokenizer as llguidance reads it; takes about a second."""
        from llguidance.hf import from_tokenizer

        return from_tokenizer(self.tokenizer, n_vocab=self.model.config.vocab_size, eos_token=self.stop_ids)

    @contextmanager
    def using(self, adapter: Path | None, checkpoint: Checkpoint) -> Iterator[None]:
        """Have the model to oneself, with this adapter or none; `checkpoint` is called before each layer of each step."""
        while not self._lock.acquire(timeout=0.5):
            checkpoint()
        try:
            self._checkpoint = checkpoint
            if adapter is not None:
                self._switch_on(adapter)
                yield
            elif self._adapted is not None:
                with self._adapted.disable_adapter():
                    yield
            else:
                yield
        finally:
            self._checkpoint = _nothing
            self._lock.release()

    def _switch_on(self, folder: Path) -> None:
        from peft import PeftModel

        if folder not in self._adapter_names:
            name = f"adapter{len(self._adapter_names)}"
            try:
                if self._adapted is None:
                    with quiet_peft():
                        self._adapted = PeftModel.from_pretrained(self.model, str(folder), adapter_name=name)
                else:
                    self._adapted.load_adapter(str(folder), adapter_name=name)
            except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
                self.is_spoilt = True
                raise ProviderError(
                    f"The adapter {folder.name} does not fit {self.name}: {str(error).splitlines()[0]}",
                    hint="Use the base model that it was tuned from.",
                ) from error
            self._adapted.eval()
            self._adapter_names[folder] = name
        self._adapted.set_adapter(self._adapter_names[folder])


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A request as tokens, with how many may be answered; `grammar` is None where the answer is free."""

    position: int
    request: Request
    token_ids: list[int]
    num_new: int
    grammar: str | None


class _Growing:
    """Tells the text of one answer as its tokens come: a streamer, as transformers calls it."""

    def __init__(self, shared: _SharedModel, prompt: _Prompt, on_text: OnText) -> None:
        self._shared, self._prompt, self._on_text = shared, prompt, on_text
        self._made: list[int] | None = None

    def put(self, token_ids: Any) -> None:
        """First the tokens of the prompt, then each new one."""
        if self._made is None:
            self._made = []
            return
        self._made += token_ids.tolist()
        text = _text(self._shared, self._prompt, self._made).strip()
        if text and not text.endswith("\N{REPLACEMENT CHARACTER}"):  # half a character
            self._on_text(text)

    def end(self) -> None:
        """All was told."""


def _prompt(shared: _SharedModel, position: int, request: Request) -> _Prompt:
    text = shared.template.prompt(request.messages, request.tools)
    token_ids = shared.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    room = shared.window - len(token_ids)
    if room < 1:
        raise RequestRefusedError(
            f"The request has {len(token_ids):,} tokens; {shared.name} reads {shared.window:,} with its answer.",
            hint="Make the texts shorter, or choose a model with a longer context.",
        )
    held = None
    if request.schema is not None:
        held = grammar.schema_grammar(request.schema)
    elif grammar.is_strict(request.tools):
        held = grammar.calls_grammar(request.tools, tagged=shared.template.tags_calls)
    if held is not None:
        grammar.matcher(shared.grammar_tokenizer, held)  # refuses what cannot be held to
    return _Prompt(position, request, token_ids, min(room, request.max_tokens), held)


def _batches(prompts: Sequence[_Prompt], num_parallel: int) -> Iterator[list[_Prompt]]:
    """Those together that are cheap to read together, within what fits into memory."""
    batch: list[_Prompt] = []
    longest = 0
    for place in cheapest_order([prompt.token_ids for prompt in prompts], num_parallel):
        prompt = prompts[place]
        longest_now = max(longest, len(prompt.token_ids) + prompt.num_new)
        if batch and (len(batch) == num_parallel or (len(batch) + 1) * longest_now > MAX_BATCH_TOKENS):
            yield batch
            batch, longest_now = [], len(prompt.token_ids) + prompt.num_new
        batch.append(prompt)
        longest = longest_now
    if batch:
        yield batch


def _generate(
    shared: _SharedModel, batch: Sequence[_Prompt], temperature: float, seed: int, growing: _Growing | None = None
) -> list[Reply]:
    import torch

    from finetune_core.models.batch_answers import batch_answers

    pad = shared.tokenizer.pad_token_id
    num_shared = shared_tokens([prompt.token_ids for prompt in batch])
    width = max(len(prompt.token_ids) for prompt in batch)
    ids_BT = torch.full((len(batch), width), pad)
    mask_BT = torch.zeros_like(ids_BT)
    ids_BT[:, :num_shared] = torch.tensor(batch[0].token_ids[:num_shared])
    mask_BT[:, :num_shared] = 1
    for row, prompt in enumerate(batch):  # padded between what all share and their own
        own = torch.tensor(prompt.token_ids[num_shared:])
        ids_BT[row, width - len(own) :], mask_BT[row, width - len(own) :] = own, 1
    grammars = [prompt.grammar for prompt in batch]
    sampling = {"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False}
    started = time.perf_counter()
    with torch.inference_mode(), torch.random.fork_rng():
        torch.manual_seed(seed)
        made = batch_answers(
            shared.model,
            ids_BT.to(shared.model.device),
            mask_BT.to(shared.model.device),
            num_shared,
            [prompt.num_new for prompt in batch],
            mask=grammar.GrammarMask(shared.grammar_tokenizer, grammars, shared.stop_ids) if any(grammars) else None,
            streamer=growing,
            eos_token_id=shared.stop_ids,
            pad_token_id=pad,
            **sampling,
        )
    seconds = (time.perf_counter() - started) / len(batch)
    return [_reply(shared, prompt, tokens, seconds) for prompt, tokens in zip(batch, made, strict=True)]


def _reply(shared: _SharedModel, prompt: _Prompt, token_ids: list[int], seconds: float) -> Reply:
    said, calls = parsed(_text(shared, prompt, token_ids), prompt.request.tools)
    num_made = min(_end(shared, token_ids) + 1, len(token_ids))
    return Reply(said.strip(), len(prompt.token_ids), num_made, calls, seconds)


def _text(shared: _SharedModel, prompt: _Prompt, made: list[int]) -> str:
    """What was made as text, until its end; with functions the marks of calls stand in it."""
    return str(shared.tokenizer.decode(made[: _end(shared, made)], skip_special_tokens=not prompt.request.tools))


def _end(shared: _SharedModel, made: list[int]) -> int:
    """How many of the tokens come before the one that ends the answer."""
    return next((place for place, token in enumerate(made) if token in shared.stop_ids), len(made))


def check_adapter(folder: Path) -> None:
    """Raise ProviderError unless `folder` holds a LoRA adapter of peft in safetensors."""
    for name in (ADAPTER_WEIGHTS, ADAPTER_CONFIG):
        if not (folder / name).is_file():
            raise ProviderError(
                f"The adapter {folder} has no {name}.",
                hint="Give the folder of a LoRA adapter that peft saved in safetensors; others can run code.",
            )


def _nothing() -> None:
    """No one waits."""
