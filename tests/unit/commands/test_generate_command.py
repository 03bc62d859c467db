"""`generate` on the command line."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from finetune_core import commands
from finetune_core.workspace import labelled, projects
from tests.generation_fixtures import corpus, provider
from tests.shop_database import make_shop
from tests.vendors.openai_chat import query_answer, serving_chat


def call(*arguments: str) -> object:
    done = CliRunner().invoke(commands.build(), ["generate", "--project", "Lanterns", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout[done.stdout.index("{") :])  # the job ran here, so its log came first


def test_estimates_then_writes_then_has_nothing_left() -> None:
    corpus()
    assert call("--generator", "extractive", "--questions", "1", "--estimate")["num_questions"] == 12
    written = call("--generator", "extractive", "--questions", "1", "--filters", "form")
    assert (written["state"], written["num_written"], list(written["set_aside"])) == ("done", 12, ["form"])
    again = call("--generator", "extractive", "--questions", "1", "--filters", "")
    assert (again["num_written"], again["num_done_before"]) == (0, 12)


def test_queries_for_choices_are_written_by_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = corpus()
    for name in ("lanterns", "winters"):
        labelled.save_choice(project_id, name, f"Everything about {name}")
    with serving_chat(query_answer) as vendor:
        provider(vendor, monkeypatch)
        service = ("--record", "Labelled", "--generator", "endpoint", "--provider", "Loopback", "--questions", "3")
        assert call(*service, "--estimate")["num_questions"] == 6
        written = call(*service, "--wordings", "2", "--out-of-scope", "2", "--choice", "lanterns")
        assert (written["state"], written["num_written"], written["num_queries"]) == ("done", 5, 10)
    counts = labelled.progress(project_id).counts
    assert counts["pending"] + counts["aside"] == 10
    result = CliRunner().invoke(commands.build(), ["generate", "--project", "Lanterns", "--record", "Poem"])
    assert (result.exit_code, "is none of" in result.output) == (2, True)


def test_questions_over_a_database_are_run_before_they_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    projects.create("Lanterns")
    shop = make_shop(tmp_path)

    def say(body: dict) -> str:
        table = re.search(r"from the table (\S+),", body["messages"][-1]["content"]).group(1)
        wanted = ("SELECT count(*) FROM customer", "DROP TABLE customer")
        items = [{"question": f"{sql[:6]} ({table})?", "sql": sql} for sql in wanted]
        return json.dumps({"questions": items})

    with serving_chat(say) as vendor:
        provider(vendor, monkeypatch)
        asked = ("--record", "SqlQuestion", "--provider", "Loopback", "--database", str(shop), "--table", "customer")
        assert call(*asked, "--questions", "2", "--estimate")["num_questions"] == 2
        written = call(*asked, "--questions", "2")
        filtered = ["generate", "--project", "Lanterns", *asked, "--filters", "form"]
        assert CliRunner().invoke(commands.build(), filtered).exit_code == 2
    assert (written["state"], written["num_written"], written["num_unusable"]) == ("done", 1, 1)
