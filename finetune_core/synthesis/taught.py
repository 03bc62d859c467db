"""What a strong model, the teacher, gives for one question: an example of any kind of demonstration, or why there is none."""

from dataclasses import dataclass
from typing import Any

OVERHEAD_TOKENS = 200
"""The schema and the chat format, which a service counts as input too."""


@dataclass(frozen=True, slots=True)
class Taught:
    """A record as the teacher gave it; `reason` says what is wrong with it, "" for nothing.

    With both, the example is kept, but set aside, for a person to correct; without an example there is nothing to keep.
    """

    example: Any | None
    reason: str = ""
