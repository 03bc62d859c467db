"""Files that come and go: nothing is lost on the way, and garbage is named."""

import json
import zipfile
from pathlib import Path

import pytest

from finetune_core.corpus import interchange
from finetune_core.corpus.interchange import LabelledSet, Question
from finetune_core.errors import DatasetError
from finetune_core.records import Passage

NASTY = (
    'She said "so, what?"', "two\nlines\r\nand\rmore", "tab\there", "  spaces around  ", "İstanbul'da ığüşöç",
    "line\u2028separator", "=1+1", "a;b,c", "\\n not a break", "emoji 🙂", "<script>alert(1)</script>", "{'json': [1]}",
)  # fmt: skip


def nasty_set() -> LabelledSet:
    passages = [Passage(f"p {n}", text, f"doc {n % 3}", text[:5] if n % 2 else "") for n, text in enumerate(NASTY)]
    passages.append(Passage("unused", "nobody asks for this one", "unused"))
    splits = ("train", "validation", "test", "")
    questions = [
        Question(f"q-{n}", text + "?", {f"p {n}": 3 - n % 4, "p 0": 1}, splits[n % 4], text if n % 3 else "", text)
        for n, text in enumerate(NASTY)
    ]
    return LabelledSet((*questions, Question("alone", "Who answers?", {})), tuple(passages))


def as_content(labelled: LabelledSet) -> tuple[dict[str, Question], dict[str, Passage]]:
    return {one.id: one for one in labelled.questions}, {one.id: one for one in labelled.passages}


@pytest.mark.parametrize("name", interchange.WRITTEN)
def test_a_round_trip_keeps_every_id_text_and_grade(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"set{interchange.FORMATS[name].suffix}"
    interchange.write(nasty_set(), path, name)
    found = interchange.read(path, name)
    assert as_content(found) == as_content(nasty_set())
    assert [list(one.relevant.items()) for one in found.questions] == [
        list(one.relevant.items()) for one in nasty_set().questions
    ]


def test_the_json_is_what_llamaindex_saves(tmp_path: Path) -> None:
    saved = {"queries": {"1": "why?"}, "corpus": {"a": "so", "b": "no"}, "relevant_docs": {"1": ["a"]}, "mode": "text"}
    path = tmp_path / "set.json"
    path.write_text(json.dumps(saved, indent=4))
    found = interchange.read(path, "llamaindex")
    assert found.questions == (Question("1", "why?", {"a": 1}),)
    assert found.passages == (Passage("a", "so", "a"), Passage("b", "no", "b"))
    interchange.write(found, tmp_path / "again.json", "llamaindex")
    assert json.loads((tmp_path / "again.json").read_text()) == saved


def test_a_beir_folder_as_it_is_published(tmp_path: Path) -> None:
    folder = tmp_path / "scifact"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(
        '{"_id": "4983", "title": "White matter", "text": "Alterations", "metadata": {}}\n'
        '{"_id": 7, "title": "", "text": "Other"}\n'
    )
    (folder / "queries.jsonl").write_text('{"_id": "1", "text": "zero"}\n{"_id": "2", "text": "one", "metadata": {}}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\t4983\t2\n1\t7\t0\n")
    (folder / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\r\n2\t7\t1\r\n")
    found = interchange.read(folder, "beir")
    assert found.questions == (
        Question("1", "zero", {"4983": 2, "7": 0}, "test"),
        Question("2", "one", {"7": 1}, "validation"),
    )
    assert found.passages[0] == Passage("4983", "Alterations", "4983", "White matter")
    with zipfile.ZipFile(tmp_path / "scifact.zip", "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(tmp_path))
    assert interchange.read(tmp_path / "scifact.zip", "beir") == found


def test_a_plain_table_needs_only_questions_and_passages(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("query;context\nWhy?;Because.\nHow?;Because.\n", encoding="utf-8")
    found = interchange.read(path, "csv")
    assert [one.text for one in found.questions] == ["Why?", "How?"]
    assert [one.text for one in found.passages] == ["Because."]
    assert all(list(one.relevant) == [found.passages[0].id] for one in found.questions)


def test_a_split_is_chosen_or_given() -> None:
    both = LabelledSet((Question("1", "a", {}, "train"), Question("2", "b", {}, "test"), Question("3", "c", {})), ())
    assert [one.id for one in both.for_split("test").questions] == ["2"]
    unnamed = LabelledSet((Question("1", "a", {}), Question("2", "b", {})), ())
    assert [one.split for one in unnamed.for_split("train").questions] == ["train", "train"]
    with pytest.raises(DatasetError, match="test, train"):
        both.for_split("validation")


GARBAGE = {
    "llamaindex": {
        "not JSON": b"queries: {}",
        "UTF-8|utf-8": b'{"queries": "\xff"}',
        "there twice": b'{"queries": {"1": "a", "1": "b"}, "corpus": {}, "relevant_docs": {}}',
        "'queries'": b'{"corpus": {}, "relevant_docs": {}}',
        "holds a list": b"[1, 2]",
        "not a str": b'{"queries": {"1": 5}, "corpus": {}, "relevant_docs": {}}',
        "'zz'": b'{"queries": {"1": "a"}, "corpus": {}, "relevant_docs": {"1": ["zz"]}}',
        "query '2'": b'{"queries": {"1": "a"}, "corpus": {}, "relevant_docs": {"2": []}}',
        "is empty": b'{"queries": {"1": "  "}, "corpus": {}, "relevant_docs": {}}',
        "half a character": b'{"queries": {"1": "a\\ud800"}, "corpus": {}, "relevant_docs": {}}',
        "characters": json.dumps({"queries": {"x" * 300: "a"}, "corpus": {}, "relevant_docs": {}}).encode(),
    },
    "jsonl": {
        "line 2": b'{"question": "a", "passage": "b"}\nnope\n',
        "no question and no passage": b'{"prompt": "a"}\n',
        "flat object": b'{"question": ["a"], "passage": "b"}\n',
        "no rows": b"",
        "not a whole number": b'{"question": "a", "passage": "b", "grade": 0.5}\n',
        "not a split": b'{"question": "a", "passage": "b", "split": "exam"}\n',
        "another passage": b'{"question":"a","passage":"b","passage_id":"1"}\n{"question":"c","passage":"d","passage_id":"1"}',
    },
    "csv": {
        "no rows": b"question,passage\n",
        "more columns": b"question,passage\na,b,c\n",
        "not UTF-8": "question,passage\nça,b\n".encode("cp1254"),
        "no question and no passage": b"a,b\n1,2\n",
    },
}


@pytest.mark.parametrize(("name", "message"), [(name, message) for name, cases in GARBAGE.items() for message in cases])
def test_garbage_is_named_with_the_next_step(name: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / f"bad{interchange.FORMATS[name].suffix}"
    path.write_bytes(GARBAGE[name][message])
    with pytest.raises(DatasetError, match=message) as caught:
        interchange.read(path, name)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("qrels", "message"),
    [("q\tp\n", "2 columns"), ("q\tp\tbest\n", "whole number"), ("q\tnone\t1\n", "'none'"), ("x\tp\t1\n", "'x'")],
)
def test_broken_qrels_are_named(qrels: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text('{"_id": "p", "text": "passage"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "question"}\n')
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + qrels)
    with pytest.raises(DatasetError, match=message):
        interchange.read(tmp_path, "beir")


def test_a_query_of_two_splits_and_a_folder_without_files(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    with pytest.raises(DatasetError, match=r"corpus\.jsonl"):
        interchange.read(tmp_path, "beir")
    (tmp_path / "corpus.jsonl").write_text('{"_id": "p", "text": "passage"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "question"}\n')
    with pytest.raises(DatasetError, match="qrels"):
        interchange.read(tmp_path, "beir")
    for split in ("train", "test"):
        (tmp_path / "qrels" / f"{split}.tsv").write_text("q\tp\t1\n")
    with pytest.raises(DatasetError, match="both in"):
        interchange.read(tmp_path, "beir")


def test_what_a_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    tabbed = LabelledSet((Question("a\tb", "why?", {"p": 1}),), (Passage("p", "so", "p"),))
    with pytest.raises(DatasetError, match="tab"):
        interchange.write(tabbed, tmp_path / "out", "beir")
    with pytest.raises(DatasetError, match="'xml'"):
        interchange.read(tmp_path, "xml")
    with pytest.raises(DatasetError, match="no file"):
        interchange.read(tmp_path / "absent.json", "llamaindex")
    with pytest.raises(DatasetError, match="folder"):
        interchange.read(tmp_path, "csv")
    (tmp_path / "fake.zip").write_bytes(b"PK nope")
    with pytest.raises(DatasetError, match="neither"):
        interchange.read(tmp_path / "fake.zip", "beir")
