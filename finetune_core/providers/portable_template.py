"""A model's chat template with functions in the form it was tuned with, for whatever reads templates of transformers.

A tuned model leaves with it: `tokenizer.apply_chat_template(messages, tools=…)` then gives the prompt of training, without Ayar.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from finetune_core.providers.chat import Tool
from finetune_core.providers.chat_template import described

FILE_NAME = "chat_template.jinja"
"""Where transformers looks for a template beside a tokenizer."""
_SOURCE = Path(__file__).parent / "prompts" / "functions_in_template.v1.jinja"
_MARK: Tool = {"function": "@@"}


@dataclass(frozen=True, slots=True)
class ToolForm:
    """How functions stand in a prompt: between `before` and `after`, one to a line.

    `is_first` puts them before what the system is told, else they come after it. `is_sorted` writes their keys in the order of
    the alphabet, else as they come.
    """

    before: str
    after: str
    is_first: bool = False
    is_sorted: bool = False


def tool_form(write: Callable[[list[Tool]], str], *, is_first: bool = False, is_sorted: bool = False) -> ToolForm:
    """The form that `write` gives functions, as told from how it writes one. ValueError if that is not on a line of its own."""
    before, mark, after = write([_MARK]).partition('"@@"\n')
    if not mark:
        raise ValueError("a function has to stand on a line of its own")
    return ToolForm(before, after, is_first, is_sorted)


TAGGED = tool_form(described)
"""How models without a place for functions in their own template are asked and trained."""


def with_tools(template: str, form: ToolForm) -> str:
    """The template with functions written in `form`; one that has a place for functions of its own keeps it for calls.

    Calls in messages, and their results, are written into the texts as in training where the template has no place for them.
    """
    knows_tools = re.search(r"\btools\b", template) is not None
    values = {
        "@BEFORE@": json.dumps(form.before, ensure_ascii=False),
        "@AFTER@": json.dumps(form.after, ensure_ascii=False),
        "@FUNCTION@": "function | tojson(sort_keys=true)" if form.is_sorted else "function | tojson",
        "@WRITES_CALLS@": "false" if knows_tools else "true",
        "@IS_FIRST@": "true" if form.is_first else "false",
    }
    source = re.sub(r"\{#-.*?-#\}\n?", "", _SOURCE.read_text(encoding="utf-8")).strip()
    source = re.sub("|".join(values), lambda found: values[found[0]], source)
    return f'{source}{{{{- "" }}}}{template}'
