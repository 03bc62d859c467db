"""Finds in texts what should not be learned by heart, and takes it out: e-mail addresses, keys, and numbers of payment cards
and of telephones.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Secret(StrEnum):
    """What can be taken out; the value stands in its place, in square brackets."""

    EMAIL = "e-mail"
    KEY = "key"
    CARD = "card number"
    PHONE = "telephone number"


@dataclass(frozen=True, slots=True)
class Found:
    """A secret in a text, from character `start` up to but not with `end`."""

    kind: Secret
    start: int
    end: int


_PATTERNS = {
    # The prefixes by which the largest issuers mark their keys, so that leaked ones can be found.
    Secret.KEY: re.compile(
        r"\b(?:sk-[\w-]{16,}|(?:ghp|gho|ghs|ghu)_\w{30,}|github_pat_\w{30,}|hf_\w{30,}|glpat-[\w-]{16,}"
        r"|AKIA[0-9A-Z]{16}|AIza[\w-]{35}|xox[abprs]-[\w-]{10,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,})"
    ),
    Secret.EMAIL: re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    Secret.CARD: re.compile(r"(?<![\d.,-])\d(?:[ -]?\d){12,18}(?![\d-])"),
    # ITU-T E.123: + and the country, at most 15 digits; without the + too much else looks alike.
    Secret.PHONE: re.compile(r"(?<![\w+])\+[1-9](?:[ ./-]?\(?\d\)?){6,14}(?!\d)"),
}
"""In the order in which they are looked for: what one has taken is no other's."""


def find(text: str, kinds: Collection[Secret] = tuple(Secret)) -> list[Found]:
    """The secrets of those kinds in a text, in order; none overlaps another."""
    found: list[Found] = []
    for kind in (kind for kind in _PATTERNS if kind in kinds):
        for match in _PATTERNS[kind].finditer(text):
            is_one = kind is not Secret.CARD or _passes_luhn(match[0])
            if is_one and not any(match.start() < one.end and one.start < match.end() for one in found):
                found.append(Found(kind, match.start(), match.end()))
    return sorted(found, key=lambda one: one.start)


def redact(text: str, found: Counter[Secret] | None = None, kinds: Collection[Secret] = tuple(Secret)) -> str:
    """`text` with every secret of those kinds replaced by its kind; `found` counts them."""
    parts, at = [], 0
    for one in find(text, kinds):
        parts += [text[at : one.start], f"[{one.kind}]"]
        at = one.end
        if found is not None:
            found[one.kind] += 1
    return "".join([*parts, text[at:]])


def redact_all(value: Any, found: Counter[Secret] | None = None, kinds: Collection[Secret] = tuple(Secret)) -> Any:
    """The same for every text in lists and objects, however deep; keys of objects stay."""
    if isinstance(value, str):
        return redact(value, found, kinds)
    if isinstance(value, Mapping):
        return {key: redact_all(inner, found, kinds) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return type(value)(redact_all(inner, found, kinds) for inner in value)  # type: ignore[call-arg]
    return value


def texts_in(value: Any) -> Iterator[str]:
    """Every text that `redact_all` looks through, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts_in(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from texts_in(inner)


def _passes_luhn(text: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812): order numbers and telephone numbers mostly fail it."""
    digits = [int(digit) for digit in reversed(text) if digit.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
