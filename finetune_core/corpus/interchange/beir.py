"""A BEIR folder, or a zip of one: corpus.jsonl, queries.jsonl and qrels/*.tsv, one for each split.

Documents, answers and evidence go into the `metadata` that BEIR's own lines have a place for.
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetune_core import settings
from finetune_core.corpus.interchange.labelled import LabelledSet, Question, checked, grade_of, split_name
from finetune_core.errors import DatasetError
from finetune_core.records import Passage

FILES_OF_SPLIT = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv", "": "all.tsv"}
Place = Path | zipfile.Path


def read(path: Path) -> LabelledSet:
    """The folder's set. A question that no qrels file judges is kept, with no passages."""
    place = _opened(path)
    passages = [_passage(row, path.name) for row in _lines(place / "corpus.jsonl")]
    texts = {_text(row, "_id", path.name): row for row in _lines(place / "queries.jsonl")}
    splits, grades = _judgements(place, path.name)
    if unknown := next((key for key in grades if key not in texts), None):
        raise DatasetError(
            f"{path.name}: the qrels name the query {unknown!r}, which queries.jsonl does not have.",
            hint="Add the query or remove its lines.",
        )
    questions = [_question(row, grades.get(key, {}), splits.get(key, ""), path.name) for key, row in texts.items()]
    return checked(questions, passages, path.name)


def write(labelled: LabelledSet, path: Path) -> None:
    """Write the folder, which may exist and be empty. Raises DatasetError for an id with a tab or a line break."""
    (path / "qrels").mkdir(parents=True, exist_ok=True)
    with (path / "corpus.jsonl").open("w", encoding="utf-8", newline="\n") as stream:
        for passage in labelled.passages:
            metadata = {"document": passage.document} if passage.document != passage.id else {}
            row = {"_id": passage.id, "title": passage.title, "text": passage.text, "metadata": metadata}
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    with (path / "queries.jsonl").open("w", encoding="utf-8", newline="\n") as stream:
        for question in labelled.questions:
            extra = {"answer": question.answer, "evidence": question.evidence}
            metadata = {name: value for name, value in extra.items() if value}
            row = {"_id": question.id, "text": question.text, "metadata": metadata}
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    for split in sorted({question.split for question in labelled.questions if question.relevant}):
        _write_qrels(path / "qrels" / FILES_OF_SPLIT[split], [one for one in labelled.questions if one.split == split])


def _write_qrels(path: Path, questions: list[Question]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write("query-id\tcorpus-id\tscore\n")
        for question in questions:
            for key, grade in question.relevant.items():
                if any(mark in question.id + key for mark in "\t\r\n"):
                    raise DatasetError(
                        f"The id {question.id!r} or {key!r} holds a tab or a line break, which qrels cannot.",
                        hint="Export as JSONL or LlamaIndex JSON.",
                    )
                stream.write(f"{question.id}\t{key}\t{grade}\n")


def _opened(path: Path) -> Place:
    """The folder that holds corpus.jsonl: `path`, or the one folder in it."""
    if path.is_file():
        try:
            archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise DatasetError(
                f"{path.name} is neither a folder nor a zip file.", hint="Give the BEIR folder."
            ) from error
        size, bound = sum(entry.file_size for entry in archive.infolist()), settings.current().max_unpacked_mb
        if size > bound * 1_000_000:
            raise DatasetError(
                f"{path.name} unpacks to {size / 1e6:.0f} MB; at most {bound} MB are allowed.",
                hint="Unpack it and import the folder, or raise AYAR_MAX_UNPACKED_MB.",
            )
        place: Place = zipfile.Path(archive)
    else:
        place = path
    inner = [place, *(entry for entry in place.iterdir() if entry.is_dir())] if place.is_dir() else []
    for folder in inner:
        if (folder / "corpus.jsonl").is_file() and (folder / "queries.jsonl").is_file():
            return folder
    raise DatasetError(
        f"{path.name} has no corpus.jsonl and queries.jsonl side by side.",
        hint="A BEIR folder holds corpus.jsonl, queries.jsonl and qrels/*.tsv.",
    )


def _judgements(place: Place, source: str) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Query id to its split, and to its grades, from every qrels file. A query of two splits is an error."""
    splits: dict[str, str] = {}
    grades: dict[str, dict[str, int]] = {}
    folder = place / "qrels"
    inside: list[Place] = list(folder.iterdir()) if folder.is_dir() else []
    files = sorted((one for one in inside if one.name.endswith(".tsv")), key=lambda one: one.name)
    if not files:
        raise DatasetError(
            f"{source} has no qrels/*.tsv.", hint="Add the file that says which passage answers which query."
        )
    for file in files:
        stem = file.name.removesuffix(".tsv")
        split = "" if stem in ("all", "qrels") else split_name(stem, f"{source}: qrels/{file.name}")
        for query, passage, grade in _qrels(file):
            if splits.setdefault(query, split) != split:
                raise DatasetError(
                    f"{source}: the query {query!r} is both in {splits[query] or 'all'} and in {split or 'all'}.",
                    hint="Leave it in one of them, or import each split from a folder of its own.",
                )
            grades.setdefault(query, {})[passage] = grade
    return splits, grades


def _qrels(file: Place) -> Iterator[tuple[str, str, int]]:
    content = _decoded(file)
    for number, line in enumerate(content.split("\n"), start=1):
        fields = line.removesuffix("\r").split("\t")
        if not line.strip() or (number == 1 and fields[0] in ("query-id", "query_id", "qid")):
            continue
        if len(fields) != 3:
            raise DatasetError(
                f"{file.name} line {number} has {len(fields)} columns; a qrels line has 3, separated by tabs.",
                hint="Its columns are query-id, corpus-id and score.",
            )
        yield fields[0], fields[1], grade_of(fields[2], f"{file.name} line {number}")


def _lines(file: Place) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_decoded(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{file.name} line {number} is not JSON: {error}.", hint="Correct that line.") from error
        if not isinstance(row, dict):
            raise DatasetError(f"{file.name} line {number} is not an object.", hint="Each line is one JSON object.")
        yield row


def _decoded(file: Place) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{file.name} is not UTF-8: byte {error.start} cannot be read.", hint="Save it as UTF-8."
        ) from error


def _question(row: dict[str, Any], grades: dict[str, int], split: str, source: str) -> Question:
    key, text = _text(row, "_id", source), _text(row, "text", source)
    return Question(key, text, grades, split, _metadata(row, "answer"), _metadata(row, "evidence"))


def _passage(row: dict[str, Any], source: str) -> Passage:
    key = _text(row, "_id", source)
    title = row.get("title") or ""
    return Passage(key, _text(row, "text", source), _metadata(row, "document") or key, str(title))


def _text(row: dict[str, Any], name: str, source: str) -> str:
    value = row.get(name)
    if isinstance(value, int) and name == "_id":
        return str(value)
    if not isinstance(value, str):
        raise DatasetError(
            f"{source}: a line has no text {name!r}: {json.dumps(row, ensure_ascii=False)[:80]}",
            hint='Each line has "_id" and "text".',
        )
    return value


def _metadata(row: dict[str, Any], name: str) -> str:
    metadata = row.get("metadata")
    value = metadata.get(name) if isinstance(metadata, dict) else None
    return value if isinstance(value, str) else ""
