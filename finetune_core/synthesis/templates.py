"""Prompts are versioned jinja files; a project may keep its own edition of one."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from finetune_core.errors import ProviderError

FOLDER = Path(__file__).parent / "prompts"
VARIABLES = {
    "questions": {"passage", "heading", "language", "num_questions", "avoid"},
    "local_questions": {"passage", "heading", "language", "sentence"},
    "choice_queries": {
        "name", "description", "others", "excerpts", "is_out_of_scope", "language", "num_queries", "num_wordings", "avoid",
    },
    "local_choice_queries": {"name", "description", "sentence", "said", "is_out_of_scope", "number", "language"},
    "sql_questions": {"dialect", "schema", "samples", "table", "language", "num_questions", "avoid"},
    "rag_answers": {"passages", "question"},
}  # fmt: skip
"""The prompts by name, and what each may use."""
REQUIRED = {
    "questions": {"passage"}, "local_questions": {"sentence"}, "choice_queries": {"name"}, "local_choice_queries": {"name"},
    "sql_questions": {"schema"}, "rag_answers": {"passages"},
}  # fmt: skip
_LISTS = ("avoid", "others", "excerpts")
_NUMBERS = ("num_questions", "num_queries", "num_wordings", "number")
MAX_CHARS = 20_000

# Templates are written by people in the dashboard: sandboxed, and a misspelt variable is an error, not an empty string.
_environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@functools.cache
def shipped_prompt(name: str) -> tuple[int, str]:
    """(version, text) of the newest shipped file of that prompt. Raises ValueError for an unknown name."""
    files = {int(path.name.split(".")[1][1:]): path for path in FOLDER.glob(f"{name}.v*.jinja")}
    if name not in VARIABLES or not files:
        raise ValueError(f"There is no prompt {name!r}; known are {', '.join(VARIABLES)}.")
    version = max(files)
    return version, files[version].read_text("utf-8")


def check_prompt(name: str, text: str) -> None:
    """Raise ProviderError that says what is wrong if `text` cannot serve as the prompt `name`."""
    known, required = VARIABLES[name], REQUIRED[name]
    if len(text) > MAX_CHARS:
        raise ProviderError(
            f"The prompt has {len(text)} characters; {MAX_CHARS} are allowed.", hint="Shorten it, then save again."
        )
    try:
        used = meta.find_undeclared_variables(_environment.parse(text))
    except TemplateError as error:
        raise ProviderError(
            f"The prompt is not a valid jinja template: {error}.", hint="Look for a brace that is not closed."
        ) from error
    if unknown := used - known:
        raise ProviderError(
            f"The prompt uses {', '.join(sorted(unknown))}, which does not exist.",
            hint=f"Use only {', '.join(sorted(known))}, each in double braces.",
        )
    if missing := required - used:
        raise ProviderError(
            f"The prompt never uses {', '.join(sorted(missing))}.",
            hint=f"Put {{{{ {min(missing)} }}}} where it belongs; without it everything is asked the same.",
        )
    tried: dict[str, Any] = dict.fromkeys(known, "")
    render(text, {**tried, **{name: [] for name in _LISTS}, **dict.fromkeys(_NUMBERS, 1)})


def render(text: str, values: Mapping[str, Any]) -> str:
    """The template filled in. Raises ProviderError if it cannot be."""
    try:
        return _compiled(text).render(values).strip()
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise ProviderError(
            f"The prompt cannot be filled in: {error}.",
            hint="Open the prompt editor on the Generate page and correct it.",
        ) from error


@functools.lru_cache(maxsize=32)
def _compiled(text: str) -> Template:
    return _environment.from_string(text)
