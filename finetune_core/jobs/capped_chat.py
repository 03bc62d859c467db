"""A chat that is asked only as long as a person's cap allows: what a request may take at most is set aside before it is sent."""

import itertools
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from finetune_core.jobs.writing import Purse
from finetune_core.providers.chat import (
    BatchChat,
    CapReachedError,
    Chat,
    Checkpoint,
    Message,
    OnText,
    Reply,
    Request,
    RequestRefusedError,
    Tool,
    estimated_tokens,
)
from finetune_core.providers.prices import Prices
from finetune_core.storage.generations import Spend

_OVERHEAD_TOKENS = 200  # the chat format, which services count as input too
FREE = Prices(0.0, 0.0)


class SharedPurse:
    """A purse that several threads and several chats pay from; `num_answered` counts the calls that took something."""

    def __init__(self, purse: Purse) -> None:
        self._purse, self._changed = purse, threading.Condition()
        self.num_answered = 0

    @property
    def spent(self) -> Spend:
        """What was paid so far."""
        return self._purse.spent

    def reserve(self, call: Any, tokens: int, cost_usd: float, checkpoint: Checkpoint | None = None) -> None:
        """Set the worst case of a call aside, waiting for calls under way, which usually take less than was set aside.

        Raises CapReachedError if even then too little is left.
        """
        with self._changed:
            while not self._purse.reserve(call, tokens, cost_usd):
                if not self._purse.reserved:
                    raise CapReachedError(
                        "The cap leaves too little for another request.", hint="Start again with a higher cap."
                    )
                self._changed.wait(0.5)
                if checkpoint:
                    checkpoint()

    def reserve_now(self, call: Any, tokens: int, cost_usd: float) -> bool:
        """Set the worst case of a call aside; False if too little is left as things stand."""
        with self._changed:
            return self._purse.reserve(call, tokens, cost_usd)

    def settle(self, call: Any, paid: Spend) -> None:
        """Replace the worst case of a call by what it took."""
        with self._changed:
            self._purse.settle(call, paid)
            self.num_answered += bool(paid.tokens)
            self._changed.notify_all()


class CappedChat:
    """A chat that pays from a purse, at its prices; `on_paid` is told of what each reply took.

    Facts about the model (`fingerprint`, `engine`, `size_bytes`) are those of the wrapped chat. Raises CapReachedError in
    place of an answer that the purse has too little for.
    """

    def __init__(
        self, chat: Chat, purse: SharedPurse, prices: Prices = FREE, on_paid: Callable[[Spend], None] = lambda _: None
    ) -> None:
        self._chat, self._purse, self._prices, self._on_paid = chat, purse, prices, on_paid
        self.name, self.num_parallel = chat.name, chat.num_parallel
        for fact in ("engine", "size_bytes"):
            if hasattr(chat, fact):
                setattr(self, fact, getattr(chat, fact))

    @property
    def fingerprint(self) -> str:
        """That of the wrapped chat."""
        return self._chat.fingerprint

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
        """As `Chat.complete`."""
        call = object()
        worst = self._worst(Request(tuple(messages), tuple(tools), schema, max_tokens))
        self._purse.reserve(call, *worst, checkpoint)
        reply: Reply | None = None
        try:
            reply = self._chat.complete(
                messages,
                schema=schema,
                tools=tools,
                max_tokens=max_tokens,
                seed=seed,
                temperature=temperature,
                checkpoint=checkpoint,
                on_text=on_text,
            )
        finally:
            self._settle(call, reply)
        return reply

    def close(self) -> None:
        """Close the wrapped chat."""
        self._chat.close()

    def _worst(self, request: Request) -> tuple[int, float]:
        """The tokens and dollars that a request may take at most."""
        given, taken = largest(request), request.max_tokens
        return given + taken, self._prices.cost_usd(given, taken) or 0.0

    def _settle(self, call: Any, reply: Reply | RequestRefusedError | None) -> None:
        if not isinstance(reply, Reply):
            self._purse.settle(call, Spend())
            return
        cost_usd = self._prices.cost_usd(reply.input_tokens, reply.output_tokens)
        paid = Spend(reply.input_tokens, reply.output_tokens, cost_usd)
        self._purse.settle(call, paid)
        self._on_paid(paid)


class CappedBatchChat(CappedChat):
    """The same for a chat that answers many at once: as many as the purse has enough for."""

    _chat: BatchChat

    def complete_batch(
        self,
        requests: Sequence[Request],
        on_reply: Callable[[int, Reply | RequestRefusedError], None],
        checkpoint: Checkpoint,
    ) -> None:
        """As `BatchChat.complete_batch`."""
        left = list(range(len(requests)))
        while left:
            taken = list(itertools.takewhile(lambda at: self._purse.reserve_now(at, *self._worst(requests[at])), left))
            if not taken:  # nothing else is under way: this raises
                self._purse.reserve(left[0], *self._worst(requests[left[0]]))

            def settled(place: int, reply: Reply | RequestRefusedError, taken: list[int] = taken) -> None:
                self._settle(taken[place], reply)
                on_reply(taken[place], reply)

            self._chat.complete_batch([requests[at] for at in taken], settled, checkpoint)
            left = left[len(taken) :]


def capped(chat: Chat, purse: SharedPurse, prices: Prices, on_paid: Callable[[Spend], None]) -> Chat:
    """The chat, held to the purse."""
    return (CappedBatchChat if isinstance(chat, BatchChat) else CappedChat)(chat, purse, prices, on_paid)


def largest(request: Request) -> int:
    """How many tokens a request may give at most: twice the estimate, as scripts differ in tokens per letter."""
    texts = [str(message.get("content") or "") for message in request.messages]
    form = json.dumps([request.schema, request.tools]) if request.schema or request.tools else ""
    return 2 * estimated_tokens("".join([*texts, form])) + _OVERHEAD_TOKENS
