"""How numbers and metrics are written in sentences."""

import pytest

from finetune_core.evaluation.ragas_retrieval import RAGAS_METRICS
from finetune_core.wording import counted, metric_title, signed


def test_metrics_are_written_as_in_papers() -> None:
    assert [metric_title(name) for name in ("ndcg@10", "map@100", "hit@1", "accuracy")] == [
        "nDCG@10", "MAP@100", "hit@1", "accuracy",
    ]  # fmt: skip
    assert all(metric_title(name).startswith("ragas: ") for name in RAGAS_METRICS)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123, "+0.012"), (-0.5, "−0.500"), (0.0, "0.000"), (-0.0004, "0.000"), (1.0, "+1.000")]
)
def test_differences_carry_their_sign(value: float, text: str) -> None:
    assert signed(value) == text


def test_one_thing_is_singular() -> None:
    assert [counted(number, "pair") for number in (0, 1, 1200)] == ["0 pairs", "1 pair", "1,200 pairs"]
