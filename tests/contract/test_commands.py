"""Every command keeps the promises of the command line: its options, and its exit codes 0, 1 and 2."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from finetune_core.commands import build
from finetune_core.workspace import projects
from tests.readme_tables import README, commands

PROMISED = {
    "demo", "ingest", "generate", "import", "export-dataset", "freeze", "train", "compare", "export", "runs", "worker",
}  # fmt: skip
OF_NO_PROJECT = {"worker", "serve"}  # they work for all projects of the home folder
PRINT_NOTHING = {"serve"}  # answers on its socket


def options(name: str) -> set[str]:
    return {option for parameter in commands()[name].params for option in parameter.opts}


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The documented call, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "finetune_core", *arguments],
        cwd=README.parent,
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_all_promised_commands_are_there() -> None:
    assert set(commands()) >= PROMISED


@pytest.mark.parametrize("name", sorted(commands()))
def test_a_command_explains_itself_and_all_it_takes(name: str) -> None:
    result = CliRunner().invoke(build(), [name, "--help"])
    assert result.exit_code == 0
    assert commands()[name].help
    for parameter in commands()[name].params:
        assert getattr(parameter, "help", ""), f"{name}: {parameter.name} has no help"


@pytest.mark.parametrize("name", sorted(set(commands()) - OF_NO_PROJECT))
def test_a_command_takes_a_project(name: str) -> None:
    assert "--project" in options(name)


@pytest.mark.parametrize("name", sorted(set(commands()) - PRINT_NOTHING))
def test_a_command_can_print_json(name: str) -> None:
    assert "--json" in options(name)


def test_success_is_0_with_nothing_but_json_on_standard_output() -> None:
    projects.create("P")
    done = call("runs", "--project", "P", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, []), done.stderr


def test_what_a_person_can_mend_is_1_with_message_and_next_step(tmp_path: Path) -> None:
    done = call("freeze", "--project", "nowhere", "--name", "v1", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    message, hint = done.stderr.strip().splitlines()
    assert message.startswith("Error: ")
    assert "nowhere" in message
    assert hint.startswith("Next:  ")


@pytest.mark.parametrize("arguments", [["runs"], ["nonsense"], ["output"], ["train", "--project", "P", "--unknown"]])
def test_a_call_that_makes_no_sense_is_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(build(only=arguments[0]), arguments).exit_code == 2


def test_a_call_that_makes_no_sense_is_2_for_the_shell_too() -> None:
    done = call("runs")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--project" in done.stderr


def test_a_worker_says_how_much_it_has_run() -> None:
    done = call("worker", "--idle-s", "0", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"num_jobs": 0}), done.stderr
