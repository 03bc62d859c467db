"""Any OpenAI-compatible endpoint: base URL, model and key; bounded retries, and the vendor's own words when it fails."""

import email.utils
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from finetune_core import settings
from finetune_core.errors import ProviderError
from finetune_core.providers.chat import Checkpoint, Message, Reply, RequestRefusedError, estimated_tokens, redacted

if TYPE_CHECKING:
    import openai
    from tenacity import RetryCallState

MAX_ATTEMPTS = 5
MAX_WAIT_S = 120.0
"""The longest `Retry-After` that is waited for; a service that asks for more is reported instead."""
_TICK_S = 0.25


@dataclass(frozen=True, slots=True)
class Dialect:
    """Which of the optional fields an endpoint understands. Learnt from its refusals, one step at a time."""

    response_format: str = "json_schema"  # then "json_object", then ""
    limit: str = "max_tokens"  # newer models take "max_completion_tokens" only
    temperature: bool = True
    seed: bool = True

    def after(self, words: str) -> "Dialect | None":
        """The dialect to try once an endpoint refused a request with these words, or None if they blame nothing optional."""
        words = words.lower()
        if "max_completion_tokens" in words and self.limit == "max_tokens":
            return replace(self, limit="max_completion_tokens")
        if "temperature" in words and self.temperature:
            return replace(self, temperature=False)
        if "'seed'" in words and self.seed:
            return replace(self, seed=False)
        blamed = any(
            part in words for part in ("response_format", "json_schema", "json_object", "schema", "structured")
        )
        if blamed and self.response_format:
            return replace(self, response_format="json_object" if self.response_format == "json_schema" else "")
        return None


class OpenAIChat:
    """A chat behind `base_url`.

    `key` may be "" for services that ask for none; it never appears in an error. One call is tried at most
    `max_attempts` times, with growing pauses or those that `Retry-After` asks for (up to `MAX_WAIT_S`), each try for
    at most `timeout_s` seconds. Safe to use from several threads.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        key: str = "",
        *,
        num_parallel: int = 4,
        timeout_s: float = 60.0,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> None:
        import openai

        self._base_url, self._model, self._key = base_url, model, key
        self._timeout_s, self._max_attempts = timeout_s, max_attempts
        self._num_parallel = num_parallel
        self._dialect, self._lock = Dialect(), threading.Lock()
        self._client = openai.OpenAI(base_url=base_url, api_key=key or "none", timeout=timeout_s, max_retries=0)

    @property
    def name(self) -> str:
        """The model and where it is served."""
        return f"{self._model} at {self._base_url}"

    @property
    def num_parallel(self) -> int:
        """How many calls may be under way at once."""
        return self._num_parallel

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: dict[str, Any] | None = None,
        max_tokens: int = 512,
        seed: int = 0,
        temperature: float = 0.7,
        checkpoint: Checkpoint | None = None,
    ) -> Reply:
        """As `Chat.complete`. Raises ProviderError in the vendor's words; `retryable` if it may work later."""
        import openai
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        retrying = Retrying(
            stop=stop_after_attempt(self._max_attempts),
            wait=_pause,
            retry=retry_if_exception(_worth_retrying),
            sleep=lambda seconds: _sleep(seconds, checkpoint),
            reraise=True,
        )
        while True:
            dialect = self._dialect
            fields = _optional_fields(dialect, schema, max_tokens, seed, temperature)
            try:
                answer = retrying(self._client.chat.completions.create, model=self._model, messages=messages, **fields)
                return self._reply(answer, messages)
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

    def _reply(self, answer: Any, messages: Sequence[Message]) -> Reply:
        choices = getattr(answer, "choices", None)
        if not choices or getattr(choices[0], "message", None) is None:
            raise ProviderError(
                f"{self.name} answered, but without a message: {redacted(str(answer), self._key)[:200]!r}.",
                hint="Check that the base URL is that of an OpenAI-compatible chat endpoint (most end in /v1).",
                retryable=True,
            )
        if choices[0].finish_reason == "content_filter" or getattr(choices[0].message, "refusal", None):
            said = choices[0].message.refusal or "filtered"
            raise RequestRefusedError(f"{self.name} would not answer: {said}.", hint="Leave this chunk out.")
        text = choices[0].message.content or ""
        usage = answer.usage
        asked = sum(estimated_tokens(message["content"]) for message in messages)
        return Reply(
            text,
            input_tokens=usage.prompt_tokens if usage else asked,
            output_tokens=usage.completion_tokens if usage else estimated_tokens(text),
        )

    def _explained(self, error: "openai.OpenAIError | ValueError") -> ProviderError:
        import openai

        words = redacted(_vendor_words(error), self._key)
        status = error.status_code if isinstance(error, openai.APIStatusError) else None
        if isinstance(error, openai.APITimeoutError):
            return ProviderError(
                f"{self.name} gave no answer within {self._timeout_s:g} s, {self._max_attempts} times.",
                hint="Try again later, or choose a faster model.",
                retryable=True,
            )
        if isinstance(error, openai.APIConnectionError):
            return ProviderError(
                f"{self.name} cannot be reached: {words}",
                hint="Check the base URL and that the service is running.",
                retryable=True,
            )
        if status is None:
            return ProviderError(
                f"{self.name} answered with something that is not JSON: {words}",
                hint="Check that the base URL is that of an OpenAI-compatible chat endpoint (most end in /v1).",
                retryable=True,  # later, but not at once: a garbled answer was paid for all the same
            )
        message = f"{self.name} answered {status}: {words}"
        if status in (400, 413, 422):
            return RequestRefusedError(message, hint="Check the model's name and the length of the prompt.")
        return ProviderError(message, hint=_hint(status), retryable=_may_pass(status))


def open_chat(base_url: str, model: str, key_variable: str = "", **options: Any) -> OpenAIChat:
    """A chat whose key is read now from `key_variable` in the environment or `.env`; "" for a service without keys.

    `options` are those of OpenAIChat. Raises ProviderError with the line to add if the variable is not set.
    """
    key = settings.secret(key_variable) if key_variable else ""
    if key_variable and not key:
        raise ProviderError(
            f"The key for {model} at {base_url} is missing: {key_variable} is not set.",
            hint=f"Add the line {key_variable}=… to {settings.ENV_FILE.name}, then try again; no restart is needed.",
        )
    return OpenAIChat(base_url, model, key, **options)


def _optional_fields(
    dialect: Dialect, schema: dict[str, Any] | None, max_tokens: int, seed: int, temperature: float
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


def _worth_retrying(error: BaseException) -> bool:
    import openai

    if isinstance(error, openai.APIStatusError):
        wait_s = _retry_after_s(error)
        # An empty purse answers 429 as well, but no pause fills it.
        spent = isinstance(error.body, dict) and error.body.get("code") == "insufficient_quota"
        return _may_pass(error.status_code) and not spent and (wait_s is None or wait_s <= MAX_WAIT_S)
    return isinstance(error, openai.APIConnectionError)


def _may_pass(status: int) -> bool:
    """Whether the same request may succeed later."""
    return status in (408, 409, 429) or status >= 500


def _pause(state: "RetryCallState") -> float:
    from tenacity import wait_random_exponential

    error = state.outcome.exception() if state.outcome else None
    asked_s = _retry_after_s(error)
    return asked_s if asked_s is not None else wait_random_exponential(multiplier=0.5, max=20)(state)


def _retry_after_s(error: BaseException | None) -> float | None:
    """Seconds the service asks to wait (RFC 9110, section 10.2.3: a number or a date), or None if it does not say."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _sleep(seconds: float, checkpoint: Checkpoint | None) -> None:
    """Sleep, looking up every quarter of a second whether the wait was given up."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if checkpoint is not None:
            checkpoint()
        time.sleep(min(_TICK_S, left))


def _vendor_words(error: "openai.OpenAIError | ValueError") -> str:
    import openai

    if isinstance(error, openai.APIConnectionError) and error.__cause__ is not None:
        return str(error.__cause__)[:500]
    body = getattr(error, "body", None)
    said = (body.get("message") or body.get("detail")) if isinstance(body, dict) else None
    return str(said or body or error)[:500]


def _hint(status: int) -> str:
    return {
        401: "Check the key: Settings shows which variable it is read from.",
        402: "The account has no credit left; add some, or choose another provider.",
        403: "The key may not use this model; check its permissions, or choose another model.",
        404: "Check the base URL (most end in /v1) and the model's name on Settings.",
        429: "Wait a while, lower the number of parallel calls, or check the account's quota; then resume.",
    }.get(status, "The service has a problem of its own; resume later, nothing written so far is lost.")
