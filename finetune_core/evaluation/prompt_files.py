"""The prompts of tuned language models: versioned files, the same for training, measuring and use."""

import functools
import json
from pathlib import Path
from typing import Any

from jinja2 import Template

FOLDER = Path(__file__).parent / "prompts"


def prompt(name: str, **values: Any) -> str:
    """The prompt file `name` ("judge_correctness.v1") filled in. Raises jinja2.UndefinedError for a missing value."""
    return _template(name).render(**values).strip()


def source(name: str) -> str:
    """The prompt file itself, a Jinja template whose blocks leave no lines behind, for code that works without Ayar."""
    return (FOLDER / f"{name}.jinja").read_text(encoding="utf-8")


@functools.cache
def _template(name: str) -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701 - a prompt
    environment.filters["json"] = functools.partial(
        json.dumps, sort_keys=True, ensure_ascii=False
    )  # as it is, not for HTML
    return environment.from_string(source(name))
