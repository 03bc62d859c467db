"""Questions to a database answered in SQL: how models are asked, and their queries run and held against the right ones.

Every query, the right one too, goes through the read-only guard of `providers.database`.
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from finetune_core.errors import FinetuneError, ProviderError, QueryError, QueryRefusedError
from finetune_core.evaluation.asking import ask_all, chat_facts
from finetune_core.evaluation.prompt_files import prompt
from finetune_core.evaluation.said import Said, detail
from finetune_core.evaluation.schemas import best_table, fitted_schema, named_columns, words_of
from finetune_core.metrics.ranking import Mean
from finetune_core.metrics.ratios import Ratio
from finetune_core.metrics.sql import Difficulty, difficulty, normalised, orders_rows, results_match, schema_tables
from finetune_core.providers.chat import Chat, Message, Request
from finetune_core.providers.database import Database, Limits, ResultTable, quoted
from finetune_core.providers.statements import parse_statements
from finetune_core.recipe import Metric, Prices, Report, Run
from finetune_core.records import Part, SqlQuestion, content_id

PROMPT = "text_to_sql.v1"
MAX_TOKENS = 256
HEADLINE = "right_sql"
LIMITS = Limits(timeout_s=10.0, max_rows=20_000, max_cell_chars=100_000)
"""What a query may take while it is measured: results are compared whole, so that these are wide."""
SHOWN = Limits(timeout_s=20.0, max_rows=200, max_cell_chars=500)
"""What a query may take whose rows a person looks at."""
DIALECT_TITLES = {
    "postgres": "PostgreSQL",
    "mysql": "MySQL",
    "sqlite": "SQLite",
    "tsql": "SQL Server",
    "oracle": "Oracle",
}
"""How the prompt calls the dialects that it names; others are just SQL."""

SQL_METRICS: dict[str, Metric] = {
    "right_sql": Mean("right"),
    "execution_match": Mean("execution"),
    "exact_match": Mean("exact"),
    "parses": Mean("parses"),
    "runs": Mean("runs"),
    **{f"right_{level}": Ratio(f"right_{level}", (str(level),)) for level in Difficulty},
}
"""Every metric of a report on SQL, as functions of the columns of `evaluate_sql`."""
COLUMNS = ("right", "execution", "exact", "parses", "runs", *Difficulty, *(f"right_{level}" for level in Difficulty))


@dataclass(frozen=True, slots=True)
class Written:
    """One query for each question, "" where none was written, with why not; `facts` are tokens, cost and engine."""

    queries: tuple[str, ...]
    failures: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)


class SqlWriter(Protocol):
    """Anything that answers questions with SQL."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str:
        """Changes whenever the queries may."""

    def write(self, questions: Sequence[SqlQuestion], run: Run) -> Written:
        """A query for each; the right ones are not looked at."""


@dataclass(frozen=True)
class ChatWriter:
    """A language model that is given the tables, in at most `max_schema_chars` characters, and the question.

    Its answer is cut after `max_tokens` tokens.
    """

    name: str
    chat: Chat
    max_schema_chars: int
    max_tokens: int = MAX_TOKENS
    prices: Prices | None = None

    @property
    def fingerprint(self) -> str:
        """Changes whenever the queries may."""
        identity = str(getattr(self.chat, "fingerprint", self.chat.name))
        return content_id("sql writer", identity, PROMPT, str(self.max_schema_chars), str(self.max_tokens))

    def write(self, questions: Sequence[SqlQuestion], run: Run) -> Written:
        """A query for each, at temperature 0. A single question is what a person typed: its answer is kept nowhere."""
        requests = [
            Request(sql_messages(each, self.max_schema_chars), max_tokens=self.max_tokens) for each in questions
        ]
        kept = run.workdir / f"answers-{self.fingerprint}.jsonl" if len(questions) > 1 else None
        answers = ask_all(self.chat, requests, run, kept, None if kept else run.on_text)
        return Written(
            tuple(query_in(answer.text) for answer in answers),
            tuple(answer.failure for answer in answers),
            chat_facts(self.chat, answers, self.prices),
        )


@dataclass(frozen=True)
class TemplateWriter:
    """Counts, or lists what is named, in the table that the question names most: what any model has to beat."""

    name: str = "template"

    @property
    def fingerprint(self) -> str:
        """The same for ever."""
        return content_id("sql template", "v1")

    def write(self, questions: Sequence[SqlQuestion], run: Run) -> Written:
        """A query for each that has tables."""
        queries = tuple(template_query(each) for each in questions)
        return Written(queries, tuple("" if query else "There are no tables to ask." for query in queries))


def sql_messages(question: SqlQuestion, max_schema_chars: int) -> tuple[Message, ...]:
    """The prompt, the same for training, measuring and use."""
    schema, num_left_out = fitted_schema(
        question.schema, question.question, max_schema_chars, _dialect(question.database)
    )
    text = prompt(
        PROMPT,
        dialect=DIALECT_TITLES.get(_dialect(question.database), "") if question.database else "",
        schema=schema,
        num_left_out=num_left_out,
        question=question.question,
    )
    return ({"role": "user", "content": text},)


def query_in(text: str) -> str:
    """The query in what a model answered: in a code fence, or the first paragraph that starts like one, else all of it."""
    said = re.sub(r"<think>.*?</think>", "", text, flags=re.DOTALL)
    if fenced := re.search(r"```(?:\w+\s)?(.*?)(?:```|$)", said, flags=re.DOTALL):
        return fenced[1].strip()
    paragraphs = [each.strip() for each in re.split(r"\n\s*\n", said)]
    starting = [each for each in paragraphs if re.match(r"(?:SELECT|WITH)\b", each, flags=re.IGNORECASE)]
    return starting[0] if starting else said.strip()


def template_query(question: SqlQuestion) -> str:
    """`SELECT count(*)`, the columns that the question names, or `*`, from the table it names most; "" without tables."""
    table = best_table(question.schema, question.question, _dialect(question.database))
    if table is None:
        return ""
    columns = named_columns(table, question.question)
    is_count = words_of(question.question) >= {"how", "many"} or "number" in words_of(question.question)
    wanted = "count(*)" if is_count else ", ".join(map(quoted, columns)) or "*"
    return f"SELECT {wanted} FROM {quoted(table.name)}"  # noqa: S608 - read by the guard like any other


def evaluate_sql(writer: SqlWriter, part: Part[SqlQuestion], run: Run, limits: Limits = LIMITS) -> Report:
    """Ask for a query for every question of the part, run it, and compare; columns as `COLUMNS`, each (N,).

    `execution` is 1 where the rows are right (see `metrics.sql`) and NaN where there is no database, or the right query does
    not run; `right` is the execution match where there is a database, and the exact match where there is none. A query that
    the model refused to write is NaN everywhere. Raises ProviderError if a database cannot be reached.
    """
    judges = [_Expected(each, limits, run) for each in part.examples]
    written = writer.write(part.examples, run)
    scores = []
    for at, (judge, query, failure) in enumerate(zip(judges, written.queries, written.failures, strict=True)):
        run.progress(at / len(judges), f"{writer.name}: running queries")
        scores.append(_Score(note=failure) if failure and not query else judge.score(query))
    rows = [_row(score, judge.level) for score, judge in zip(scores, judges, strict=True)]
    table_NC = np.array(rows, dtype=np.float64).reshape(len(rows), len(COLUMNS))
    return Report(
        system=writer.name,
        ids=tuple(each.id for each in part.examples),
        groups=tuple(each.group for each in part.examples),
        columns=dict(zip(COLUMNS, table_NC.T, strict=True)),
        details=tuple(
            detail(query, each.sql, None if np.isnan(score.right) else score.right, score.note)
            for each, query, score in zip(part.examples, written.queries, scores, strict=True)
        ),
        facts=written.facts
        | {
            "num_without_database": sum(not each.database for each in part.examples),
            "num_right_query_fails": sum(bool(judge.failure) for judge in judges),
        },
    )


def answer_sql(writer: SqlWriter, question: SqlQuestion, run: Run) -> Said:
    """The query for one question, and its first rows where there is a database; the note says why there are none."""
    written = writer.write([question], run)
    query, failure = written.queries[0], written.failures[0]
    if failure or not question.database:
        return Said(query, failure)
    try:
        rows = Database(question.database).query(query, SHOWN, run.checkpoint)
    except FinetuneError as error:
        return Said(query, f"{error.message} {error.hint}" if isinstance(error, ProviderError) else error.message)
    return Said(query, table=rows)


@dataclass(frozen=True, slots=True)
class _Score:
    right: float = np.nan
    execution: float = np.nan
    exact: float = np.nan
    parses: float = np.nan
    runs: float = np.nan
    note: str = ""


class _Expected:
    """What a right answer to one question looks like: its text, its rows, and how hard it was."""

    def __init__(self, question: SqlQuestion, limits: Limits, run: Run) -> None:
        self._limits, self._run = limits, run
        self._database = _database(question.database) if question.database else None
        self._dialect = _dialect(question.database)
        self._schema = schema_tables(question.schema, self._dialect)
        self._text = normalised(question.sql, self._schema, self._dialect)
        self._is_ordered = orders_rows(question.sql, self._dialect)
        known = {str(level) for level in Difficulty}
        named = question.difficulty.strip().lower().removesuffix(" hard")
        self.level = named if named in known else str(difficulty(question.sql, self._dialect) or "")
        self._rows: ResultTable | None = None
        self.failure = ""
        if self._database is not None:
            self._read_rows(question.sql, self._database)

    def _read_rows(self, sql: str, database: Database) -> None:
        try:
            self._rows = database.query(sql, self._limits, self._run.checkpoint)
        except QueryError as error:
            self.failure = f"The right query does not run, so this question is not scored. {error.message}"
            return
        if self._rows.is_cut:
            self.failure = (
                f"The right query gives more than {self._limits.max_rows:,} rows: this question is not scored."
            )

    def score(self, query: str) -> _Score:
        """How right `query` is."""
        text = normalised(query, self._schema, self._dialect)
        exact = float(text is not None and text == self._text)
        parses = _parses(query, self._dialect)
        if self._database is None:
            return _Score(exact, np.nan, exact, parses, np.nan, "" if exact else "This is not the right query.")
        try:
            rows = self._database.query(query, self._limits, self._run.checkpoint)
        except QueryError as error:
            wrong = np.nan if self.failure else 0.0
            return _Score(wrong, wrong, exact, parses, 0.0, self.failure or error.message)
        if self._rows is None or self.failure:
            return _Score(np.nan, np.nan, exact, parses, 1.0, self.failure)
        is_right = not rows.is_cut and results_match(self._rows.rows, rows.rows, is_ordered=self._is_ordered)
        note = "" if is_right else _difference(self._rows, rows)
        return _Score(float(is_right), float(is_right), exact, parses, 1.0, note)


def _difference(right: ResultTable, given: ResultTable) -> str:
    """In a few words, how a result differs from the right one."""
    if len(right.rows) != len(given.rows):
        return f"It gives {len(given.rows):,} rows; {len(right.rows):,} are right."
    if len(right.columns) != len(given.columns):
        return f"It gives {len(given.columns)} columns; {len(right.columns)} are right."
    if results_match(right.rows, given.rows, is_ordered=False):
        return "It gives the right rows in another order."
    return "It gives other rows."


def _row(score: _Score, level: str) -> list[float]:
    values = [score.right, score.execution, score.exact, score.parses, score.runs]
    here = [float(each == level) for each in Difficulty]
    # NaN where the row is scored nowhere; 0 where it is of another difficulty.
    return [*values, *here, *(score.right * each for each in here)]


def _parses(query: str, dialect: str) -> float:
    try:
        return float(len(parse_statements(query, dialect)) > 0)
    except QueryRefusedError:
        return 0.0


@functools.lru_cache(maxsize=256)
def _database(reference: str) -> Database:
    return Database(reference)


def _dialect(reference: str) -> str:
    """The SQL of the database, SQLite's where there is none or it is not within reach."""
    try:
        return _database(reference).dialect if reference else "sqlite"
    except ProviderError:
        return "sqlite"
