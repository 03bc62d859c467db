"""LlamaIndex's `EmbeddingQAFinetuneDataset`: one JSON object with queries, corpus, relevant_docs and mode.

Headings, documents, grades, answers and evidence, for which that format has no place, go under a further key, "ayar",
which its own reader ignores.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune_core.corpus.interchange.labelled import LabelledSet, Question, checked, grade_of, split_name
from finetune_core.errors import DatasetError
from finetune_core.records import Passage


def read(path: Path) -> LabelledSet:
    """The file's set. Raises DatasetError that says what is not as the format wants it."""
    content = _parsed(path)
    queries, corpus = _mapping(content, "queries", str, path), _mapping(content, "corpus", str, path)
    relevant = _mapping(content, "relevant_docs", list, path)
    extra = content.get("ayar")
    if unknown := next((key for key in relevant if key not in queries), None):
        raise DatasetError(
            f"{path.name}: relevant_docs names the query {unknown!r}, which queries does not have.",
            hint="Add the query or remove its relevant_docs.",
        )
    questions = [
        _question(path, key, text, relevant.get(key, []), _extra(extra, "queries", key))
        for key, text in queries.items()
    ]
    return checked(
        questions, [_passage(key, text, _extra(extra, "corpus", key)) for key, text in corpus.items()], path.name
    )


def write(labelled: LabelledSet, path: Path) -> None:
    """Write the set; grades, headings and the like only where there are any."""
    extra: dict[str, dict[str, Any]] = {"queries": {}, "corpus": {}}
    for question in labelled.questions:
        graded = any(grade != 1 for grade in question.relevant.values())
        values: dict[str, Any] = {"split": question.split, "answer": question.answer, "evidence": question.evidence}
        values["grades"] = dict(question.relevant) if graded else {}
        extra["queries"][question.id] = {name: value for name, value in values.items() if value}
    for passage in labelled.passages:
        document = passage.document if passage.document != passage.id else ""
        values = {"title": passage.title, "document": document}
        extra["corpus"][passage.id] = {name: value for name, value in values.items() if value}
    content: dict[str, Any] = {
        "queries": {question.id: question.text for question in labelled.questions},
        "corpus": {passage.id: passage.text for passage in labelled.passages},
        "relevant_docs": {question.id: _answering(question) for question in labelled.questions},
        "mode": "text",
    }
    kept = {part: {key: value for key, value in items.items() if value} for part, items in extra.items()}
    if any(kept.values()):
        content["ayar"] = kept
    path.write_text(json.dumps(content, indent=4, ensure_ascii=False), encoding="utf-8")


def _answering(question: Question) -> list[str]:
    return [key for key, grade in question.relevant.items() if grade > 0]


def _question(path: Path, key: str, text: str, relevant: list[Any], extra: dict[str, Any]) -> Question:
    if wrong := [item for item in relevant if not isinstance(item, str)]:
        raise DatasetError(
            f"{path.name}: relevant_docs of {key!r} holds {wrong[0]!r}, which is not the id of a passage.",
            hint="relevant_docs maps each query to a list of ids.",
        )
    given = extra.get("grades")
    judged = given.items() if isinstance(given, dict) else [(item, 1) for item in relevant]
    grades = {str(item): grade_of(grade, path.name) for item, grade in judged}
    answer, evidence = str(extra.get("answer", "")), str(extra.get("evidence", ""))
    return Question(key, text, grades, split_name(str(extra.get("split", "")), path.name), answer, evidence)


def _passage(key: str, text: str, extra: dict[str, Any]) -> Passage:
    return Passage(key, text, str(extra.get("document") or key), str(extra.get("title", "")))


def _extra(extra: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        extra = extra.get(key) if isinstance(extra, dict) else None
    return extra if isinstance(extra, dict) else {}


def _parsed(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_without_repetition)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DatasetError(
            f"{path.name} is not JSON: {error}.",
            hint="Export it again with EmbeddingQAFinetuneDataset.save_json, or choose another format.",
        ) from error
    if not isinstance(content, dict):
        raise DatasetError(
            f"{path.name} holds a {type(content).__name__}, not an object with queries, corpus and relevant_docs.",
            hint="Choose the format the file is in.",
        )
    return content


def _without_repetition(items: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(items)
    if len(found) < len(items):  # json would keep the last one and lose the others without a word
        keys = [key for key, _ in items]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is there twice")
    return found


def _mapping(content: dict[str, Any], name: str, kind: type, path: Path) -> dict[str, Any]:
    found = content.get(name)
    if not isinstance(found, dict):
        raise DatasetError(
            f"{path.name} has no {name!r} object; it has {', '.join(sorted(content)[:8]) or 'nothing'}.",
            hint="This format has queries, corpus and relevant_docs. Choose the format the file is in.",
        )
    for key, value in found.items():
        if not isinstance(value, kind):
            raise DatasetError(
                f"{path.name}: {name} of {key!r} is a {type(value).__name__}, not a {kind.__name__}.",
                hint="Correct it in the file.",
            )
    return found
