"""What a version says of the base that it was measured with."""

import numpy as np

from finetune_core import recipes
from finetune_core.jobs.freezing import base_facts
from finetune_core.recipe import Report


def test_metrics_that_need_a_judge_are_left_out_where_there_was_none() -> None:
    recipe = recipes.get("distillation")
    columns = {name: np.array([0.5, 1.0]) for name in ("similarity", "rouge_l", "chrf", "calls_right", "calls_due")}
    report = Report("base", ("a", "b"), ("a", "b"), {**columns, "bleu": np.ones((2, 10))})
    facts = base_facts("model", recipe.headline, recipe.metrics, report, report)
    assert facts["validation"] == facts["test"]["similarity"] == 0.75
    assert facts["test"].keys() == {"similarity", "rouge_l", "chrf", "bleu", "right_calls"}
