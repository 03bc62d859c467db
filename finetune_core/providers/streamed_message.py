"""A message put together from the pieces in which OpenAI's interface, and those modelled on it, send an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from finetune_core.providers.chat import Call, OnText

_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


@dataclass
class StreamedMessage:
    """What was said so far, told to `on_text`; an answer that comes whole is a single piece. Of several choices the first counts.

    `finish_reason` is "" until the answer is whole, `is_there` false until it begins; `last` is the last piece. `usage` is what
    the service counts, by OpenAI's names, {} where it does not.
    """

    on_text: OnText | None = None
    text: str = ""
    refusal: str = ""
    finish_reason: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    is_there: bool = False
    last: Any = ""
    _calls: list[dict[str, Any]] = field(default_factory=list)

    def add(self, piece: Any) -> None:
        """Take the next piece, a chat or text completion or a chunk of one; of anything else it only becomes the last piece."""
        self.last = piece
        if not isinstance(piece, Mapping):
            return
        if usage := piece.get("usage"):
            self.usage = {name: int(usage[name]) for name in _COUNTS if usage.get(name) is not None}
        before = self.said
        for choice in [one for one in piece.get("choices") or () if one and not one.get("index")]:
            said = (
                choice.get("delta")
                or choice.get("message")
                or ({"content": choice["text"]} if "text" in choice else {})
            )
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
            if said:
                self.is_there = True
                self.text += said.get("content") or ""
                self.refusal += said.get("refusal") or ""
                self._add_calls(said.get("tool_calls") or ())
        if self.on_text is not None and self.said != before:
            self.on_text(self.said)

    @property
    def tokens(self) -> tuple[int, int] | None:
        """Those given and taken; None where the service does not count them."""
        return (self.usage.get("prompt_tokens", 0), self.usage.get("completion_tokens", 0)) if self.usage else None

    @property
    def calls(self) -> tuple[Call, ...]:
        """The functions it wants called, as far as they were written."""
        return tuple(Call(call["name"], call["arguments"]) for call in self._calls)

    @property
    def response(self) -> dict[str, Any]:
        """All of it as a message of OpenAI's interface."""
        calls = [
            {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
            for call in self._calls
        ]
        content = self.text or (None if calls else "")
        return {"role": "assistant", "content": content, **({"tool_calls": calls} if calls else {})}

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
