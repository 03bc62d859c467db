"""A message put together from the pieces in which OpenAI's interface, and those modelled on it, send an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from finetune_core.providers.chat import Call, OnText


@dataclass
class StreamedMessage:
    """What was said so far, told to `on_text`; an answer that comes whole is a single piece.

    `finish_reason` is "" until the answer is whole, `is_there` false until it begins; `last` is the last piece. `tokens` are
    those given and taken, None where the service does not count them.
    """

    on_text: OnText | None = None
    text: str = ""
    refusal: str = ""
    finish_reason: str = ""
    tokens: tuple[int, int] | None = None
    is_there: bool = False
    last: Any = ""
    _calls: list[dict[str, Any]] = field(default_factory=list)

    def add(self, piece: Any) -> None:
        """Take the next piece, a chat completion or a chunk of one; of anything else it only becomes the last piece."""
        self.last = piece
        if not isinstance(piece, Mapping):
            return
        if usage := piece.get("usage"):
            self.tokens = (usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0)
        before = self.said
        for choice in filter(None, piece.get("choices") or ()):
            said = choice.get("delta") or choice.get("message")
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
            if said:
                self.is_there = True
                self.text += said.get("content") or ""
                self.refusal += said.get("refusal") or ""
                self._add_calls(said.get("tool_calls") or ())
        if self.on_text is not None and self.said != before:
            self.on_text(self.said)

    @property
    def calls(self) -> tuple[Call, ...]:
        """The functions it wants called, as far as they were written."""
        return tuple(Call(call["name"], call["arguments"]) for call in self._calls)

    @property
    def said(self) -> str:
        """All of it as one text, with each call on a line of its own; the last one stays open until the answer is whole."""
        calls = [f"{call.name}({call.arguments})" for call in self.calls]
        said = "\n".join(part for part in (self.text, *calls) if part)
        return said if self.finish_reason or not calls else said[:-1]

    def _add_calls(self, pieces: Sequence[Mapping[str, Any]]) -> None:
        for at, piece in enumerate(pieces):
            if (function := piece.get("function")) is None:
                continue
            call = self._call(piece.get("index", at), piece.get("id") or "")
            call["name"] = call["name"] or function.get("name") or ""
            call["arguments"] += function.get("arguments") or ""

    def _call(self, index: int | None, call_id: str) -> dict[str, Any]:
        """The call that a piece goes on with, or a new one: some services number none, or all of them alike."""
        for call in self._calls[::-1]:
            if call["index"] == index and call_id in ("", call["id"]):
                return call
        new: dict[str, Any] = {"index": index, "id": call_id, "name": "", "arguments": ""}
        self._calls.append(new)
        return new
