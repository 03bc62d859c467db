"""A better and a worse answer to one question: OpenAI's preference JSONL and TRL's data, as chats and as comparisons."""

import json
from pathlib import Path
from typing import Any

import pytest

from finetune_core.corpus.interchange import demonstrations
from finetune_core.errors import DatasetError
from finetune_core.records import Chat, Comparison, Preference

ASKED = {"role": "user", "content": "Why?"}
GOOD, BAD = ({"role": "assistant", "content": text} for text in ("So.", "Because."))
FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "openai": (
        "OpenAI preferences",
        {"input": {"messages": [ASKED]}, "preferred_output": [GOOD], "non_preferred_output": [BAD]},
    ),
    "texts": ("TRL preferences", {"prompt": "Why?", "chosen": "So.", "rejected": "Because."}),
    "messages": ("TRL preferences", {"prompt": [ASKED], "chosen": [GOOD], "rejected": [BAD]}),
    "whole": ("TRL preferences", {"chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]}),
}


def read(folder: Path, kind: str, *rows: Any) -> tuple[str, list[Any]]:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    title, brought = demonstrations.read(path, kind)
    return title, [one.example for one in brought]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(form: str, tmp_path: Path) -> None:
    title, row = FORMS[form]
    found, [chat] = read(tmp_path, "Chat", row)
    assert (found, chat.messages, chat.response, chat.rejected) == (title, (ASKED,), GOOD, BAD)
    found, [pair] = read(tmp_path, "Comparison", row)
    better = pair.first if pair.winner == Preference.FIRST else pair.second
    assert (found, pair.query, better, {pair.first, pair.second}) == (title, "Why?", "So.", {"So.", "Because."})


def test_the_better_answer_stands_first_about_as_often_as_second(tmp_path: Path) -> None:
    rows = [{"prompt": f"Why {number}?", "chosen": "So.", "rejected": "Because."} for number in range(200)]
    winners = [one.winner for one in read(tmp_path, "Comparison", *rows)[1]]
    assert 70 < winners.count(Preference.FIRST) < 130


@pytest.mark.parametrize("name", ["preferences", "trl", "jsonl"])
@pytest.mark.parametrize(
    "record",
    [
        Chat("1", (ASKED,), GOOD, "g", rejected=BAD),
        Comparison("1", "Why?", "Because.", "So.", Preference.SECOND, "g"),
    ],
)
def test_what_is_exported_comes_back(record: Any, name: str, tmp_path: Path) -> None:
    kind = type(record).__name__
    plain = Chat("2", (ASKED,), GOOD, "g") if kind == "Chat" else Comparison("2", "Why?", "a", "b", Preference.TIE, "g")
    text = demonstrations.write([(record, ""), (plain, "")], kind, name).decode()
    path = tmp_path / "out.jsonl"
    path.write_text(text, encoding="utf-8")
    found = [one.example for one in demonstrations.read(path, kind)[1]]
    assert len(found) == (2 if name == "jsonl" else 1), "those without a worse answer have no place in these forms"
    if kind == "Chat":
        assert (found[0].response, found[0].rejected) == (GOOD, BAD)
    else:
        said = (found[0].first, found[0].second)
        assert said[found[0].winner == Preference.SECOND] == "So."


def test_what_has_no_place_is_refused(tmp_path: Path) -> None:
    for kind, one in (
        ("Chat", Chat("2", (ASKED,), GOOD, "g")),
        ("Comparison", Comparison("2", "Why?", "a", "b", Preference.TIE, "g")),
    ):
        with pytest.raises(DatasetError, match=r"None of these chats|All of these"):
            demonstrations.write([(one, "")], kind, "trl")
    call = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]}
    for row, message in (
        ({"chosen": [ASKED, GOOD, ASKED, GOOD], "rejected": [ASKED, BAD]}, "chosen holds 3 messages"),
        ({"chosen": "So.", "rejected": "Because."}, "asks nothing"),
        ({"prompt": [ASKED], "chosen": [GOOD], "rejected": [ASKED]}, "the rejected answer is the user's"),
        ({"prompt": 3, "chosen": [GOOD], "rejected": [BAD]}, "'3' is neither a text nor messages"),
        ({"input": "Why?", "preferred_output": [GOOD], "non_preferred_output": [BAD]}, "input is no object"),
    ):
        with pytest.raises(DatasetError, match=message):
            read(tmp_path, "Chat", row)
    with pytest.raises(DatasetError, match="calls functions"):
        read(tmp_path, "Comparison", {"prompt": [ASKED], "chosen": [call], "rejected": [BAD]})
