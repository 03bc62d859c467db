"""QASPER's papers come in as paragraphs and the questions that they answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from finetune_core.corpus import interchange
from finetune_core.corpus.interchange import Question
from finetune_core.errors import DatasetError
from finetune_core.records import Passage
from finetune_core.workspace import pairs, projects


def asked(key: str, *evidence: list[str], unanswerable: bool = False) -> dict[str, Any]:
    answers = [{"answer": {"unanswerable": unanswerable, "evidence": texts}} for texts in evidence]
    return {"question": f"Question {key}?", "question_id": key, "answers": answers}


def papers() -> dict[str, Any]:
    sections = [
        {"section_name": "Method ::: Data", "paragraphs": ["We use  corpora.", "", "We use models."]},
        {"section_name": None, "paragraphs": ["We thank all."]},
    ]
    first = {"title": "On Words", "abstract": "In short.", "full_text": sections}
    first["qas"] = [
        asked("both", ["We use corpora."], ["We use models.", "FLOAT SELECTED: Table 1: Sizes."]),
        asked("table", ["FLOAT SELECTED: Figure 2: Curves."]),
        asked("nobody", [], unanswerable=True),
        asked("abstract", ["In short.", "Not in this paper."]),
    ]
    other = [{"section_name": "Only", "paragraphs": ["We use models."]}]
    second = {"title": "", "abstract": "", "full_text": other, "qas": [asked("other", ["We use models."])]}
    return {"1909.00694": first, "2001.1": second}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "qasper-dev-v0.3.json"
    path.write_text(json.dumps(papers()), encoding="utf-8")
    return path


def test_questions_stand_on_the_paragraphs_of_their_own_paper(file: Path) -> None:
    found = interchange.read(file, "qasper")
    assert found.passages == (
        Passage("1909.00694:0", "In short.", "1909.00694", "On Words"),
        Passage("1909.00694:1", "We use  corpora.", "1909.00694", "On Words > Method ::: Data"),
        Passage("1909.00694:3", "We use models.", "1909.00694", "On Words > Method ::: Data"),
        Passage("1909.00694:4", "We thank all.", "1909.00694", "On Words"),
        Passage("2001.1:1", "We use models.", "2001.1", "Only"),
    )
    assert found.questions == (
        Question("both", "Question both?", {"1909.00694:1": 1, "1909.00694:3": 1}),
        Question("table", "Question table?", {}),
        Question("nobody", "Question nobody?", {}),
        Question("abstract", "Question abstract?", {"1909.00694:0": 1}),
        Question("other", "Question other?", {"2001.1:1": 1}),
    )


def test_what_no_paragraph_answers_is_counted_and_left_out(file: Path) -> None:
    project = projects.create("Papers").id
    summary = pairs.import_file(project, file, "qasper", "train")
    assert (summary.num_pairs, summary.num_without_passage, summary.num_passages) == (3, 2, 5)
    assert "2 questions have no passage and were left out" in summary.sentence


def test_it_is_read_and_not_written(file: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not written"):
        interchange.write(interchange.read(file, "qasper"), tmp_path / "out.json", "qasper")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "holds a list"),
        ("{", "not JSON"),
        ('{"p": 1}', "'p', it is not an object"),
        ('{"p": {"full_text": {}, "qas": []}}', "'full_text' is not a list"),
        ('{"p": {"full_text": [{"paragraphs": [1]}], "qas": []}}', "'paragraphs' is not a list of texts"),
        ('{"p": {"full_text": [], "qas": [{"answers": []}]}}', "no text or no question_id"),
        ('{"p": {"full_text": [], "qas": [{"answers": [{}]}]}}', "an answer is not an object"),
    ],
)
def test_other_files_are_named_with_the_next_step(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=message) as caught:
        interchange.read(path, "qasper")
    assert caught.value.hint
