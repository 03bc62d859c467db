"""LlamaIndex's SQL query engine, with a language model that writes what it likes."""

import hashlib
import warnings
from pathlib import Path
from typing import Any

import pytest
from pydantic import PrivateAttr

from finetune_core.errors import QueryLimitError, QueryRefusedError
from finetune_core.plugins.llama_index_sql import guarded_sql_database, sql_query_engine
from finetune_core.plugins.snippets import render
from finetune_core.providers.database import Limits
from tests.shop_database import make_shop

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from llama_index.core.llms import MockLLM


class WritingLLM(MockLLM):
    """Answers every prompt with the same text, and remembers the prompts."""

    _text: str = PrivateAttr("")
    _asked: list[str] = PrivateAttr(default_factory=list)

    @classmethod
    def of(cls, text: str) -> "WritingLLM":
        made = cls()
        made._text = text
        return made

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        from llama_index.core.base.llms.types import CompletionResponse

        self._asked.append(prompt)
        return CompletionResponse(text=self._text)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_shop(tmp_path)


@pytest.mark.parametrize(
    "sql",
    ["DROP TABLE customer", "SELECT 1; DROP TABLE customer", "```sql\ndrop /* */ table customer\n```", "DELETE FROM customer"],
)  # fmt: skip
def test_a_written_drop_table_is_refused(shop: Path, sql: str) -> None:
    before = hashlib.sha256(shop.read_bytes()).hexdigest()
    engine = sql_query_engine(str(shop), WritingLLM.of(sql), synthesize_response=False)
    assert "was not run" in str(engine.query("How many customers?"))
    with pytest.raises(QueryRefusedError):
        guarded_sql_database(str(shop)).run_sql(sql)
    assert hashlib.sha256(shop.read_bytes()).hexdigest() == before


def test_a_select_is_answered_over_the_prompt_of_training(shop: Path) -> None:
    llm = WritingLLM.of("SELECT name, city FROM customer ORDER BY id LIMIT 2;")
    engine = sql_query_engine(str(shop), llm, synthesize_response=False, tables=["customer"])
    found = engine.query("Who are the first two customers?")
    assert found.metadata["result"] == [("Ada", "Paris"), ("Bo", "Rome")]
    assert found.metadata["col_keys"] == ["name", "city"]
    assert llm._asked == [
        "Write one SQLite query that answers the question from these tables. Answer with the SQL alone.\n\n"
        "CREATE TABLE customer (id INTEGER, name TEXT, city TEXT, PRIMARY KEY (id));\n\n"
        "Question: Who are the first two customers?"
    ]


def test_nothing_is_inserted_and_nothing_takes_for_ever(shop: Path) -> None:
    database = guarded_sql_database(str(shop), Limits(timeout_s=0.3))
    with pytest.raises(QueryRefusedError, match="only read"):
        database.insert_into_table("customer", {"id": 9})
    with pytest.raises(QueryLimitError):
        database.run_sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
    assert database.run_sql("SELECT count(*) FROM big_order") == (
        "[(2,)]",
        {"result": [(2,)], "col_keys": ["count(*)"]},
    )


def test_the_snippet_asks_through_the_guard() -> None:
    text = render("llama_index_sql", folder="my 'model'", name="writer", base_model="base")
    compile(text, "snippet", "exec")
    assert "class TunedLLM(CustomLLM)" in text
    assert "engine = sql_query_engine(DATABASE, llm" in text
    assert "How do I start?" not in text
    assert "How do I start?" in render("llama_index_chat", folder="model", name="writer", base_model="base")
