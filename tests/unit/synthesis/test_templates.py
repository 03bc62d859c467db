"""Prompts: the shipped ones work, a project's own is checked before it is kept."""

import pytest

from finetune_core.errors import ProviderError
from finetune_core.synthesis import templates


def test_shipped_prompts_pass_their_own_check_and_carry_the_passage() -> None:
    for name, variables in templates.VARIABLES.items():
        version, text = templates.shipped_prompt(name)
        assert version >= 1
        templates.check_prompt(name, text)
        values: dict[str, object] = {variable: f"<<{variable}>>" for variable in variables}
        values |= {"avoid": ["<<old>>"], "num_questions": 3, "num_queries": 2, "num_wordings": 2, "number": 1}
        values |= {"is_out_of_scope": False, "said": ""}
        filled = templates.render(text, values)
        for required in templates.REQUIRED[name]:
            assert f"<<{required}>>" in filled
    with pytest.raises(ValueError, match="no prompt 'poems'"):
        templates.shipped_prompt("poems")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Ask about {{ passage", "not a valid jinja"),
        ("Ask about {{ pasage }} {{ passage }}", "pasage, which does not exist"),
        ("Ask something in {{ language }}", "never uses passage"),
        ("{{ passage }}" + "x" * 20_001, "20000 are allowed"),
        ("{{ passage }} {{ 1 / 0 }}", "cannot be filled in"),
        ("{{ passage.__class__.__mro__[1].__subclasses__() }}", "cannot be filled in"),
    ],
)
def test_what_is_wrong_with_a_prompt_is_said(text: str, says: str) -> None:
    with pytest.raises(ProviderError, match=says) as caught:
        templates.check_prompt("questions", text)
    assert caught.value.hint
