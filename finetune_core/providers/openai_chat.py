"""Any OpenAI-compatible endpoint: base URL, model and key; bounded retries, and the vendor's own words when it fails."""

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from finetune_core.errors import ProviderError
from finetune_core.providers import openai_calls, retries
from finetune_core.providers.chat import (
    Checkpoint,
    Message,
    OnText,
    Reply,
    RequestRefusedError,
    Tool,
    estimated_tokens,
    redacted,
)
from finetune_core.providers.streamed_message import StreamedMessage
from finetune_core.records import content_id

if TYPE_CHECKING:
    import openai


@dataclass(frozen=True, slots=True)
class Dialect:
    """Which of the optional fields an endpoint understands. Learnt from its refusals, one step at a time."""

    response_format: str = "json_schema"  # then "json_object", then ""
    limit: str = "max_tokens"  # newer models take "max_completion_tokens" only
    temperature: bool = True
    seed: bool = True
    stream: str = "counted"  # with the tokens at its end; then "plain", then ""

    def after(self, words: str) -> "Dialect | None":
        """The dialect to try once an endpoint refused a request with these words, or None if they blame nothing optional."""
        words = words.lower()
        if "max_completion_tokens" in words and self.limit == "max_tokens":
            return replace(self, limit="max_completion_tokens")
        if "temperature" in words and self.temperature:
            return replace(self, temperature=False)
        if "'seed'" in words and self.seed:
            return replace(self, seed=False)
        if re.search(r"\bstream", words) and self.stream:  # "upstream" blames another server
            return replace(self, stream="plain" if self.stream == "counted" else "")
        blamed = any(
            part in words for part in ("response_format", "json_schema", "json_object", "schema", "structured")
        )
        if blamed and self.response_format:
            return replace(self, response_format="json_object" if self.response_format == "json_schema" else "")
        return None


class OpenAIChat:
    """A chat behind `base_url`.

    `key` may be "" for services that ask for none; it never appears in an error. One call is tried at most
    `max_attempts` times, with growing pauses or those that `Retry-After` asks for (up to `retries.MAX_WAIT_S`), each try for
    at most `timeout_s` seconds. `on_paid` is told at once of the tokens of each reply, given and taken. Safe to use from
    several threads.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        key: str = "",
        *,
        num_parallel: int = 4,
        timeout_s: float = 60.0,
        max_attempts: int = retries.MAX_ATTEMPTS,
        on_paid: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self._base_url, self._model, self._key = base_url, model, key
        self._timeout_s, self._max_attempts = timeout_s, max_attempts
        self._num_parallel, self._on_paid = num_parallel, on_paid
        self._dialect, self._lock = Dialect(), threading.Lock()
        self._client = openai_calls.client_of(self, base_url, key, timeout_s)

    @property
    def name(self) -> str:
        """The model and where it is served."""
        return f"{self._model} at {self._base_url}"

    @property
    def fingerprint(self) -> str:
        """The address and the model's name: more is not known of a service's model."""
        return content_id(self._base_url, self._model)

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
        """As `Chat.complete`. Raises ProviderError in the vendor's words; `retryable` if it may work later.

        What is tried again after it broke off is told to `on_text` from its start again.
        """
        import openai

        call = openai_calls.retrying(self._max_attempts, checkpoint)
        while True:
            dialect = self._dialect
            asked = {"model": self._model, "messages": messages, **({"tools": tools} if tools else {})}
            fields = _optional_fields(dialect, schema, max_tokens, seed, temperature)
            try:
                if on_text is None or not dialect.stream:
                    message = call(self._whole, **asked, **fields)
                else:
                    counting = {"stream_options": {"include_usage": True}} if dialect.stream == "counted" else {}
                    message = call(self._streamed, on_text, checkpoint, **asked, **fields, **counting)
                return self._reply(message, messages)
            except openai.APIStatusError as error:
                adapted = dialect.after(str(error)) if error.status_code in (400, 404, 415, 422, 500, 501) else None
                if adapted is None:
                    raise self._explained(error) from None  # the cause holds the request, and that the key
                with self._lock:
                    self._dialect = adapted
            except (openai.OpenAIError, ValueError) as error:
                raise self._explained(error) from None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _whole(self, **fields: Any) -> StreamedMessage:
        message = StreamedMessage()
        message.add(openai_calls.plain(self._client.chat.completions.create(**fields)))
        return message

    def _streamed(self, on_text: OnText, checkpoint: Checkpoint | None, **fields: Any) -> StreamedMessage:
        message = StreamedMessage(on_text)
        try:
            with openai_calls.reading(self._client.chat.completions.create(stream=True, **fields)) as pieces:
                if pieces.response.headers.get("content-type", "").startswith("application/json"):
                    message.add(json.loads(pieces.response.read()))  # it cannot stream, and answers all the same
                    return message
                for piece in pieces:
                    message.add(openai_calls.plain(piece))
                    if checkpoint is not None:
                        checkpoint()
                if message.is_there and not message.finish_reason:
                    raise openai_calls.broken_off(pieces)
        except BaseException:
            # What came before it broke off, or before nobody listened any more, is charged all the same.
            if message.said:
                self._on_paid(*_tokens(message, fields["messages"]))
            raise
        return message

    def _reply(self, message: StreamedMessage, messages: Sequence[Message]) -> Reply:
        if not message.is_there:
            raise ProviderError(
                f"{self.name} answered, but without a message: {redacted(str(message.last), self._key)[:200]!r}.",
                hint="Check that the base URL is that of an OpenAI-compatible chat endpoint (most end in /v1).",
                retryable=True,
            )
        tokens = _tokens(message, messages)
        self._on_paid(*tokens)
        if message.finish_reason == "content_filter" or message.refusal:
            said = message.refusal or "filtered"
            raise RequestRefusedError(f"{self.name} would not answer: {said}.", hint="Leave this chunk out.")
        return Reply(message.text, input_tokens=tokens[0], output_tokens=tokens[1], calls=message.calls)

    def _explained(self, error: "openai.OpenAIError | ValueError") -> ProviderError:
        return openai_calls.explained(error, self.name, self._key, self._timeout_s, self._max_attempts, "chat")


def open_chat(base_url: str, model: str, key_variable: str = "", **options: Any) -> OpenAIChat:
    """A chat whose key is read now from `key_variable` in the environment or `.env`; "" for a service without keys.

    `options` are those of OpenAIChat. Raises ProviderError with the line to add if the variable is not set.
    """
    key = openai_calls.key_of(base_url, model, key_variable)
    return OpenAIChat(base_url, model, key, **options)


def _optional_fields(
    dialect: Dialect, schema: Mapping[str, Any] | None, max_tokens: int, seed: int, temperature: float
) -> dict[str, Any]:
    fields: dict[str, Any] = {dialect.limit: max_tokens}
    if dialect.temperature:
        fields["temperature"] = temperature
    if dialect.seed:
        fields["seed"] = seed
    if schema is not None and dialect.response_format == "json_schema":
        answer = {"name": "answer", "strict": True, "schema": schema}
        fields["response_format"] = {"type": "json_schema", "json_schema": answer}
    elif schema is not None and dialect.response_format == "json_object":
        fields["response_format"] = {"type": "json_object"}
    return fields


def _tokens(message: StreamedMessage, messages: Sequence[Message]) -> tuple[int, int]:
    """Those given and taken, as the service counts them, else estimated."""
    asked = sum(estimated_tokens(str(each.get("content") or "")) for each in messages)
    return message.tokens or (asked, estimated_tokens(message.said))
