"""Questions with SQL written over a person's own database: each query is run before it is kept, and nothing is paid twice."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finetune_core.errors import JobError, ProviderError
from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers import retries
from finetune_core.records import SqlQuestion
from finetune_core.storage import database, demonstrations
from finetune_core.storage.demonstrations import Demonstration, DemonstrationFilter
from finetune_core.workspace import jobs, projects, sql_generation
from finetune_core.workspace.jobs import JobState
from tests.generation_fixtures import provider
from tests.shop_database import make_shop
from tests.ui.conftest import OpenPage, open_page  # noqa: F401  a fixture
from tests.vendors.openai_chat import serving_chat
from tests.vendors.server import Fault, Vendor

QUERIES = (
    ("How many customers live in Rome?", "SELECT count(*) FROM customer WHERE city = 'Rome';"),
    ("Who bought for more than 50?",
     'SELECT DISTINCT name FROM customer JOIN "order" ON customer.id = customer_id WHERE total > 50'),
    ("Forget all customers.", "DROP TABLE customer"),
    ("Who lives in Oslo?", "SELECT name FROM customer WHERE city = 'Oslo'"),
    ("What is the tax?", "SELECT tax FROM customer"),
)  # fmt: skip


def sql_answer(body: dict[str, Any]) -> str:
    prompt = body["messages"][-1]["content"]
    table, num = re.search(r"from the table (\S+),", prompt).group(1), int(re.search(r"Write (\d+)", prompt).group(1))
    items = [{"question": f"{asked} ({table})", "sql": sql} for asked, sql in QUERIES[:num]]
    return "Here you are:\n```json\n" + json.dumps({"questions": items}) + "\n```"


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving_chat(sql_answer) as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, vendor: Vendor) -> None:
    monkeypatch.setattr(retries, "pause_s", lambda state: 0.0)
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)
    provider(vendor, monkeypatch)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = make_shop(tmp_path)
    monkeypatch.setenv("SHOP_URL", f"sqlite:///{path}")
    return path


def params(**values: Any) -> sql_generation.SqlWritingParams:
    return sql_generation.params_from({"provider": "Loopback", "database": "env:SHOP_URL", "max_attempts": 2} | values)


def run(project_id: str, **values: Any) -> jobs.JobView:
    job_id = sql_generation.start(project_id, params(**values))
    run_queued_here()
    return jobs.get(job_id)


def kept(project_id: str) -> list[Demonstration]:
    with database.reading() as connection:
        return list(demonstrations.each(connection, project_id, DemonstrationFilter(SqlQuestion.__name__)))


def test_only_queries_that_run_and_give_something_are_kept(shop: Path, vendor: Vendor) -> None:
    before = hashlib.sha256(shop.read_bytes()).hexdigest()
    project_id = projects.create("Shop").id
    job = run(project_id, tables=["customer"])
    assert job.state is JobState.DONE, job.error
    assert (job.result["num_written"], job.result["num_unusable"]) == (2, 3)
    first, second = [one.example for one in kept(project_id)]
    assert (first.question, first.sql) == ("How many customers live in Rome? (customer)", QUERIES[0][1].rstrip(";"))
    assert (first.database, first.group, first.difficulty) == ("env:SHOP_URL", "shop: customer", "easy")
    assert "CREATE TABLE customer (id INTEGER" in first.schema
    assert second.difficulty == "medium"
    assert {one.state for one in kept(project_id)} == {"pending"}
    assert hashlib.sha256(shop.read_bytes()).hexdigest() == before
    prompt = vendor.requests[0].body["messages"][0]["content"]
    assert '[1, "Ada", "Paris"]' in prompt
    assert "order (id, customer_id, total, placed)" in prompt  # the table that points to it
    counts = sql_generation.outcome(project_id)
    assert (counts.num_written, counts.num_unusable, counts.num_failed) == (2, 3, 0)


def test_a_second_start_pays_for_nothing_twice_and_a_cap_is_kept(shop: Path, vendor: Vendor) -> None:
    project_id = projects.create("Shop").id
    run(project_id, tables=["customer"], questions_per_table=2)
    assert sql_generation.estimate(project_id, params(tables=["customer"], questions_per_table=2)).num_calls == 0
    again = run(project_id, questions_per_table=2)
    assert again.result["num_done_before"] == 2
    asked = [
        re.search(r"from the table (\S+),", one.body["messages"][0]["content"]).group(1) for one in vendor.requests
    ]
    assert sorted(asked) == ["big_order", "customer", "order"]
    capped = run(project_id, questions_per_table=5, max_tokens=10)
    assert capped.result["is_capped"]
    assert len(vendor.requests) == 3


def test_a_service_that_fails_is_asked_again_next_time(shop: Path, vendor: Vendor) -> None:
    project_id = projects.create("Shop").id
    vendor.faults += [Fault(500), Fault(500)]
    assert run(project_id, tables=["customer"], questions_per_table=1).result["num_failed"] == 1
    assert run(project_id, tables=["customer"], questions_per_table=1).result["num_written"] == 1


def test_what_cannot_work_is_said_before_anything_is_asked(shop: Path, vendor: Vendor, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="holds a password"):
        params(database="postgresql://me:secret@host/shop")
    with pytest.raises(ProviderError, match="NOWHERE is not set"):
        params(database="env:NOWHERE")
    with pytest.raises(JobError, match="questions_per_table"):
        params(questions_per_table=0)
    with pytest.raises(ProviderError, match="no database file"):
        sql_generation.start(projects.create("Gone").id, params(database=str(tmp_path / "gone.sqlite")))
    with pytest.raises(ProviderError, match="no table"):
        sql_generation.start(projects.create("None").id, params(tables=["nowhere"]))
    assert vendor.requests == []


def test_from_the_page(shop: Path, vendor: Vendor, open_page: OpenPage) -> None:  # noqa: F811
    project_id = projects.create("Shop").id
    app = open_page("generate", project=project_id, kind="sql")
    app.text_input(key="sql_database").set_value(str(shop)).run()
    assert not app.error
    assert any("CREATE TABLE customer" in block.value for block in app.code)
    app.multiselect(key="sql_tables").set_value(["customer"]).run()
    app.number_input(key="sql_questions").set_value(2).run()
    app.button(key="sql_start_go").click().run()
    assert not app.error
    assert not app.exception
    run_queued_here()
    app.run()
    assert [one.example.database for one in kept(project_id)] == [str(shop)] * 2
    app.text_input(key="sql_database").set_value("postgresql://me:secret@host/shop").run()
    assert any("password" in error.value for error in app.error)
