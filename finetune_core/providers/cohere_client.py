"""Cohere's API, or a service that speaks it: bounded retries, and the vendor's own words when it fails."""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from finetune_core import settings
from finetune_core.errors import ProviderError
from finetune_core.providers.chat import Checkpoint, redacted
from finetune_core.providers.retries import MAX_ATTEMPTS, asks_too_long, may_pass, retrying

if TYPE_CHECKING:
    import cohere

T = TypeVar("T")

TIMEOUT_S = 60.0


class CohereClient:
    """A connection to `base_url`. `key` may be "" for services that ask for none; it never appears in an error.

    One call is tried at most `max_attempts` times, each try for at most `timeout_s` seconds, with growing pauses or
    those that `Retry-After` asks for.
    """

    def __init__(
        self, base_url: str, key: str = "", *, timeout_s: float = TIMEOUT_S, max_attempts: int = MAX_ATTEMPTS
    ) -> None:
        import cohere
        import httpx

        self.base_url, self._key = base_url, key
        self._timeout_s, self._max_attempts = timeout_s, max_attempts
        connections = httpx.Client(timeout=timeout_s, follow_redirects=True)
        self._closing = weakref.finalize(self, connections.close)  # systems of a comparison end with no word of it
        self._client = cohere.ClientV2(
            key or "none",
            base_url=base_url,
            timeout=timeout_s,
            max_retries=0,
            httpx_client=connections,
            log_warning_experimental_features=False,
        )

    def ask(self, call: "Callable[[cohere.ClientV2], T]", checkpoint: Checkpoint | None = None) -> T:
        """What `call` returns, tried again while that may help.

        Raises ProviderError in the vendor's words, `retryable` if the same call may succeed later.
        """
        try:
            return retrying(_worth_retrying, self._max_attempts, checkpoint)(call, self._client)
        except _failures() as error:
            raise self._explained(error) from None  # the cause holds the request, and that the key

    def ask_once(self, call: "Callable[[cohere.ClientV2], T]") -> T:
        """As `ask`, in one try: for what must not be made twice, where only the caller can tell whether it was."""
        try:
            return call(self._client)
        except _failures() as error:
            raise self._explained(error) from None

    def close(self) -> None:
        """Close the connections; that also happens when nothing holds the client any more."""
        self._closing()

    def _explained(self, error: Exception) -> ProviderError:
        import httpx
        from cohere.core.api_error import ApiError

        where = f"Cohere at {self.base_url}"
        words = redacted(_vendor_words(error), self._key)
        status = error.status_code if isinstance(error, ApiError) else None
        if isinstance(error, httpx.TimeoutException):
            return ProviderError(
                f"{where} gave no answer within {self._timeout_s:g} s.", hint="Try again later.", retryable=True
            )
        if isinstance(error, httpx.TransportError):
            hint = "Check the base URL and that the service is running."
            return ProviderError(f"{where} cannot be reached: {words}", hint=hint, retryable=True)
        if status is None or status < 400:
            return ProviderError(
                f"{where} answered with something that is not what its API describes: {words}",
                hint="Check that the base URL is that of Cohere's API or of a service that speaks it.",
                retryable=True,
            )
        return ProviderError(f"{where} answered {status}: {words}", hint=_hint(status), retryable=may_pass(status))


def open_cohere(
    base_url: str, key_variable: str = "", *, timeout_s: float = TIMEOUT_S, max_attempts: int = MAX_ATTEMPTS
) -> CohereClient:
    """A client whose key is read now from `key_variable` in the environment or `.env`; "" for a service without keys.

    Raises ProviderError with the line to add if the variable is not set.
    """
    key = settings.secret(key_variable) if key_variable else ""
    if key_variable and not key:
        raise ProviderError(
            f"The key for Cohere at {base_url} is missing: {key_variable} is not set.",
            hint=f"Add the line {key_variable}=… to {settings.ENV_FILE.name}, then try again; no restart is needed.",
        )
    return CohereClient(base_url, key, timeout_s=timeout_s, max_attempts=max_attempts)


def _failures() -> tuple[type[Exception], ...]:
    import httpx
    from cohere.core.api_error import ApiError
    from cohere.core.parse_error import ParsingError

    return ApiError, ParsingError, httpx.HTTPError, ValueError, TypeError  # the last for a list where an object belongs


def _worth_retrying(error: BaseException) -> bool:
    import httpx
    from cohere.core.api_error import ApiError

    if isinstance(error, ApiError):
        return may_pass(error.status_code or 0) and not asks_too_long(error)
    return isinstance(error, httpx.TransportError)


def _vendor_words(error: Exception) -> str:
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        return str(body.get("message") or body.get("detail") or body)[:500]
    said = getattr(body, "message", None) or body  # the SDK makes some bodies into objects
    return str(said or error)[:500]


def _hint(status: int) -> str:
    return {
        400: "Check the model's name on Settings, and what the service says about the request.",
        401: "Check the key: Settings shows which variable it is read from.",
        402: "The account has no credit left; add some, or choose another provider.",
        403: "The key may not do this; check its permissions and whether the service still offers it.",
        404: "Check the base URL and the model's name on Settings; the service may not offer this any more.",
        422: "Check the model's name on Settings, and what the service says about the request.",
        429: "Wait a while, or check the account's quota: trial keys allow few calls a minute; then resume.",
    }.get(status, "The service has a problem of its own; resume later, nothing done so far is lost.")
