"""Messages to the text that a chat model reads, and back: the same for training, measuring and use.

Where a model's own template has a place for functions, it is used. Else they are described in the system message and
called in the form of Hermes and Qwen: `<tool_call>{"name": …, "arguments": …}</tool_call>`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from finetune_core.errors import ProviderError
from finetune_core.providers.chat import Call, Message, RequestRefusedError, Tool

PROMPT_VERSION = "tools.v1"
CALL_START, CALL_END = "<tool_call>", "</tool_call>"
_CALL = re.compile(rf"{CALL_START}\s*(.*?)\s*(?:{CALL_END}|\Z)", re.DOTALL)
_NAME = re.compile(r'"name"\s*:\s*"([^"]*)"')


class ChatTemplate:
    """The chat template of a tokenizer of transformers. Raises ProviderError if it has none."""

    def __init__(self, tokenizer: Any, model: str) -> None:
        if not tokenizer.chat_template:
            raise ProviderError(
                f"The model {model} has no chat template, so it is unknown how it is asked.",
                hint='Choose a model that was tuned for chats; its name often ends in "Instruct" or "Chat".',
            )
        self._tokenizer, self._model = tokenizer, model
        template = tokenizer.chat_template
        text = template if isinstance(template, str) else json.dumps(template)
        self.knows_tools = re.search(r"\btools\b", text) is not None
        self.tags_calls = not self.knows_tools or CALL_START in text

    def prompt(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> str:
        """What the model reads before it answers. Raises RequestRefusedError if its template refuses the messages."""
        return self._render(messages, tools, add_generation_prompt=True)

    def answer(self, messages: Sequence[Message], tools: Sequence[Tool], response: Message) -> str:
        """What the model should write after `prompt(messages, tools)`, with the mark of its end.

        Raises RequestRefusedError also where the template writes an answer another way than it asks for one.
        """
        prompt = self.prompt(messages, tools)
        whole = self._render([*messages, {**response, "role": "assistant"}], tools, add_generation_prompt=False)
        if not whole.startswith(prompt):
            raise RequestRefusedError(
                f"The chat template of {self._model} does not write an answer where it asks for one.",
                hint="Choose another base model, or give this one a template that does.",
            )
        return whole[len(prompt) :]

    def _render(self, messages: Sequence[Message], tools: Sequence[Tool], *, add_generation_prompt: bool) -> str:
        given = _native(messages) if self.knows_tools else _plain(messages, tools)
        try:
            text = self._tokenizer.apply_chat_template(
                given,
                tools=[dict(tool) for tool in tools] or None if self.knows_tools else None,
                add_generation_prompt=add_generation_prompt,
                tokenize=False,
                enable_thinking=False,  # thinking aloud would spend the answer's tokens
            )
        except Exception as error:  # templates are programs of others: jinja2's errors, or any of Python's
            raise RequestRefusedError(
                f"The chat template of {self._model} refuses these messages: {error}",
                hint="Leave out what this model does not know (often the system message), or choose another model.",
            ) from error
        return str(text)


def parsed(text: str, tools: Sequence[Tool]) -> tuple[str, tuple[Call, ...]]:
    """What the model said, and the calls in it; without `tools` all of it is said.

    Calls stand between tags, or are all of the answer: a JSON object, or a list of them, with `name` and `arguments` or
    `parameters`. What stands between tags and is no such JSON is a call all the same, with its text as arguments.
    """
    if not tools:
        return text, ()
    if tagged := _CALL.findall(text):
        return text.split(CALL_START, 1)[0].strip(), tuple(_call(found) for found in tagged)
    bare = text.strip().removeprefix("[TOOL_CALLS]").removeprefix("<|python_tag|>").strip()
    try:
        value = json.loads(bare)
    except ValueError:
        return text, ()
    wanted = value if isinstance(value, list) else [value]
    if wanted and all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in wanted):
        return "", tuple(_call(json.dumps(one, ensure_ascii=False)) for one in wanted)
    return text, ()


def _call(text: str) -> Call:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        found = _NAME.search(text)
        return Call(found.group(1) if found else "", text)
    arguments = value.get("arguments", value.get("parameters", {}))
    return Call(value["name"], arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False))


def _native(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """As templates want them: contents are texts, arguments are objects, so that a template does not quote them twice."""
    return [
        {**message, "content": _text(message)}
        | ({"tool_calls": [_as_object(call) for call in calls]} if (calls := message.get("tool_calls")) else {})
        for message in messages
    ]


def _plain(messages: Sequence[Message], tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """The messages with functions, calls and results written into their texts."""
    found: list[dict[str, Any]] = []
    for message in messages:
        role, text = message["role"], _text(message)
        if calls := message.get("tool_calls"):
            text = "\n".join(
                [*([text] if text else []), *(tagged_call(_as_object(call)["function"]) for call in calls)]
            )
        elif role == "tool":
            role, text = "user", f"<tool_response>\n{text}\n</tool_response>"
        if found and role == "user" == found[-1]["role"] and message["role"] == "tool":
            found[-1]["content"] += f"\n{text}"  # several results are one turn
        else:
            found.append({"role": role, "content": text})
    if not tools:
        return found
    told = described(tools)
    if found and found[0]["role"] == "system":
        return [{"role": "system", "content": f"{found[0]['content']}\n\n{told}".strip()}, *found[1:]]
    return [{"role": "system", "content": told}, *found]


def tagged_call(function: Mapping[str, Any]) -> str:
    """A call of a function, `{"name", "arguments"}`, as a model without a form of its own is taught to write it."""
    kept = {"name": function["name"], "arguments": function["arguments"]}
    return f"{CALL_START}\n{json.dumps(kept, ensure_ascii=False)}\n{CALL_END}"


def _as_object(call: Mapping[str, Any]) -> dict[str, Any]:
    function = dict(call["function"])
    if isinstance(function.get("arguments"), str):
        with suppress(ValueError):  # then it stays the text that it is
            function["arguments"] = json.loads(function["arguments"])
    return {**call, "function": function}


def _text(message: Message) -> str:
    content = message.get("content")
    if isinstance(content, Sequence) and not isinstance(content, str):
        return "".join(part.get("text") or "" for part in content if isinstance(part, Mapping))
    return str(content or "")


def described(tools: Sequence[Tool]) -> str:
    """What a model without a place for functions in its template is told about them, in the system message."""
    from jinja2 import Environment, StrictUndefined

    source = (Path(__file__).parent / "prompts" / f"{PROMPT_VERSION}.jinja").read_text("utf-8")
    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 - a prompt, not HTML
    functions = [json.dumps(tool["function"], ensure_ascii=False) for tool in tools]
    return environment.from_string(source).render(tools=functions).strip()
