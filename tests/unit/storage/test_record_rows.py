"""Every kind of example survives Parquet unchanged."""

from pathlib import Path
from typing import Any

import pytest

from finetune_core.records import (
    Chat,
    Comparison,
    Judgement,
    Labelled,
    Part,
    Preference,
    QueryPassages,
    Split,
    SplitName,
    SqlQuestion,
    ToolCall,
)
from finetune_core.storage import datasets
from finetune_core.storage.record_rows import RECORDS

ASKED = ({"role": "user", "content": "Kaç kişi?"},)
TOOL = {
    "type": "function",
    "function": {"name": "book", "parameters": {"type": "object", "properties": {"b": {}, "a": {}}}},
}
CALL = {"name": "book", "arguments": {"people": 2}, "accepted": {"people": [2, "2"]}}
EXAMPLES: dict[str, Any] = {
    "QueryPassages": QueryPassages("1", "why?", {"p": 2, "q": 1}, "d", "because", "so", True),
    "Labelled": Labelled("1", "rain?", "weather", "1"),
    "Chat": Chat("1", ASKED, {"role": "assistant", "content": "İki."}, "d", (TOOL,), ("a passage",), "two", "gpt", True),
    "ToolCall": ToolCall("1", ASKED, (TOOL,), (CALL,), "f"),
    "Judgement": Judgement("1", "why?", "so", 3.5, "g", lowest=0, highest=4, ratings=(3.0, 4.0)),
    "Comparison": Comparison("1", "why?", "a", "b", Preference.TIE, "g", votes=("first", "second")),
    "SqlQuestion": SqlQuestion("1", "how many?", "CREATE TABLE t (a int)", "SELECT 1", "t", difficulty="easy"),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDS)
def test_a_frozen_example_is_read_back_as_it_was(name: str, tmp_path: Path) -> None:
    example = EXAMPLES[name]
    parts = {part: Part(part, (example,)) for part in SplitName}
    split = Split(
        parts[SplitName.TRAIN], parts[SplitName.VALIDATION], parts[SplitName.TEST], datasets.fingerprint(parts)
    )
    corpora = datasets.write_split(tmp_path, split, RECORDS[name])
    read = datasets.read_split(tmp_path, {"record": name, "corpora": corpora, "hash": split.fingerprint})
    assert read.test.examples == (example,)
    assert datasets.fingerprint({part: read.part(part) for part in SplitName}) == split.fingerprint


def test_the_order_of_a_schema_is_kept(tmp_path: Path) -> None:
    parts = {part: Part(part, (EXAMPLES["Chat"],)) for part in SplitName}
    split = Split(*parts.values(), "x")
    manifest = {"record": "Chat", "corpora": datasets.write_split(tmp_path, split, Chat), "hash": "x"}
    parameters = datasets.read_split(tmp_path, manifest).train.examples[0].tools[0]["function"]["parameters"]
    assert list(parameters["properties"]) == ["b", "a"]
