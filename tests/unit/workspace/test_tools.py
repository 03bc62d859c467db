"""Lists of functions that are kept with a project."""

from pathlib import Path

import pytest

from finetune_core.errors import DatasetError
from finetune_core.workspace import projects, tools
from finetune_core.workspace.tools import FieldType, ToolField


@pytest.fixture
def project_id(home: Path) -> str:
    return projects.create("Tools").id


def test_a_function_is_made_field_by_field() -> None:
    made = tools.from_fields(
        "book", "Books a table.",
        [
            ToolField("people", FieldType.INTEGER, "How many."),
            ToolField("area", choices=("in", "out", "in"), is_required=False),
            ToolField("wishes", FieldType.TEXTS, is_required=False, choices=("quiet", "window")),
        ],
    )  # fmt: skip
    assert made["function"] == {
        "name": "book",
        "description": "Books a table.",
        "parameters": {
            "type": "object",
            "properties": {
                "people": {"type": "integer", "description": "How many."},
                "area": {"type": "string", "enum": ["in", "out"]},
                "wishes": {"type": "array", "items": {"type": "string", "enum": ["quiet", "window"]}},
            },
            "required": ["people"],
            "additionalProperties": False,
        },
    }
    for wrong in (
        [ToolField("no name")],
        [ToolField("a"), ToolField("a")],
        [ToolField("a", FieldType.NUMBER, choices=("1",))],
    ):
        with pytest.raises(DatasetError):
            tools.from_fields("book", "", wrong)
    with pytest.raises(DatasetError, match="function's name"):
        tools.from_fields("book a table", "", [])


def test_lists_are_kept_grown_and_deleted(project_id: str) -> None:
    first, second = (tools.from_fields(name, "", [ToolField("a")]) for name in ("one", "two"))
    tools.add(project_id, " Shop ", [first])
    changed = tools.from_fields("one", "Another.", [])
    assert tools.add(project_id, "Shop", [second, changed]).tools == (changed, second)
    assert [one.name for one in tools.listing(project_id)] == ["Shop"]
    assert tools.get(project_id, "Shop").tools == (changed, second)
    tools.delete(project_id, "Shop", "one")
    assert tools.get(project_id, "Shop").tools == (second,)
    with pytest.raises(DatasetError, match="no function 'one'"):
        tools.delete(project_id, "Shop", "one")
    tools.delete(project_id, "Shop", "two")
    assert tools.listing(project_id) == []
    with pytest.raises(DatasetError, match="no list of functions 'Shop'; the project has: none"):
        tools.get(project_id, "Shop")
    for name, given in (("", [first]), ("x" * 121, [first]), ("Shop", [])):
        with pytest.raises(DatasetError):
            tools.add(project_id, name, given)


def test_a_file_is_told_of_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes('class Caf\u00e9(BaseModel):\n    """\u00c9t\u00e9."""\n    x: int\n'.encode("utf-16"))
    with pytest.raises(DatasetError, match=r"names\.py, tool 1: a function's name"):
        tools.read_file(path, called="names.py")
    path.write_text("class Cafe(BaseModel):\n    x: int\n", encoding="utf-8")
    assert tools.read_file(path)[0]["function"]["name"] == "Cafe"
