"""Questions over a person's own database with the SQL that answers them, written by a chat model and checked by running."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_core.errors import QueryError
from finetune_core.evaluation.schemas import fitted_schema
from finetune_core.evaluation.sql import DIALECT_TITLES
from finetune_core.providers.chat import Chat, Checkpoint, estimated_tokens
from finetune_core.providers.database import Database, Limits, TableShape, quoted
from finetune_core.records import content_id
from finetune_core.synthesis.questions import Batch
from finetune_core.synthesis.templates import render

MAX_PER_CALL = 5
TOKENS_PER_QUESTION = 200
MAX_SCHEMA_CHARS = 12_000
SAMPLE_LIMITS = Limits(timeout_s=20.0, max_rows=10, max_cell_chars=60)
CHECK_LIMITS = Limits(timeout_s=10.0, max_rows=1_000, max_cell_chars=200)
_OVERHEAD_TOKENS = 200  # the schema and the chat format, which a service counts as input too

Check = Callable[[str, Checkpoint | None], str]
"""Why a query cannot be used, "" if it can."""


@dataclass(frozen=True, slots=True)
class TableSubject:
    """A table to ask about, with what a model is shown of the database: `schema` of all tables, `samples` of some rows."""

    id: str
    table: str
    schema: str
    samples: str


@dataclass(frozen=True, slots=True)
class WrittenSql:
    """A question with its query as a model wrote them; `reason` says why they cannot be used, "" if they can."""

    question: str
    sql: str = ""
    reason: str = ""


class SqlQuestions:
    """Asks a chat model for several questions about one table in one call, and runs each query."""

    num_per_call = MAX_PER_CALL

    def __init__(
        self, chat: Chat, model: str, prompt: str, language: str, dialect: str, check: Check, *, seed: int = 0,
        temperature: float = 0.7,
    ) -> None:  # fmt: skip
        """`model` is what the key stands on: base URL and model name. `dialect` is sqlglot's name of the database's."""
        self._chat, self._prompt, self._language = chat, prompt, language
        self._dialect, self._check = DIALECT_TITLES.get(dialect, "standard SQL"), check
        self._seed, self._temperature = seed, temperature
        self.key = content_id("sql questions", model, prompt, language)
        self.num_parallel = chat.num_parallel

    def write(
        self,
        subject: TableSubject,
        numbers: Sequence[int],
        avoid: Sequence[str] = (),
        checkpoint: Checkpoint | None = None,
    ) -> Batch[WrittenSql]:
        """As `QuestionWriter.write`, about a table. What is not the JSON asked for, or does not run, has a reason."""
        reply = self._chat.complete(
            [{"role": "user", "content": self._filled(subject, len(numbers), avoid)}],
            schema=_schema(len(numbers)),
            max_tokens=TOKENS_PER_QUESTION * len(numbers) + 100,
            seed=self._seed + numbers[0],
            temperature=self._temperature,
            checkpoint=checkpoint,
        )
        items = _items(reply.text)
        written = [self._checked(item, checkpoint) for item in items[: len(numbers)]]
        reason = "The model wrote fewer questions than asked." if items else "The answer was not the JSON asked for."
        missing = [WrittenSql("", reason=reason)] * (len(numbers) - len(written))
        return Batch((*written, *missing), reply.input_tokens, reply.output_tokens)

    def largest_call(self, subject: TableSubject, num_questions: int) -> tuple[int, int]:
        """As `QuestionWriter.largest_call`: twice the estimate of the prompt, as scripts differ in tokens per letter."""
        prompt = self._filled(subject, num_questions, ())
        return 2 * estimated_tokens(prompt) + _OVERHEAD_TOKENS, TOKENS_PER_QUESTION * num_questions + 100

    def close(self) -> None:
        """Close the chat."""
        self._chat.close()

    def _filled(self, subject: TableSubject, num_questions: int, avoid: Sequence[str]) -> str:
        schema, _ = fitted_schema(subject.schema, subject.table, MAX_SCHEMA_CHARS)
        values = {
            "dialect": self._dialect, "schema": schema, "samples": subject.samples, "table": subject.table,
            "language": self._language, "num_questions": num_questions, "avoid": list(avoid),
        }  # fmt: skip
        return render(self._prompt, values)

    def _checked(self, item: dict[str, Any], checkpoint: Checkpoint | None) -> WrittenSql:
        question, sql = (" ".join(str(item.get(name) or "").split()) for name in ("question", "sql"))
        sql = str(item.get("sql") or "").strip().rstrip(";").rstrip()
        if not question or not sql:
            return WrittenSql(question, sql, "The question or its query was empty.")
        return WrittenSql(question, sql, self._check(sql, checkpoint))


def subjects(database: Database, tables: Sequence[str], num_samples: int) -> list[TableSubject]:
    """The tables to ask about, all where none is named, with up to `num_samples` rows of each table read through the guard.

    Raises ProviderError if the database cannot be reached, QueryError if a table cannot be read.
    """
    shapes = database.tables()
    schema = "\n".join(shape.statement for shape in shapes)
    samples = {shape.name: _sample(database, shape, num_samples) for shape in shapes} if num_samples else {}
    chosen = [shape for shape in shapes if not tables or shape.name in tables]
    return [
        TableSubject(content_id("table", database.reference, schema, shape.name), shape.name, schema,
                     "\n\n".join(samples[near] for near in _near(shape, shapes) if samples.get(near)))
        for shape in chosen
    ]  # fmt: skip


def checked_by_running(database: Database) -> Check:
    """A check that runs the query: it has to give rows, since an empty result shows nothing."""

    def check(sql: str, checkpoint: Checkpoint | None) -> str:
        try:
            found = database.query(sql, CHECK_LIMITS, checkpoint)
        except QueryError as error:
            return error.message
        if not any(cell is not None for row in found.rows for cell in row):
            return "Its query gives no rows, or nothing in them, so that nothing shows whether it is right."
        return ""

    return check


def _near(shape: TableShape, shapes: Sequence[TableShape]) -> list[str]:
    """The table, those it points to, and those that point to it."""
    pointed = [key.other for key in shape.foreign_keys]
    pointing = [other.name for other in shapes if any(key.other == shape.name for key in other.foreign_keys)]
    return list(dict.fromkeys([shape.name, *pointed, *pointing]))


def _sample(database: Database, shape: TableShape, num_rows: int) -> str:
    limits = Limits(SAMPLE_LIMITS.timeout_s, num_rows, SAMPLE_LIMITS.max_cell_chars)
    found = database.query(f"SELECT * FROM {quoted(shape.name)}", limits)  # noqa: S608 - read by the guard like any other
    lines = [json.dumps(row, ensure_ascii=False) for row in found.rows]
    return "\n".join([f"{shape.name} ({', '.join(found.columns)})", *lines]) if lines else ""


def _items(text: str) -> list[dict[str, Any]]:
    """The questions in a model's answer: JSON, also inside a code fence or chatter; [] if there is none."""
    try:
        items = json.loads(text[text.find("{") : text.rfind("}") + 1])["questions"]
    except (ValueError, KeyError, TypeError):
        return []
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _schema(num_questions: int) -> dict[str, Any]:
    text = {"type": "string"}
    item = {
        "type": "object", "properties": {"question": text, "sql": text}, "required": ["question", "sql"],
        "additionalProperties": False,
    }  # fmt: skip
    # No minItems: some services refuse it in strict schemas. The prompt states the number.
    items = {"type": "array", "description": f"{num_questions} questions", "items": item}
    return {
        "type": "object", "properties": {"questions": items}, "required": ["questions"], "additionalProperties": False,
    }  # fmt: skip
