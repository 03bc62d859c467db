"""What every client of an OpenAI-compatible service shares: bounded retries, and errors in the vendor's own words."""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from finetune_core import settings
from finetune_core.errors import ProviderError
from finetune_core.providers import retries
from finetune_core.providers.chat import Checkpoint, RequestRefusedError, redacted

if TYPE_CHECKING:
    import openai


def client_of(owner: Any, base_url: str, key: str, timeout_s: float) -> "openai.OpenAI":
    """A client that tries once, closed with its `owner` at the latest: in a cycle its sockets might be collected first."""
    import openai

    client = openai.OpenAI(base_url=base_url, api_key=key or "none", timeout=timeout_s, max_retries=0)
    weakref.finalize(owner, client.close)
    return client


def retrying(max_attempts: int, checkpoint: Checkpoint | None) -> Callable[..., Any]:
    """Calls a function with its arguments again while the failure may pass, at most `max_attempts` times in all."""
    return retries.retrying(_worth_retrying, max_attempts, checkpoint)


def plain(answer: Any) -> Any:
    """An answer as dicts and lists, whatever shape it has: the client checks none."""
    return answer.to_dict(warnings=False) if hasattr(answer, "to_dict") else answer


@contextmanager
def reading(pieces: "openai.Stream[Any]") -> "Iterator[openai.Stream[Any]]":
    """The pieces of a streamed answer, let go at the end. A connection that fails meanwhile fails as one would before."""
    import httpx2
    import openai

    try:
        with pieces:
            yield pieces
    except httpx2.TimeoutException as error:
        raise openai.APITimeoutError(pieces.response.request) from error
    except httpx2.HTTPError as error:
        raise openai.APIConnectionError(request=pieces.response.request) from error


def broken_off(pieces: "openai.Stream[Any]") -> "openai.APIConnectionError":
    """The failure of a streamed answer that ended before it was whole."""
    import openai

    return openai.APIConnectionError(message="its answer broke off", request=pieces.response.request)


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
    if type(error) is openai.APIError:  # told within a streamed answer, whose status was that of a success
        return ProviderError(
            f"{name} broke off its answer: {words}", hint="Ask again, or choose another model.", retryable=True
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
    return ProviderError(message, hint=_hint(status), retryable=retries.may_pass(status))


def _worth_retrying(error: BaseException) -> bool:
    import openai

    if isinstance(error, openai.APIStatusError):
        # An empty purse answers 429 as well, but no pause fills it.
        spent = isinstance(error.body, dict) and error.body.get("code") == "insufficient_quota"
        return retries.may_pass(error.status_code) and not spent and not retries.asks_too_long(error)
    return isinstance(error, openai.APIConnectionError)


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
