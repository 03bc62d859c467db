"""What is made at a vendor is made once, and waited for, whatever happens to this process in between.

A vendor's jobs cost money and carry no idempotency key. So what is about to be created is remembered before it is sent,
under a name nobody else uses; whoever starts again looks for that name before anything is sent a second time.
"""

import uuid
from collections.abc import Callable
from typing import TypeVar

from finetune_core.errors import ProviderError
from finetune_core.providers.retries import wait
from finetune_core.recipe import Run

T = TypeVar("T")

MAX_SENT = 4
"""How often something may be sent that did not come into being."""
MAX_FAILED_LOOKS = 30
"""How many looks in a row may fail in a way that may pass before the waiting is given up."""


def unique_name(run: Run) -> str:
    """The name that this run gives to what it creates: made up and remembered at the first call."""
    name = run.recall("vendor_name")
    if name is None:
        name = f"ayar-{uuid.uuid4().hex[:16]}"
        run.remember(vendor_name=name)
    return str(name)


def created_once(run: Run, key: str, find: Callable[[], str | None], create: Callable[[], str], pause_s: float) -> str:
    """The id of what `create` makes, remembered under `key`; made only if it neither is remembered nor can be found.

    `find` looks for it by its name and returns the id or None; `create` sends it, in one try. After a failure that may
    pass, and after a start in an unknown state, it is looked for twice, `pause_s` seconds apart, because a service may
    list a thing a little later than it makes it. Raises what `create` raises, if that will not pass or came too often.
    """
    if known := run.recall(key):
        return str(known)
    for attempt in range(1, MAX_SENT + 1):
        if run.recall(f"{key}_sent") and (found := _found(run, find, pause_s)):
            run.remember(**{key: found})
            return found
        run.checkpoint()
        run.remember(**{f"{key}_sent": True})
        try:
            made = create()
        except ProviderError as error:
            if not error.retryable or attempt == MAX_SENT:
                raise
            wait(pause_s, run.checkpoint)
        else:
            run.remember(**{key: made})
            return made
    raise AssertionError("the last attempt returns or raises")


def finished(run: Run, look: Callable[[], T | None], pause_s: float) -> T:
    """What `look` returns once that is not None, looking every `pause_s` seconds, however long it takes.

    Calls `run.checkpoint()` while waiting. A look that fails in a way that may pass is made again, up to
    `MAX_FAILED_LOOKS` times in a row; then, and for any other failure, its error is raised.
    """
    num_failed = 0
    while True:
        try:
            if (outcome := look()) is not None:
                return outcome
            num_failed = 0
        except ProviderError as error:
            num_failed += 1
            if not error.retryable or num_failed >= MAX_FAILED_LOOKS:
                raise
        run.checkpoint()
        wait(pause_s, run.checkpoint)


def _found(run: Run, find: Callable[[], str | None], pause_s: float) -> str | None:
    if found := find():
        return found
    wait(pause_s, run.checkpoint)
    return find()
