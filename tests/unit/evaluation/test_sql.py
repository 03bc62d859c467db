"""Queries of models run and compared on a real database; nothing they write can change it."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finetune_core.errors import ProviderError
from finetune_core.evaluation.schemas import best_table, fitted_schema, named_columns, tables_of
from finetune_core.evaluation.sql import (
    SQL_METRICS,
    ChatWriter,
    TemplateWriter,
    answer_sql,
    evaluate_sql,
    query_in,
    sql_messages,
    template_query,
)
from finetune_core.providers.chat import Reply, RequestRefusedError
from finetune_core.providers.database import Database
from finetune_core.records import Part, SplitName, SqlQuestion
from tests.shop_database import make_shop
from tests.training_fixtures import RecordedRun

SCHEMA = """
CREATE TABLE "customer" ( -- who buys
  "id" INTEGER PRIMARY KEY, "name" TEXT, "city" TEXT);
CREATE TABLE "order" ("id" INTEGER PRIMARY KEY, "customer_id" INTEGER REFERENCES customer ("id"), "total" REAL, "placed" TEXT);
"""


class FakeChat:
    """Answers each question by what it holds for it."""

    name, num_parallel = "fake", 1

    def __init__(self, answers: Mapping[str, str]) -> None:
        self._answers = answers
        self.prompts: list[str] = []

    def complete(self, messages: Sequence[Mapping[str, Any]], **options: Any) -> Reply:
        assert options["temperature"] == 0.0
        self.prompts.append(messages[-1]["content"])
        text = next(said for asked, said in self._answers.items() if f"Question: {asked}" in self.prompts[-1])
        if text == "refuse":
            raise RequestRefusedError("Filtered.", hint="Ask otherwise.")
        return Reply(text, 10, 5)

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shop(tmp_path_factory.mktemp("shop"))


def part_of(shop: Path | None, *rows: tuple[str, str]) -> Part[SqlQuestion]:
    url = f"sqlite:///{shop}" if shop else ""
    questions = [SqlQuestion(f"q{at}", asked, SCHEMA, sql, f"g{at % 2}", url) for at, (asked, sql) in enumerate(rows)]
    return Part(SplitName.TEST, tuple(questions))


ROWS = (
    ("How many customers?", "SELECT count(*) FROM customer"),
    ("Who lives in Rome?", 'SELECT name FROM customer WHERE city = "Rome"'),
    ("Cities by name?", "SELECT city FROM customer ORDER BY name"),
    ("Drop it!", "SELECT name FROM customer"),
    ("Names and cities?", "SELECT name, city FROM customer"),
    ("What is the total?", "SELECT sum(total) FROM \"order\" WHERE placed LIKE '2026-01%'"),
    ("Broken?", "SELECT nothing FROM nowhere"),
    ("Say no.", "SELECT 1"),
    ("Nonsense?", "SELECT id FROM customer"),
)
SAID = {
    "How many customers?": "```sql\nSELECT COUNT(id) AS n FROM customer;\n```",
    "Who lives in Rome?": "select T1.name from customer as T1 where T1.city = 'Rome'",
    "Cities by name?": "SELECT city FROM customer ORDER BY name DESC",
    "Drop it!": "DROP TABLE customer",
    "Names and cities?": "SELECT city, name FROM customer ORDER BY id DESC\n\nThis gives both.",
    "What is the total?": "SELECT 100.5",
    "Broken?": "SELECT name FROM customer",
    "Say no.": "refuse",
    "Nonsense?": "The ids of the customers.",
}


def test_queries_are_run_and_compared(shop: Path, tmp_path: Path) -> None:
    before = hashlib.sha256(shop.read_bytes()).hexdigest()
    report = evaluate_sql(ChatWriter("fake", FakeChat(SAID), 6000), part_of(shop, *ROWS), RecordedRun(tmp_path))
    nan = np.nan
    expected = {
        "execution": [1, 1, 0, 0, 1, 1, nan, nan, 0],
        "right": [1, 1, 0, 0, 1, 1, nan, nan, 0],
        "exact": [0, 1, 0, 0, 0, 0, 0, nan, 0],
        "runs": [1, 1, 1, 0, 1, 1, 1, nan, 0],
        "parses": [1, 1, 1, 1, 1, 1, 1, nan, 0],
        "easy": [1, 1, 1, 1, 0, 0, 1, 1, 1],
        "medium": [0, 0, 0, 0, 1, 1, 0, 0, 0],
        "right_medium": [0, 0, 0, 0, 1, 1, nan, nan, 0],
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(report.columns[name], values, err_msg=name)
    assert SQL_METRICS["right_sql"](report.columns) == pytest.approx(4 / 7)
    assert SQL_METRICS["right_easy"](report.columns) == pytest.approx(2 / 5)
    assert SQL_METRICS["right_medium"](report.columns) == 1
    assert np.isnan(SQL_METRICS["right_extra"](report.columns))
    assert report.num_failed("execution") == 2
    assert report.facts["num_right_query_fails"] == 1
    notes = [detail["note"] for detail in report.details]
    assert notes[2] == "It gives the right rows in another order."
    assert "a DROP, not a SELECT" in notes[3]
    assert "does not run, so this question is not scored" in notes[6]
    assert notes[7] == "Filtered."
    assert report.details[0]["answer"] == "SELECT COUNT(id) AS n FROM customer;"
    assert hashlib.sha256(shop.read_bytes()).hexdigest() == before


def test_without_a_database_texts_are_compared(tmp_path: Path) -> None:
    part = part_of(None, *ROWS[:2])
    report = evaluate_sql(ChatWriter("fake", FakeChat(SAID), 6000), part, RecordedRun(tmp_path))
    np.testing.assert_array_equal(report.columns["right"], [0, 1])
    assert np.isnan(report.columns["execution"]).all()
    assert np.isnan(report.columns["runs"]).all()
    assert report.facts["num_without_database"] == 2


def test_a_database_that_is_gone_is_said_before_the_model_is_asked(tmp_path: Path) -> None:
    chat = FakeChat(SAID)
    with pytest.raises(ProviderError, match="no database file"):
        evaluate_sql(
            ChatWriter("fake", chat, 6000), part_of(tmp_path / "gone.sqlite", *ROWS[:2]), RecordedRun(tmp_path)
        )
    assert chat.prompts == []


def test_a_restart_asks_for_nothing_twice(shop: Path, tmp_path: Path) -> None:
    run, part = RecordedRun(tmp_path), part_of(shop, *ROWS[:3])
    evaluate_sql(ChatWriter("fake", FakeChat(SAID), 6000), part, run)
    again = FakeChat(SAID)
    evaluate_sql(ChatWriter("fake", again, 6000), part, run)
    assert again.prompts == []


def test_one_question_is_answered_with_its_rows_or_why_there_are_none(shop: Path, tmp_path: Path) -> None:
    writer, run = ChatWriter("fake", FakeChat(SAID), 6000), RecordedRun(tmp_path)
    right, _, _, drop, *_ = part_of(shop, *ROWS).examples
    said = answer_sql(writer, right, run)
    assert said.table is not None
    assert (said.table.columns, said.table.rows) == (("n",), ((3,),))
    refused = answer_sql(writer, drop, run)
    assert (refused.text, refused.table) == ("DROP TABLE customer", None)
    assert "was not run" in refused.note
    assert Database(str(shop)).query("SELECT count(*) FROM customer").rows == ((3,),)
    assert list(run.workdir.iterdir()) == []  # what a person typed is kept nowhere


def test_the_template_counts_or_lists_what_is_named(shop: Path, tmp_path: Path) -> None:
    def said(text: str) -> str:
        return template_query(SqlQuestion("q", text, SCHEMA, "", "g"))

    assert said("How many customers are there?") == "SELECT count(*) FROM customer"
    assert said("What are the names and cities of customers?") == "SELECT name, city FROM customer"
    assert said("List the orders.") == 'SELECT * FROM "order"'
    assert template_query(SqlQuestion("q", "x", "", "", "g")) == ""
    report = evaluate_sql(TemplateWriter(), part_of(shop, *ROWS[:5]), RecordedRun(tmp_path))
    np.testing.assert_array_equal(report.columns["right"], [1, 0, 0, 0, 1])


def test_a_long_schema_keeps_the_tables_that_are_asked_for_and_says_what_is_missing() -> None:
    many = SCHEMA + "".join(f"CREATE TABLE part_{at} (code TEXT, weight REAL);\n" for at in range(200))
    question = SqlQuestion("q", "What is the total of each order?", many, "", "g")
    prompt = sql_messages(question, 400)[0]["content"]
    assert 'CREATE TABLE "order" (id' in prompt
    assert "CREATE TABLE customer (id" in prompt  # the table it points to
    assert "more tables left out" in prompt
    assert len(prompt) < 700
    text, num_left_out = fitted_schema(many, "weight of part 7?", 100)
    assert num_left_out == 201 - text.count("\n")
    assert "part_7 " in text
    assert [table.name for table in tables_of(SCHEMA)] == ["customer", "order"]
    assert "who buys" not in tables_of(SCHEMA)[0].statement
    assert fitted_schema("", "x", 100) == ("", 0)
    assert tables_of("no tables at all")[0].columns == ()
    best = best_table(SCHEMA, "Where do the customers live?")
    assert best is not None
    assert best.name == "customer"
    assert named_columns(best, "names in each city") == ("name", "city")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("SELECT 1", "SELECT 1"),
        ("```\nSELECT 1\n```", "SELECT 1"),
        ("Here it is:\n```sql\nSELECT 1;\n```\nIt gives 1.", "SELECT 1;"),
        ("Sure!\n\nWITH x AS (SELECT 1)\nSELECT * FROM x\n\nThat is all.", "WITH x AS (SELECT 1)\nSELECT * FROM x"),
        ("<think>SELECT 2?\n\nSELECT 3</think>SELECT 1", "SELECT 1"),
        ("DROP TABLE x", "DROP TABLE x"),
        ("SELECT 1; DROP TABLE x", "SELECT 1; DROP TABLE x"),
        ("```sql\nSELECT 1", "SELECT 1"),
        ("", ""),
    ],
)
def test_the_query_is_found_in_what_was_said(text: str, query: str) -> None:
    assert query_in(text) == query
