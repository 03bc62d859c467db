"""Functions that a model may call, from whatever people have: OpenAI's tools, JSON Schema, or pydantic classes."""

import json
import re
from collections.abc import Mapping
from typing import Any

from finetune_core.corpus.interchange.messages import FUNCTION_NAME, read_tools
from finetune_core.corpus.interchange.pydantic_source import MAX_CHARS, tools_in
from finetune_core.errors import DatasetError
from finetune_core.records import Tool


def read_tool_text(text: str, name: str = "", where: str = "This text") -> list[Tool]:
    """The functions in a text, at least one.

    The text is a JSON list of tools or an object that has one (OpenAI's form), one tool, a JSON Schema of an object, or
    Python source with pydantic classes, which is read and never run. `name` is what the function of a JSON Schema is called;
    without it, its title is taken. Raises DatasetError for anything else.
    """
    if not text.strip():
        raise DatasetError(f"{where} is empty.", hint="Paste functions, a JSON Schema or pydantic classes.")
    if len(text) > MAX_CHARS:
        raise DatasetError(
            f"{where} has {len(text):,} characters; at most {MAX_CHARS:,} are read.", hint="Make it shorter."
        )
    if text.lstrip()[0] not in "[{":
        return read_tools(tools_in(text, where), where)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"{where} is no JSON: {error}.", hint="Correct it; brackets and quotes come in pairs."
        ) from error
    tools = read_tools(_listed(found, name), where)
    if not tools:
        raise DatasetError(f"{where} has no functions.", hint="Paste at least one.")
    return tools


def _listed(found: Any, name: str) -> Any:
    """The tools in parsed JSON as a list; what is a schema becomes the parameters of a function."""
    if isinstance(found, list):
        return found
    for key in ("tools", "functions"):
        if isinstance(found.get(key), list):
            return found[key]
    if isinstance(found.get("function"), Mapping) or "parameters" in found:
        return [found]
    schema = {key: value for key, value in found.items() if key != "description"}
    called = name.strip() or _as_name(str(found.get("title") or "answer"))
    return [{"name": called, "description": str(found.get("description") or ""), "parameters": schema}]


def _as_name(title: str) -> str:
    """A title as the name of a function: what such a name cannot hold becomes _."""
    return title if FUNCTION_NAME.fullmatch(title) else re.sub(r"[^a-zA-Z0-9_-]+", "_", title).strip("_")[:64]
