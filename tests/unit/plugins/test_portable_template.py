"""What leaves here reads functions as it learned to: the template of plain transformers gives the prompt of training."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from finetune_core import recipes
from finetune_core.evaluation.calling import answer_text, prompted, prompted_form
from finetune_core.plugins.snippets import FRAMEWORKS, render
from finetune_core.providers.chat_model import quiet_peft
from finetune_core.providers.chat_template import ChatTemplate
from finetune_core.providers.portable_template import TAGGED, tool_form, with_tools
from tests.tiny_transformer import CHATML
from tests.training_fixtures import Trained

NATIVE = (
    "{%- if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>\n{% endif %}"
    "{%- for message in messages %}<|{{ message.role }}|>{{ message.content }}"
    "{% for call in message.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": 'Für <b>R&D</b>\'s … 😀 "tables"',
            "parameters": {"type": "object", "properties": {"b": {"type": "string"}, "a": {"enum": ["ı", "<"]}}},
        },
    }
    for name in ("book", "cancel")
]
SYSTEM, ASKED = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Zwei & 'eins'?"}
CALL = {"id": "c1", "type": "function", "function": {"name": "book", "arguments": '{"b": "ı"}'}}
TURNS = [
    ASKED,
    {"role": "assistant", "content": "One moment.", "tool_calls": [CALL, {**CALL, "id": "c2"}]},
    {"role": "tool", "tool_call_id": "c1", "content": "done"},
    {"role": "tool", "tool_call_id": "c2", "content": "failed"},
]
CONVERSATIONS = [[ASKED], [SYSTEM, ASKED], TURNS, [SYSTEM, *TURNS, {"role": "assistant", "content": "So."}, ASKED]]


def tokenizer(template: str) -> Any:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    made = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), eos_token="<|im_end|>")
    made.chat_template = template
    return made


def rendered(template: str, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None) -> str:
    """What plain transformers makes of it."""
    return str(
        tokenizer(template).apply_chat_template(messages, tools=tools, add_generation_prompt=True, tokenize=False)
    )


@pytest.mark.parametrize("base", [CHATML, "\n  " + CHATML, NATIVE], ids=["plain", "spaced", "native"])
@pytest.mark.parametrize("messages", CONVERSATIONS)
def test_the_prompt_is_that_of_training(base: str, messages: list[dict[str, Any]]) -> None:
    trained = ChatTemplate(tokenizer(base), "model")
    calling = with_tools(base, prompted_form())
    is_native = base is NATIVE
    given = [
        {**one, "tool_calls": [{**call, "function": {**call["function"], "arguments": {"b": "ı"}}} for call in calls]}
        if is_native and (calls := one.get("tool_calls"))
        else one
        for one in messages
    ]  # as a template with a form of its own wants them
    assert rendered(calling, given, TOOLS) == trained.prompt(prompted(messages, TOOLS))
    if not is_native:
        tagged = with_tools(base, TAGGED)
        assert rendered(tagged, messages, TOOLS) == trained.prompt(messages, TOOLS)
        assert rendered(tagged, messages, None) == trained.prompt(messages)
        assert ChatTemplate(tokenizer(tagged), "export").prompt(messages, TOOLS) == trained.prompt(messages, TOOLS)


def test_without_functions_nothing_changes() -> None:
    for base in (CHATML, "\n  " + CHATML, NATIVE):
        for form in (TAGGED, prompted_form()):
            assert rendered(with_tools(base, form), [SYSTEM, ASKED], None) == rendered(base, [SYSTEM, ASKED], None)


def test_a_form_has_each_function_on_a_line() -> None:
    with pytest.raises(ValueError, match="line of its own"):
        tool_form(lambda tools: json.dumps(tools))


def test_an_exported_caller_is_asked_as_it_learned(
    trained_caller: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import AutoTokenizer

    recipe, example = recipes.get("function_calling"), trained_caller.split.test.examples[0]
    artefact = tmp_path / "artefact"
    artefact.mkdir()
    recipe.save(trained_caller.model, artefact)
    base = ChatTemplate(AutoTokenizer.from_pretrained(trained_caller.config.base_model), "base")
    expected = base.prompt(prompted(example.messages, example.tools))
    for name in ("merged model", "LoRA adapter"):
        target = tmp_path / name
        target.mkdir()
        recipe.exports[name](artefact, target)
        assert (target / "chat_template.jinja").is_file()
    loaded = AutoTokenizer.from_pretrained(tmp_path / "merged model")
    messages, tools = list(example.messages), list(example.tools)
    asked = loaded.apply_chat_template(messages, tools=tools, add_generation_prompt=True, tokenize=False)
    assert asked == expected
    framework = FRAMEWORKS["function_calling"][0]
    code = render(
        framework.template, folder=str(tmp_path / "LoRA adapter"), name="Caller", precision="float32",
        base_model=trained_caller.config.base_model,
    )  # fmt: skip
    assert "finetune_core" not in code
    script = tmp_path / "snippet.py"
    script.write_text(f"{code}\nprint(answer({messages!r}, tools={tools!r}))\n", encoding="utf-8")
    with quiet_peft():
        runpy.run_path(str(script))
    assert capsys.readouterr().out.splitlines()[-1] == answer_text(example.calls)
