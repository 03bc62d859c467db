"""What every client of an OpenAI-compatible service shares: bounded retries, and errors in the vendor's own words."""

import email.utils
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from finetune_core import settings
from finetune_core.errors import ProviderError
from finetune_core.providers.chat import Checkpoint, RequestRefusedError, redacted

if TYPE_CHECKING:
    import openai
    from tenacity import RetryCallState

MAX_ATTEMPTS = 5
MAX_WAIT_S = 120.0
"""The longest `Retry-After` that is waited for; a service that asks for more is reported instead."""
_TICK_S = 0.25


def retrying(max_attempts: int, checkpoint: Checkpoint | None) -> Callable[..., Any]:
    """Calls a function with its arguments again while the failure may pass, at most `max_attempts` times in all."""
    from tenacity import Retrying, retry_if_exception, stop_after_attempt

    return Retrying(
        stop=stop_after_attempt(max_attempts),
        wait=pause_s,
        retry=retry_if_exception(_worth_retrying),
        sleep=lambda seconds: _sleep(seconds, checkpoint),
        reraise=True,
    )


def key_of(base_url: str, model: str, key_variable: str) -> str:
    """The key in `key_variable`, read now from the environment or `.env`; "" for a service without keys.

    Raises ProviderError with the line to add if the variable is not set.
    """
    key = settings.secret(key_variable) if key_variable else ""
    if key_variable and not key:
        raise ProviderError(
            f"The key for {model} at {base_url} is missing: {key_variable} is not set.",
            hint=f"Add the line {key_variable}=… to {settings.ENV_FILE.name}, then try again; no restart is needed.",
        )
    return key


def explained(
    error: "openai.OpenAIError | ValueError", name: str, key: str, timeout_s: float, max_attempts: int, endpoint: str
) -> ProviderError:
    """The failure in the vendor's words without the key; `endpoint` says what the base URL should lead to ("chat")."""
    import openai

    words = redacted(_vendor_words(error), key)
    status = error.status_code if isinstance(error, openai.APIStatusError) else None
    if isinstance(error, openai.APITimeoutError):
        return ProviderError(
            f"{name} gave no answer within {timeout_s:g} s, {max_attempts} times.",
            hint="Try again later, or choose a faster model.",
            retryable=True,
        )
    if isinstance(error, openai.APIConnectionError):
        return ProviderError(
            f"{name} cannot be reached: {words}",
            hint="Check the base URL and that the service is running.",
            retryable=True,
        )
    if status is None:
        return ProviderError(
            f"{name} answered with something that is not JSON: {words}",
            hint=f"Check that the base URL is that of an OpenAI-compatible {endpoint} endpoint (most end in /v1).",
            retryable=True,  # later, but not at once: a garbled answer was paid for all the same
        )
    message = f"{name} answered {status}: {words}"
    if status in (400, 413, 422):
        return RequestRefusedError(message, hint="Check the model's name and the length of what was sent.")
    return ProviderError(message, hint=_hint(status), retryable=_may_pass(status))


def _worth_retrying(error: BaseException) -> bool:
    import openai

    if isinstance(error, openai.APIStatusError):
        wait_s = retry_after_s(error)
        # An empty purse answers 429 as well, but no pause fills it.
        spent = isinstance(error.body, dict) and error.body.get("code") == "insufficient_quota"
        return _may_pass(error.status_code) and not spent and (wait_s is None or wait_s <= MAX_WAIT_S)
    return isinstance(error, openai.APIConnectionError)


def _may_pass(status: int) -> bool:
    """Whether the same request may succeed later."""
    return status in (408, 409, 429) or status >= 500


def pause_s(state: "RetryCallState") -> float:
    """How long to wait before the next attempt: what the service asks for, else a growing random time."""
    from tenacity import wait_random_exponential

    error = state.outcome.exception() if state.outcome else None
    asked_s = retry_after_s(error)
    return asked_s if asked_s is not None else wait_random_exponential(multiplier=0.5, max=20)(state)


def retry_after_s(error: BaseException | None) -> float | None:
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
