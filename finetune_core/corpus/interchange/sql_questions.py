"""Questions with the SQL that answers them: rows with their CREATE TABLE context, and Spider's files with databases."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from finetune_core.corpus.interchange.fields import group_of, id_of, split_of, text_of
from finetune_core.corpus.interchange.row_formats import Brought, RowFormat, Rows, checked, read_rows
from finetune_core.corpus.interchange.rows import decoded
from finetune_core.errors import DatasetError
from finetune_core.records import SqlQuestion

QUESTIONS = ("questions.jsonl", "dev.json", "test.json", "train_spider.json", "train.json")
"""Files of a Spider folder that hold questions, the first that is there is read; each may end in .gz."""
_TYPES = {"number": "REAL", "time": "TEXT", "boolean": "INTEGER", "others": "TEXT"}


def _read_rows(rows: Rows) -> Iterator[Brought]:
    for where, row in rows:
        schema = text_of(row, ("schema", "context"), where, needed=True)
        sql = text_of(row, ("sql", "answer", "query"), where, needed=True)
        question = text_of(row, ("question",), where, needed=True)
        one = SqlQuestion(
            id_of(row, question, schema, sql), question, schema, sql, group_of(row, schema),
            text_of(row, ("database",), where), text_of(row, ("difficulty", "hardness"), where),
        )  # fmt: skip
        yield Brought(one, split_of(row, where), where)


def _read_spider(rows: Rows) -> Iterator[Brought]:
    for where, row in rows:
        name = text_of(row, ("db_id",), where, needed=True)
        gold = row.get("gold_sql")
        sql = gold[0] if isinstance(gold, list) and gold else text_of(row, ("query", "sql"), where)
        if not isinstance(sql, str) or not sql.strip():
            raise DatasetError(f"{where} has no SQL.", hint="Write it under query, or remove the row.")
        question = text_of(row, ("question",), where, needed=True)
        one = SqlQuestion(
            id_of(row, question, name, sql),
            question,
            "",
            sql,
            name,
            "",
            text_of(row, ("difficulty", "hardness"), where),
        )
        yield Brought(one, split_of(row, where), where)


OWN = RowFormat("SQL questions", ("question", "schema|context", "sql|answer"), _read_rows)
FORMATS = (OWN,)
SPIDER = (RowFormat("Spider", ("question", "db_id", "query|gold_sql"), _read_spider),)


def write_context(one: SqlQuestion) -> dict[str, str]:
    """The question as an entry of a sql-create-context file."""
    return {"question": one.question, "context": one.schema, "answer": one.sql}


def read_spider(folder: Path) -> tuple[str, list[Brought]]:
    """The questions of a folder in Spider's form, and the format's title.

    `database` is the path of the question's SQLite file below the folder `database`, "" where there is none; `schema` is
    what `tables.json` says, "" where the database has to be asked. Raises DatasetError for a folder without questions, and
    for a database that is in neither place.
    """
    path = next(
        (found for name in QUESTIONS for found in (folder / name, folder / f"{name}.gz") if found.is_file()), None
    )
    if path is None:
        raise DatasetError(
            f"{folder.name} has no file of questions.", hint=f"It holds one of: {', '.join(QUESTIONS)} (also with .gz)."
        )
    title, brought = read_rows(path, SPIDER)
    files = {file.stem: file for file in sorted((folder / "database").rglob("*.sqlite"))}
    schemas = _schemas(folder)
    if missing := next((one for one in brought if one.example.group not in files.keys() | schemas.keys()), None):
        raise DatasetError(
            f"{missing.where}: there is neither a database nor an entry of tables.json for {missing.example.group!r}.",
            hint=f"Put {missing.example.group}.sqlite into the folder database.",
        )
    return title, checked(_placed(one, files, schemas) for one in brought)


def _placed(one: Brought, files: Mapping[str, Path], schemas: Mapping[str, str]) -> Brought:
    asked = one.example
    database = str(files[asked.group]) if asked.group in files else ""
    schema = "" if database else schemas[asked.group]
    made = SqlQuestion(asked.id, asked.question, schema, asked.sql, asked.group, database, asked.difficulty)
    return Brought(made, one.split, one.where)


def _schemas(folder: Path) -> dict[str, str]:
    """Database to its CREATE TABLE statements, by `tables.json`; {} where there is no such file."""
    path = next((found for found in (folder / "tables.json", folder / "tables.json.gz") if found.is_file()), None)
    if path is None:
        return {}
    try:
        return {entry["db_id"]: _statements(entry) for entry in json.loads(decoded(path))}
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{path.name} is not in Spider's form: {type(error).__name__} {error}.",
            hint="Take it from Spider as it is.",
        ) from error


def _statements(entry: Mapping[str, Any]) -> str:
    tables, columns, kinds = entry["table_names_original"], entry["column_names_original"], entry["column_types"]
    keys = {key for given in entry["primary_keys"] for key in (given if isinstance(given, list) else [given])}
    said = []
    for at, table in enumerate(tables):
        mine = [number for number, (owner, _) in enumerate(columns) if owner == at]
        parts = [f"{_quoted(columns[number][1])} {_TYPES.get(kinds[number], kinds[number].upper())}" for number in mine]
        if own := [_quoted(columns[number][1]) for number in mine if number in keys]:
            parts.append(f"PRIMARY KEY ({', '.join(own)})")
        for source, target in entry["foreign_keys"]:
            if source in mine:
                other = _quoted(tables[columns[target][0]])
                parts.append(
                    f"FOREIGN KEY ({_quoted(columns[source][1])}) REFERENCES {other} ({_quoted(columns[target][1])})"
                )
        said.append(f"CREATE TABLE {_quoted(table)} ({', '.join(parts)});")
    return "\n".join(said)


def _quoted(name: str) -> str:
    return name if name.isidentifier() else '"' + name.replace('"', '""') + '"'
