"""Takes out of texts what should not be learned by heart: e-mail addresses, keys, and the numbers of payment cards."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any


class Secret(StrEnum):
    """What can be taken out; the value stands in its place, in square brackets."""

    EMAIL = "e-mail"
    KEY = "key"
    CARD = "card number"


_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# The prefixes by which the largest issuers mark their keys, so that leaked ones can be found.
_KEY = re.compile(
    r"\b(?:sk-[\w-]{16,}|(?:ghp|gho|ghs|ghu)_\w{30,}|github_pat_\w{30,}|hf_\w{30,}|glpat-[\w-]{16,}"
    r"|AKIA[0-9A-Z]{16}|AIza[\w-]{35}|xox[abprs]-[\w-]{10,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,})"
)
_CARD = re.compile(r"(?<![\d.,-])\d(?:[ -]?\d){12,18}(?![\d-])")


def redact(text: str, found: Counter[Secret] | None = None) -> str:
    """`text` with every secret replaced by its kind; `found` counts them."""
    counts = found if found is not None else Counter()

    def replaced(kind: Secret) -> str:
        counts[kind] += 1
        return f"[{kind}]"

    text = _KEY.sub(lambda _: replaced(Secret.KEY), text)
    text = _EMAIL.sub(lambda _: replaced(Secret.EMAIL), text)
    return _CARD.sub(lambda match: replaced(Secret.CARD) if _passes_luhn(match[0]) else match[0], text)


def redact_all(value: Any, found: Counter[Secret] | None = None) -> Any:
    """The same for every text in lists and objects, however deep; keys of objects stay."""
    if isinstance(value, str):
        return redact(value, found)
    if isinstance(value, Mapping):
        return {key: redact_all(inner, found) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return type(value)(redact_all(inner, found) for inner in value)  # type: ignore[call-arg]
    return value


def _passes_luhn(text: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812): order numbers and telephone numbers mostly fail it."""
    digits = [int(digit) for digit in reversed(text) if digit.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
