"""How often a client may try a password."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable

MAX_FAILURES = 5
WINDOW_S = 60.0
_MAX_CLIENTS = 10_000


class Attempts:
    """Failed tries of the last minute, for each client address; at most five are let through."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, client: str) -> float:
        """Seconds until `client` may try again; 0 if it may now."""
        failures = self._failures.get(client)
        if not failures:
            return 0.0
        while failures and failures[0] <= self._clock() - WINDOW_S:
            failures.popleft()
        return failures[0] + WINDOW_S - self._clock() if len(failures) >= MAX_FAILURES else 0.0

    def failed(self, client: str) -> None:
        """Note a failed try. The oldest client is forgotten when there are very many."""
        self._failures.setdefault(client, deque(maxlen=MAX_FAILURES)).append(self._clock())
        self._failures.move_to_end(client)
        while len(self._failures) > _MAX_CLIENTS:
            self._failures.popitem(last=False)
