"""Functions from what people have: pydantic classes that are read and never run, JSON Schema, and OpenAI's tools."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from finetune_core.corpus.interchange.tool_texts import read_tool_text
from finetune_core.errors import DatasetError

SOURCE = '''
"""Orders."""
from __future__ import annotations
import datetime
from enum import Enum, StrEnum
import typing as t
from typing import Annotated, Literal, Optional
from pydantic import BaseModel, ConfigDict, Field, field_validator

Size = Literal["small", "large"]

class Colour(str, Enum):
    """A colour."""
    RED = "red"
    BLUE = "blue"

class Item(BaseModel):
    """One line of an order."""
    model_config = ConfigDict(extra="forbid")
    name: str = Field(description="What it is.", min_length=1, max_length=80)
    count: int = Field(1, ge=1, le=99)
    size: Size = "small"
    colour: Optional[Colour] = Colour.RED

    @field_validator("name")
    @classmethod
    def tidy(cls, value):
        raise SystemExit("it was run")

class Base(BaseModel):
    at: "datetime.datetime | None" = None

class Order(Base):
    """Place an order.

    For one customer.
    """
    items: list[Item] = Field(default_factory=list, description="What is wanted.")
    extras: dict[str, float] = {}
    is_gift: bool
    tags: t.List[Annotated[str, Field(pattern="^[a-z]+$")]] | None = None
    anything: t.Any = None

class Cancel(BaseModel):
    number: int
'''


def test_pydantic_classes_have_the_schema_that_pydantic_gives_them() -> None:
    tools = read_tool_text(SOURCE)
    there: dict[str, Any] = {"__name__": "orders"}
    exec(compile(SOURCE, "orders", "exec", dont_inherit=True), there)  # the oracle, of source written here
    assert [tool["function"]["name"] for tool in tools] == ["Order", "Cancel"], "those that no other is made of"
    for tool in tools:
        made: type[BaseModel] = there[tool["function"]["name"]]
        made.model_rebuild(_types_namespace=there)
        expected = made.model_json_schema()
        assert tool["function"]["description"] == expected.pop("description", "")
        assert tool["function"]["parameters"] == expected
    assert tools[0]["function"]["description"] == "Place an order.\n\nFor one customer."
    assert tools[0]["function"]["parameters"]["$defs"]["Item"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("source", "line", "why"),
    [
        ("import os\nos.system('touch {marker}')", 2, "only imports, classes"),
        ("open('{marker}', 'w')\nclass A(BaseModel):\n    x: int", 1, "only imports"),
        ("class A(BaseModel):\n    x: int = open('{marker}', 'w')", 2, "only Field"),
        (
            "class A(BaseModel):\n    x: int = Field(default_factory=lambda: open('{marker}', 'w'))",
            2,
            "default_factory",
        ),
        ("class A(BaseModel):\n    x: __import__('os').system('touch {marker}')", 2, "a name was expected"),
        ("class A(BaseModel):\n    x: \"__import__('os')\"", 2, "a name was expected"),
        ("class A(BaseModel):\n    x: Decimal", 2, "Decimal is not known"),
        ("class A(BaseModel):\n    x: 'A | None' = None", 2, "A is made of itself"),
        ("class A:\n    x: int", 1, "no class of BaseModel"),
        ("@wraps\nclass A(BaseModel):\n    x: int", 2, "only imports"),
        ("class A(BaseModel, metaclass=M):\n    x: int", 1, "only imports"),
        ("class A(BaseModel):\n    x: int = Field(alias='y')", 2, r"Field\(alias=…\) is not known"),
        ("class A(BaseModel):\n    _x: int", 2, "starts with _"),
        ("class A(BaseModel):\n    x: str = Field(pattern='(')", 1, "pattern|regex"),
        ("class A(BaseModel):\n    class Config:\n        extra = 'forbid'", 2, "only fields"),
        (
            "class A(BaseModel):\n    @classmethod\n    def __get_pydantic_json_schema__(cls, c, h): ...",
            3,
            "only fields",
        ),
    ],
)
def test_what_is_not_known_is_refused_with_its_line_and_nothing_runs(
    source: str, line: int, why: str, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    with pytest.raises(DatasetError, match=f"line {line}: .*{why}") as caught:
        read_tool_text(source.replace("{marker}", str(marker)))
    assert "model_json_schema" in caught.value.hint
    assert not marker.exists()


@pytest.mark.parametrize(
    "text",
    ["", "   ", "hello there", "x = ", "[1]", "{", "[]", '{"tools": []}', "(" * 5000, "[" * 100_000, "class A(Enum):\n    X = 1",
     '{"type": "string"}', '{"type": "object", "properties": {"a": {"type": "no type"}}}', "\x00", "1" * 300_000],
)  # fmt: skip
def test_garbage_is_refused_in_words(text: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read_tool_text(text)
    assert caught.value.hint


def test_json_comes_in_each_form_that_is_known() -> None:
    schema = {
        "title": "Book a table",
        "description": "Books.",
        "type": "object",
        "properties": {"n": {"type": "integer"}},
    }
    function = {"name": "book", "description": "Books.", "parameters": schema}
    [made] = read_tool_text(json.dumps(schema))
    assert made["function"]["name"] == "Book_a_table"
    assert made["function"]["description"] == "Books."
    assert made["function"]["parameters"] == {key: value for key, value in schema.items() if key != "description"}
    assert read_tool_text(json.dumps(schema), "reserve")[0]["function"]["name"] == "reserve"
    whole = {"type": "function", "function": function}
    for given in ([function], [whole], {"tools": [whole]}, {"functions": [function]}, function, whole):
        assert read_tool_text(json.dumps(given)) == [whole]


@pytest.mark.parametrize(
    ("reference", "why"),
    [("http://127.0.0.1:9/schema.json", "never fetched"), ("file:///etc/hosts", "never fetched"), ("#/$defs/B", "does not have")],
)  # fmt: skip
def test_a_schema_is_whole_in_itself(reference: str, why: str) -> None:
    with pytest.raises(DatasetError, match=why):
        read_tool_text(json.dumps({"type": "object", "properties": {"a": {"$ref": reference}}}))
