"""QASPER's JSON (Dasigi et al., A Dataset of Information-Seeking Questions Anchored in Research Papers, 2021).

Every paragraph of every paper is a passage, every question with evidence among them a question, as LlamaIndex's guide to
tuning a reranker has it. A paper's id is its document; a passage's id is the paper's with the number of the paragraph.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune_core.corpus.interchange.labelled import LabelledSet, Question, checked
from finetune_core.errors import DatasetError
from finetune_core.records import Passage

FLOAT_MARK = "FLOAT SELECTED"
"""Begins evidence that is a table or a figure: no paragraph holds it."""


def read(path: Path) -> LabelledSet:
    """The file's set.

    Questions that nobody could answer, or whose evidence is only tables and figures, keep no passage: an import counts
    them and leaves them out. Raises DatasetError that says what is not as the format wants it.
    """
    questions: list[Question] = []
    passages: list[Passage] = []
    for paper_id, paper in _parsed(path).items():
        own = _passages(paper_id, paper, path)
        passages += own
        by_text: dict[str, str] = {}
        for passage in own:
            by_text.setdefault(_plain(passage.text), passage.id)
        questions += [_question(entry, by_text, paper_id, path) for entry in _list(paper, "qas", paper_id, path)]
    return checked(questions, passages, path.name)


def _passages(paper_id: str, paper: Mapping[str, Any], path: Path) -> list[Passage]:
    texts = [("", str(paper.get("abstract") or ""))]
    for section in _list(paper, "full_text", paper_id, path):
        name = str(section.get("section_name") or "")
        texts += [(name, str(text)) for text in _list(section, "paragraphs", paper_id, path, of=str)]
    title = str(paper.get("title") or "")
    return [
        Passage(f"{paper_id}:{number}", text, paper_id, " > ".join(filter(None, (title, name))))
        for number, (name, text) in enumerate(texts)
        if text.strip()
    ]


def _question(entry: Mapping[str, Any], by_text: Mapping[str, str], paper_id: str, path: Path) -> Question:
    relevant: dict[str, int] = {}
    for annotation in _list(entry, "answers", paper_id, path):
        answer = annotation.get("answer")
        if not isinstance(answer, dict):
            raise _wrong(path, paper_id, "an answer is not an object")
        for text in _list(answer, "evidence", paper_id, path, of=str):
            found = by_text.get(_plain(text))
            if found is not None and not text.startswith(FLOAT_MARK):
                relevant[found] = 1
    text, key = entry.get("question"), entry.get("question_id")
    if not isinstance(text, str) or not isinstance(key, str):
        raise _wrong(path, paper_id, "a question has no text or no question_id")
    return Question(key, text, relevant)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _list(holder: Mapping[str, Any], name: str, paper_id: str, path: Path, of: type = dict) -> Sequence[Any]:
    found = holder.get(name)
    if not isinstance(found, list) or not all(isinstance(item, of) for item in found):
        raise _wrong(path, paper_id, f"{name!r} is not a list of {'texts' if of is str else 'objects'}")
    return found


def _parsed(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DatasetError(
            f"{path.name} is not JSON: {error}.", hint="Take the file as QASPER publishes it, or choose another format."
        ) from error
    if not isinstance(content, dict):
        raise DatasetError(
            f"{path.name} holds a {type(content).__name__}, not an object of papers.",
            hint="Choose the format the file is in.",
        )
    if wrong := next((key for key, paper in content.items() if not isinstance(paper, dict)), None):
        raise _wrong(path, wrong, "it is not an object")
    return content


def _wrong(path: Path, paper_id: str, what: str) -> DatasetError:
    return DatasetError(
        f"{path.name}: in the paper {paper_id!r}, {what}.",
        hint="QASPER's papers have a title, full_text and qas. Choose the format the file is in.",
    )
