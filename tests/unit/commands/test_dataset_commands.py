"""`import`, `export-dataset` and `freeze` as a script calls them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from finetune_core.commands import build
from finetune_core.errors import DatasetError
from finetune_core.jobs import supervisor
from finetune_core.jobs.worker import run_queued_here
from finetune_core.workspace import projects


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job runs in this process, without the base model."""
    monkeypatch.setattr(supervisor, "ensure_worker", run_queued_here)
    monkeypatch.setattr(
        "finetune_core.jobs.freezing_pairs._base", lambda *_: ({"model": "", "note": "not measured"}, None)
    )


def call(*arguments: str) -> str:
    result = CliRunner().invoke(build(), list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def written(path: Path, split: str, num: int) -> str:
    content = {
        "queries": {f"{split}{number}": f"A {split} question about {number}?" for number in range(num)},
        "corpus": {f"p{number}": f"Passage {number}" for number in range(40)},
        "relevant_docs": {f"{split}{number}": [f"p{number}"] for number in range(num)},
        "mode": "text",
    }
    path.write_text(json.dumps(content))
    return str(path)


def test_the_script_of_an_empty_home(tmp_path: Path) -> None:
    train, test = written(tmp_path / "train.json", "train", 30), written(tmp_path / "test.json", "test", 12)
    call("import", "--project", "P", "--format", "llamaindex", "--split", "train", train)
    summary = json.loads(call("import", "--project", "P", "--format", "llamaindex", "--split", "test", test, "--json"))
    assert (summary["num_pairs"], summary["num_new_passages"], summary["splits"]) == (12, 0, {"test": 12})
    view = json.loads(call("freeze", "--project", "P", "--name", "v1", "--json"))
    assert view["name"] == "v1"
    assert [view["manifest"][f"num_{part}"] for part in ("train", "validation", "test")] == [27, 3, 12]
    assert view["manifest"]["num_searched"]["test"] == 40
    assert "27 train, 3 validation, 12 test" in call("freeze", "--project", "P", "--name", "v1")
    out = tmp_path / "out.json"
    call("export-dataset", "--project", "P", "--format", "llamaindex", "--split", "test", str(out))
    assert {key: value for key, value in json.loads(out.read_text()).items() if key != "ayar"} == json.loads(
        Path(test).read_text()
    )


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    runner, app = CliRunner(), build()
    assert runner.invoke(app, ["import", "--project", "P"]).exit_code == 2
    result = runner.invoke(app, ["import", "--project", "P", "--format", "xml", str(tmp_path / "none")])
    assert isinstance(result.exception, DatasetError)
    projects.by_name_or_new("P")
    result = runner.invoke(app, ["freeze", "--project", "P", "--name", "v1"])
    assert isinstance(result.exception, DatasetError)
    assert "no accepted pairs" in result.exception.message


def test_queries_and_choices_go_out_as_they_came_in(tmp_path: Path) -> None:
    described, queries = tmp_path / "choices.json", tmp_path / "queries.csv"
    described.write_text('{"billing": "What is owed", "travel": "Trains"}', encoding="utf-8")
    queries.write_text("query,label,split\nWhat do I owe?,billing,train\nWhich train?,travel,test\n", encoding="utf-8")
    call("import", "--project", "Desk", "--format", "choices", str(described))
    call("import", "--project", "Desk", "--format", "labelled", str(queries))
    out = tmp_path / "out.jsonl"
    assert "Wrote 1 queries" in call(
        "export-dataset", "--project", "Desk", "--format", "labelled", "--split", "test", str(out)
    )
    (row,) = map(json.loads, out.read_text().splitlines())
    assert (row["query"], row["label"], row["split"]) == ("Which train?", "travel", "test")
    done = json.loads(
        call("export-dataset", "--project", "Desk", "--format", "choices", str(tmp_path / "out.csv"), "--json")
    )
    assert done["num_choices"] == 2
    call("import", "--project", "Other", "--format", "choices", str(tmp_path / "out.csv"))
    result = CliRunner().invoke(build(), ["export-dataset", "--project", "Desk", "--format", "labelled", str(out)])
    assert "exists already" in str(result.exception)
    result = CliRunner().invoke(build(), ["export-dataset", "--project", "Desk", "--format", "labelled", "queries.xml"])
    assert "neither .jsonl nor .csv" in str(result.exception)


def test_scored_answers_come_in_and_are_frozen_by_the_name_of_their_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finetune_core.jobs.freezing_demonstrations.recipe_for", lambda record: None)
    path = tmp_path / "scores.csv"
    path.write_text("query,response,score\n" + "".join(f"What is {n}?,It is {n}.,{n % 5 + 1}\n" for n in range(12)))
    assert json.loads(call("import", "--project", "J", "--format", "judgements", str(path), "--json"))["num_new"] == 12
    view = json.loads(call("freeze", "--project", "J", "--name", "v1", "--record", "Judgement", "--json"))
    assert view["manifest"]["record"] == "Judgement"
    assert sum(view["manifest"][f"num_{part}"] for part in ("train", "validation", "test")) == 12
