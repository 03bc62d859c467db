"""`panel` on the command line: two systems of a comparison, one language model."""

import json
import re

from typer.testing import CliRunner

from finetune_core import commands
from finetune_core.wording import metric_title
from finetune_core.workspace.comparisons import ComparisonView
from tests import example_comparison, panel_fixtures
from tests.panel_fixtures import WRITER, services

words_recipe = example_comparison.words_recipe
answered = panel_fixtures.answered


def test_base_and_tuned_answer_and_the_change_is_told(answered: ComparisonView) -> None:
    systems = ["--comparison", answered.id, "--chat", f"service:{WRITER}"]
    asked = ["panel", "--project", "Panels", *systems, "--questions", "4"]
    with services():
        seen = CliRunner().invoke(commands.build(), [*asked, "--estimate", "--json"])
        assert json.loads(seen.stdout)["num_questions"] == 4
        told = CliRunner().invoke(commands.build(), asked)
        again = CliRunner().invoke(commands.build(), [*asked, "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(again.stdout[again.stdout.index("{") :])
    similarity = found["metrics"]["similarity"]
    line = next(line for line in told.stdout.splitlines() if line.startswith(metric_title("similarity")))
    numbers = [float(number) for number in re.findall(r"[+-]?\d\.\d{3}", line)]
    assert numbers[:3] == [
        round(similarity["before"], 3), round(similarity["after"], 3), round(similarity["interval"]["difference"], 3)
    ]  # fmt: skip
    unknown = CliRunner().invoke(commands.build(), [*asked, "--after", "nobody"])
    assert (unknown.exit_code, "'nobody' finds no passages" in unknown.output) == (1, True)
