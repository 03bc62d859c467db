"""The client of an OpenAI-compatible service for everything but answers: files, fine-tuning jobs, the list of models."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from finetune_core.errors import ProviderError
from finetune_core.providers import openai_calls, retries
from finetune_core.providers.chat import Checkpoint

if TYPE_CHECKING:
    import openai

T = TypeVar("T")

TIMEOUT_S = 120.0


class OpenAIClient:
    """A service behind `base_url`; `key` may be "" for one that asks for none, and never appears in an error."""

    def __init__(
        self,
        base_url: str,
        model: str,
        key: str = "",
        *,
        timeout_s: float = TIMEOUT_S,
        max_attempts: int = retries.MAX_ATTEMPTS,
    ) -> None:
        self.base_url, self._model, self._key = base_url, model, key
        self._timeout_s, self._max_attempts = timeout_s, max_attempts
        self._client = openai_calls.client_of(self, base_url, key, timeout_s)

    def ask(self, call: "Callable[[openai.OpenAI], T]", checkpoint: Checkpoint | None = None) -> T:
        """What `call` returns, tried again while that may help.

        Raises ProviderError in the vendor's words, `retryable` if the same call may succeed later.
        """
        import openai

        try:
            found: T = openai_calls.retrying(self._max_attempts, checkpoint)(call, self._client)
        except (openai.OpenAIError, ValueError) as error:
            raise self._explained(error, self._max_attempts) from None  # the cause holds the request, and that the key
        return found

    def ask_once(self, call: "Callable[[openai.OpenAI], T]") -> T:
        """As `ask`, in one try: for what must not be made twice, where only the caller can tell whether it was."""
        import openai

        try:
            return call(self._client)
        except (openai.OpenAIError, ValueError) as error:
            raise self._explained(error, 1) from None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _explained(self, error: "openai.OpenAIError | ValueError", num_attempts: int) -> ProviderError:
        name = f"{self._model} at {self.base_url}"
        return openai_calls.explained(error, name, self._key, self._timeout_s, num_attempts, "fine-tuning")


def open_openai(base_url: str, model: str, key_variable: str = "") -> OpenAIClient:
    """A client whose key is read now from `key_variable` in the environment or `.env`; "" for a service without keys.

    Raises ProviderError with the line to add if the variable is not set.
    """
    return OpenAIClient(base_url, model, openai_calls.key_of(base_url, model, key_variable))
