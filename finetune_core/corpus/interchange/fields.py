"""The fields that rows of demonstrations have in common: texts, numbers and lists in them, their group and their split."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from finetune_core.corpus.interchange.labelled import split_name
from finetune_core.errors import DatasetError
from finetune_core.records import content_id

_SPLITS = {"eval": "test", "evaluation": "test"}


def text_of(row: Mapping[str, Any], names: Sequence[str], where: str, *, needed: bool = False) -> str:
    """The text under the first of `names` that the row has, "" for none; numbers and truth values count as their texts.

    Raises DatasetError for another type, and for nothing but spaces where it is `needed`.
    """
    value = next((row[name] for name in names if row.get(name) is not None), "")
    if isinstance(value, bool | int | float):
        value = str(value)
    if not isinstance(value, str):
        raise DatasetError(f"{where}: {names[0]} is {_shown(value)}, not a text.", hint='Put it in "quotes".')
    if needed and not value.strip():
        raise DatasetError(f"{where} has no {names[0]}.", hint="Write one, or remove the row.")
    return value


def number_of(row: Mapping[str, Any], names: Sequence[str], where: str) -> float | None:
    """The number under the first of `names` that is filled, or None. Raises DatasetError for what is no finite number."""
    value = next((row[name] for name in names if row.get(name) not in (None, "")), None)
    return None if value is None else finite(value, names[0], where)


def finite(value: Any, name: str, where: str) -> float:
    """The value as a number. Raises DatasetError for what is no finite number."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise DatasetError(f"{where}: {name} is {_shown(value)}, not a number.", hint="Correct it in the file.")
    return number


def list_of(row: Mapping[str, Any], name: str, where: str) -> list[Any]:
    """The list under `name`, [] for none; in a table it is JSON, or values with | between them. Raises DatasetError."""
    value = row.get(name)
    if value in (None, ""):
        return []
    if isinstance(value, str):
        if not value.lstrip().startswith("["):
            return [part.strip() for part in value.split("|")]
        try:
            value = json.loads(value)
        except ValueError as error:
            raise DatasetError(f"{where}: {name} is no JSON list: {error}.", hint="Correct it in the file.") from error
    if not isinstance(value, list):
        raise DatasetError(f"{where}: {name} is {_shown(value)}, not a list.", hint="Correct it in the file.")
    return value


def split_of(row: Mapping[str, Any], where: str) -> str:
    """The part that `split` or `fold` names, "" for none; "eval" is the test part. Raises DatasetError for others."""
    text = str(row.get("split") or row.get("fold") or "").strip().lower()
    return split_name(_SPLITS.get(text, text), where)


def group_of(row: Mapping[str, Any], *texts: str) -> str:
    """The row's own group, else one made of the texts, which ignores case and spaces."""
    given = str(row.get("group") or "").strip()
    return given or content_id("group", *(" ".join(text.casefold().split()) for text in texts))


def id_of(row: Mapping[str, Any], *content: Any) -> str:
    """The row's own id, else one made of its content."""
    given = row.get("id")
    return str(given) if given not in (None, "") else content_id(json.dumps(content, sort_keys=True, default=str))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
