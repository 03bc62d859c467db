"""When a service is asked again, and after how long: bounded, in the pauses it asks for, and given up when a person says so."""

import email.utils
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from finetune_core.providers.chat import Checkpoint

if TYPE_CHECKING:
    from tenacity import RetryCallState, Retrying

MAX_ATTEMPTS = 5
MAX_WAIT_S = 120.0
"""The longest `Retry-After` that is waited for; a service that asks for more is reported instead."""
_TICK_S = 0.25


def retrying(
    is_worth_it: Callable[[BaseException], bool], max_attempts: int, checkpoint: Checkpoint | None
) -> "Retrying":
    """Calls a function at most `max_attempts` times (>= 1), with growing pauses or those that `Retry-After` asks for.

    Only after errors for which `is_worth_it`; the last one is raised as it is. `checkpoint` is called while waiting.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt

    return Retrying(
        stop=stop_after_attempt(max_attempts),
        wait=pause_s,
        retry=retry_if_exception(is_worth_it),
        sleep=lambda seconds: wait(seconds, checkpoint),
        reraise=True,
    )


def may_pass(status: int) -> bool:
    """Whether the same request may succeed later, after an answer of that HTTP status."""
    return status in (408, 409, 429) or status >= 500


def asks_too_long(error: BaseException) -> bool:
    """Whether the service asks for a longer pause than is waited for."""
    return (retry_after_s(error) or 0.0) > MAX_WAIT_S


def retry_after_s(error: BaseException | None) -> float | None:
    """Seconds the service asks to wait (RFC 9110, section 10.2.3: a number or a date), or None if it does not say.

    Headers are looked for on the error's response, or on the error itself.
    """
    found = getattr(getattr(error, "response", None), "headers", None) or getattr(error, "headers", None)
    headers: Mapping[str, str] = {name.lower(): value for name, value in dict(found or {}).items()}
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


def wait(seconds: float, checkpoint: Checkpoint | None) -> None:
    """Sleep, looking up every quarter of a second whether the wait was given up."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if checkpoint is not None:
            checkpoint()
        time.sleep(min(_TICK_S, left))


def pause_s(state: "RetryCallState") -> float:
    """How long to wait before the next attempt: what the service asks for, else a growing random time."""
    from tenacity import wait_random_exponential

    error = state.outcome.exception() if state.outcome else None
    asked_s = retry_after_s(error)
    return asked_s if asked_s is not None else wait_random_exponential(multiplier=0.5, max=20)(state)
