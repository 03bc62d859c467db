"""The files that demonstrations come in: each form on rows written by hand, what is refused, and real data where it is."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from finetune_core.corpus.interchange import demonstrations
from finetune_core.errors import DatasetError
from finetune_core.metrics.structured import score_calls

ASKED = {"role": "user", "content": "How warm is it in Izmir?"}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Izmir"}'}}
TOOL = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


def read(folder: Path, kind: str, *rows: Any, name: str = "rows.jsonl") -> tuple[str, list[Any]]:
    """Title of the format, and the records of a file with these rows."""
    path = folder / name
    text = json.dumps(list(rows)) if ".json" in path.suffixes else "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    title, brought = demonstrations.read(path, kind)
    return title, [one.example for one in brought]


def test_a_chat_of_the_old_handler_with_functions_becomes_tool_calls(tmp_path: Path) -> None:
    old = {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": '{"city": "Izmir"}'}}
    result = {"role": "function", "name": "weather", "content": "31"}
    title, (chat,) = read(
        tmp_path,
        "Chat",
        {"messages": [ASKED, old, result, {"role": "assistant", "content": "31 °C."}], "functions": [TOOL]},
    )
    assert title == "OpenAI chat"
    assert [one["role"] for one in chat.messages] == ["user", "assistant", "tool"]
    call = chat.messages[1]["tool_calls"][0]
    assert call["function"] == CALL["function"]
    assert chat.messages[2]["tool_call_id"] == call["id"]
    assert chat.response == {"role": "assistant", "content": "31 °C."}
    assert chat.tools[0] == {"type": "function", "function": {**TOOL, "description": ""}}


def test_sharegpt_and_alpaca_say_the_same_chat(tmp_path: Path) -> None:
    turns = [
        {"from": "system", "value": "Be brief."},
        {"from": "human", "value": "Why?"},
        {"from": "gpt", "value": "So."},
    ]
    title, (first,) = read(tmp_path, "Chat", {"conversations": turns}, name="share.json.gz")
    other_title, (second,) = read(tmp_path, "Chat", {"instruction": "Why?", "output": "So.", "system": "Be brief."})
    assert (title, other_title) == ("ShareGPT", "Alpaca")
    assert (first.messages, first.response) == (second.messages, second.response)


def test_alpaca_with_history_comes_back_the_same(tmp_path: Path) -> None:
    row = {"instruction": "And then?", "input": "", "output": "Home.", "history": [["Where to?", "Town."]]}
    _, (chat,) = read(tmp_path, "Chat", row)
    written = json.loads(demonstrations.write([(chat, "")], "Chat", "alpaca"))
    assert written == [row]
    _, (calling,) = read(tmp_path, "Chat", {"messages": [ASKED, {"role": "assistant", "tool_calls": [CALL]}]})
    with pytest.raises(DatasetError, match="has functions or turns"):
        demonstrations.write([(calling, "")], "Chat", "alpaca")


@pytest.mark.parametrize("file_format", ["openai", "sharegpt", "jsonl"])
def test_a_chat_with_a_call_in_it_survives_the_way_out_and_back(tmp_path: Path, file_format: str) -> None:
    messages = [ASKED, {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "c1", "content": "31"}, {"role": "assistant", "content": "31 °C."}]  # fmt: skip
    _, (chat,) = read(tmp_path, "Chat", {"messages": messages, "tools": [TOOL]})
    suffix = demonstrations.FILES["Chat"].written[file_format].suffix
    (tmp_path / f"out{suffix}").write_bytes(demonstrations.write([(chat, "")], "Chat", file_format))
    _, brought = demonstrations.read(tmp_path / f"out{suffix}", "Chat")
    back = brought[0].example
    assert back.response == chat.response
    assert back.tools == chat.tools
    assert [one.get("content") for one in back.messages] == [one.get("content") for one in chat.messages]


def test_calls_are_grouped_by_words_where_there_are_few_sets_of_functions(tmp_path: Path) -> None:
    rows = [
        {"messages": [{"role": "user", "content": f"Weather in {city}"}, {"role": "assistant", "tool_calls": [CALL]}],
         "tools": [TOOL]}
        for city in ("Rome", "Bern", "rome")
    ]  # fmt: skip
    title, calls = read(tmp_path, "ToolCall", *rows)
    assert title == "OpenAI chat with tools"
    assert calls[0].calls == ({"name": "weather", "arguments": {"city": "Izmir"}},)
    assert len({one.group for one in calls}) == 2


def test_a_case_of_bfcl_names_every_value_that_is_right(tmp_path: Path) -> None:
    near = {"type": "dict", "properties": {"x": {"type": "float"}, "y": {"type": "any"}}}
    schema = {"type": "dict", "properties": {"near": near, "unit": {"type": "string"}}}
    function = {"name": "geo.find", "description": "d", "parameters": schema}
    row = {"id": "simple_1", "question": [[ASKED]], "function": [function],
           "ground_truth": [{"geo.find": {"near": [{"x": [1, 2], "y": ["a"]}], "unit": ["", "km"]}}]}  # fmt: skip
    title, (case,) = read(tmp_path, "ToolCall", row)
    assert title == "BFCL"
    parameters = case.tools[0]["function"]["parameters"]
    assert parameters["type"] == "object"
    assert parameters["properties"]["near"]["properties"] == {"x": {"type": "number"}, "y": {}}
    assert case.calls[0]["name"] == "geo_find"
    assert case.calls[0]["arguments"] == {"near": {"x": 1, "y": "a"}}
    assert case.calls[0]["accepted"]["near"] == [{"x": 1, "y": "a"}, {"x": 2, "y": "a"}]
    said = {"name": "geo_find", "arguments": {"near": {"x": 2, "y": "A"}, "unit": "km"}}
    assert score_calls([said], case.calls).is_exact


def test_texts_with_slots_become_calls_of_one_function(tmp_path: Path) -> None:
    rows = [
        {"text": "Two at six", "slots": {"people": ["Two"], "time": ["six"]}, "split": "train"},
        {"text": "Any time", "slots": {"time": ["noon", "one"]}, "requested": ["time"]},
        {"text": "Thanks", "slots": {}},
    ]
    _, found = read(tmp_path, "ToolCall", *rows)
    assert [one.calls[0]["arguments"] for one in found] == [
        {"people": "Two", "time": ["six"]},
        {"time": ["noon", "one"]},
        {},
    ]
    assert found[1].messages[0]["role"] == "system"
    assert len({one.group for one in found}) == 3


def test_votes_and_ratings_become_winners_and_scores(tmp_path: Path) -> None:
    row = {"instruction": "Shorten.", "input": "A b c.", "response_a": "A.", "response_b": True, "votes": [1, 2, 2]}
    tied = {**row, "votes": [1, 2, 0], "response_a": "B."}
    title, found = read(tmp_path, "Comparison", row, tied)
    assert title == "PandaLM"
    assert [one.winner for one in found] == ["second", "tie"]
    assert (found[0].query, found[0].second, found[0].votes) == (
        "Shorten.\n\nA b c.",
        "True",
        ("first", "second", "second"),
    )
    assert found[0].group == found[1].group
    rated = {"question": "Why?", "answer": "So.", "ratings": [3, 2], "explanations": ["good"], "split": "valid"}
    _, (judged,) = read(tmp_path, "Judgement", rated)
    assert (judged.score, judged.lowest, judged.highest, judged.ratings) == (2.5, 0.0, 3.0, (3.0, 2.0))


def test_spider_files_without_a_database_get_their_schema_from_tables_json(tmp_path: Path) -> None:
    folder = tmp_path / "spider"
    folder.mkdir()
    (folder / "dev.json").write_text(json.dumps([{"db_id": "zoo", "question": "How many?", "query": "SELECT 1"}]))
    tables = {
        "db_id": "zoo", "table_names_original": ["cage", "bear"], "primary_keys": [1], "foreign_keys": [[3, 1]],
        "column_names_original": [[-1, "*"], [0, "id"], [0, "its size"], [1, "cage"]],
        "column_types": ["text", "number", "text", "number"],
    }  # fmt: skip
    (folder / "tables.json").write_text(json.dumps([tables]))
    title, brought = demonstrations.read(folder, "SqlQuestion")
    assert title == "Spider"
    assert brought[0].example.group == "zoo"
    assert brought[0].example.schema.split("\n") == [
        'CREATE TABLE cage (id REAL, "its size" TEXT, PRIMARY KEY (id));',
        "CREATE TABLE bear (cage REAL, FOREIGN KEY (cage) REFERENCES cage (id));",
    ]


LONG = "x" * 200_001
REFUSED = [
    ("Chat", {"messages": [ASKED]}, "line 1: the last message is the user's; a chat ends with"),
    ("Chat", {"messages": [{"role": "boss", "content": "x"}]}, r"messages\.0\.role is 'boss'"),
    ("Chat", {"messages": [ASKED, {"role": "assistant"}]}, "line 1, message 2 has no content"),
    ("Chat", {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content.0.type is 'image_url'"),
    ("Chat", {"messages": [ASKED, {"role": "tool", "tool_call_id": "c9", "content": "x"}]}, "the call 'c9', which no message"),
    ("Chat", {"conversations": [{"from": "alien", "value": "x"}]}, "'alien' is nobody who speaks"),
    ("Chat", {"instruction": LONG, "output": "x"}, r"an example has at most 200,000"),
    ("Chat", {"thing": 1}, "has the fields thing, which no known format has"),
    ("ToolCall", {"messages": [ASKED], "tools": [TOOL], "calls": [{"name": "fly"}]}, "'fly' is called, but is none of"),
    ("ToolCall", {"messages": [ASKED], "tools": [{"name": "a b"}], "calls": []}, "this one is 'a b'"),
    ("ToolCall", {"messages": [ASKED], "tools": [{"name": "f", "parameters": {"type": "strin"}}], "calls": []}, "no JSON Schema"),
    ("Judgement", {"query": "q", "response": "r", "score": 7}, "the score 7 lies outside 1 to 5"),
    ("Judgement", {"query": "q", "response": "r", "score": "good"}, "score is 'good', not a number"),
    ("Judgement", {"query": "q", "response": "r", "score": 1, "lowest": 3, "highest": 3}, "lowest is 3 and highest is 3"),
    ("Comparison", {"query": "q", "first": "a", "second": "b", "winner": "third"}, "'third' is no preference"),
    ("SqlQuestion", {"question": "q", "context": "", "answer": "SELECT 1"}, "line 1 has no schema"),
    ("SqlQuestion", {"question": "q", "context": "c", "answer": "\ud800"}, "half a character"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "row", "message"), REFUSED)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, kind: str, row: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        read(tmp_path, kind, row)
    assert caught.value.hint


def test_rows_that_lack_a_field_and_ids_that_stand_twice_are_named(tmp_path: Path) -> None:
    one = {"id": "a", "query": "q", "response": "r", "score": 1}
    with pytest.raises(DatasetError, match="line 2 lacks a field of the format Judgements"):
        read(tmp_path, "Judgement", one, {"query": "q"})
    with pytest.raises(DatasetError, match="line 2: the id 'a' stands at"):
        read(tmp_path, "Judgement", one, {**one, "score": 2})
    assert len(read(tmp_path, "Judgement", one, one)[1]) == 1


REAL = [
    ("ToolCall", "tools/bfcl-v4-nonlive/norm/cases.jsonl.gz", 200, 183, {"": 200}),
    ("ToolCall", "structured/restaurants8k/norm/items.jsonl", 4755, 4624, {"train": 1024, "test": 3731}),
    ("Judgement", "judge/feedbackqa-cdc-ratings/norm/ratings.jsonl.gz", 978, 326, {"train": 405, "test": 573}),
    ("Comparison", "judge/pandalm-testset/norm/pairs.jsonl", 999, 170, {"": 999}),
    ("SqlQuestion", "text2sql/spider-dev", 972, 19, {"train": 640, "test": 332}),
]


@pytest.mark.parametrize(("kind", "name", "num", "num_groups", "splits"), REAL)
def test_real_files_are_read(
    shared_data: Path, tmp_path: Path, kind: str, name: str, num: int, num_groups: int, splits: dict[str, int]
) -> None:
    path = shared_data / name
    if path.suffix == ".gz":  # the first rows are enough of what has a thousand schemas to look through
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)[:num]
        path = tmp_path / path.name
        path.write_bytes(gzip.compress(b"".join(lines)))
    _, brought = demonstrations.read(path, kind)
    assert (len(brought), len({one.example.group for one in brought})) == (num, num_groups)
    assert Counter(one.split for one in brought) == splits
