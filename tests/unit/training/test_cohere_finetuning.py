"""Fine-tuning at Cohere: what is sent, that it is made once whatever dies when, and how failures are told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finetune_core import recipes
from finetune_core.errors import DatasetError, FinetuneError, JobCancelled, ProviderError, StopRequested, TrainingError
from finetune_core.providers import retries
from tests.cohere_fixtures import TINY_COHERE_CONFIG, VARIABLE, KeptRun, loopback, tiny_reranking_split
from tests.training_fixtures import RecordedRun
from tests.vendors.cohere import Account, serving_cohere
from tests.vendors.server import KEY, Fault, Vendor
from tests.warm_python import WarmPython

RECIPE = recipes.get("cohere_reranker")
BARE = TINY_COHERE_CONFIG | {"hard_negatives": "none", "validation_queries": 0}
"""Settings that need no embedding model."""
POINTS = (
    "vendor_name",
    "vendor_dataset_id_sent",
    "vendor_dataset_id",
    "finetuned_model_id_sent",
    "finetuned_model_id",
    "last_step",
)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)
    monkeypatch.setattr(retries, "pause_s", lambda state: 0.0)


@pytest.fixture
def served() -> Iterator[tuple[Vendor, Account]]:
    with serving_cohere() as running:
        yield running


def run_at(vendor: Vendor, folder: Path) -> RecordedRun:
    run = RecordedRun(folder, seed=1)
    run.services["loopback"] = loopback(vendor.url)
    return run


def train(run: Any, **settings: Any) -> Any:
    return RECIPE.train(tiny_reranking_split(), RECIPE.config(**BARE | settings), run)


def paths(vendor: Vendor, method: str) -> list[str]:
    return [seen.path for seen in vendor.requests if seen.method == method]


_CHILD = """
import sys
from pathlib import Path
from finetune_core import recipes
from tests.cohere_fixtures import KeptRun, tiny_reranking_split
from tests.unit.training.test_cohere_finetuning import BARE
folder, url, before, after = sys.argv[1:]
recipe = recipes.get("cohere_reranker")
recipe.train(tiny_reranking_split(), recipe.config(**BARE), KeptRun(Path(folder), url, before or "-", after or "-"))
"""


def killed(python: WarmPython, folder: Path, url: str, before: str = "", after: str = "") -> None:
    done = python.run(_CHILD, str(folder), url, before, after, environment={"PATH": "", VARIABLE: KEY})
    assert done.returncode == -9


def test_a_process_killed_at_every_step_creates_nothing_twice(
    served: tuple[Vendor, Account], warm_ayar: WarmPython, tmp_path: Path
) -> None:
    vendor, account = served
    account.statuses = ["STATUS_FINETUNING"] * 3 + ["STATUS_READY"]
    for point in POINTS:  # before it is remembered: what was just made at the service is known to nobody else
        killed(warm_ayar, tmp_path, vendor.url, before=point)
    for point in ("finetuned_model_id_sent", "vendor_dataset_id"):
        assert point in KeptRun(tmp_path, vendor.url).facts
    model = train(KeptRun(tmp_path, vendor.url))
    assert (list(account.datasets), list(account.models)) == (["ds-1"], ["ft-1"])
    assert model.finetuned_id == "ft-1"
    assert paths(vendor, "POST") == ["/v1/datasets", "/v1/finetuning/finetuned-models"]


def test_a_process_killed_between_upload_and_start_goes_on_with_the_upload(
    served: tuple[Vendor, Account], warm_ayar: WarmPython, tmp_path: Path
) -> None:
    vendor, account = served
    killed(warm_ayar, tmp_path, vendor.url, after="vendor_dataset_id")
    assert (len(account.datasets), len(account.models)) == (1, 0)
    train(KeptRun(tmp_path, vendor.url))
    assert (len(account.datasets), len(account.models)) == (1, 1)


@pytest.mark.parametrize("fault", [Fault(500, "{}"), Fault(cut=True, body='{"id": "lost"}'), Fault(429, "{}")])
@pytest.mark.parametrize("position", [0, 2])
def test_a_creation_that_failed_is_looked_for_before_it_is_sent_again(
    position: int, fault: Fault, served: tuple[Vendor, Account], tmp_path: Path
) -> None:
    vendor, account = served
    account.validations = ["validated"]
    vendor.faults.extend([None] * position + [fault])
    train(run_at(vendor, tmp_path))
    assert (len(account.datasets), len(account.models)) == (1, 1)
    failed = vendor.requests[position]
    assert [seen.method for seen in vendor.requests if seen.path == failed.path][:4] == ["POST", "GET", "GET", "POST"]


def test_a_creation_whose_answer_was_lost_is_found(served: tuple[Vendor, Account], tmp_path: Path) -> None:
    vendor, account = served
    real = account.create_model

    def made_but_not_told(seen: Any) -> Any:
        real(seen)
        return Fault(503, "{}")

    vendor.on_path("POST", "/v1/finetuning/finetuned-models", made_but_not_told)
    assert train(run_at(vendor, tmp_path)).finetuned_id == "ft-1"
    assert len(account.models) == 1


@pytest.mark.parametrize("kind", ["none", "random", "cosine"])
def test_rows_are_those_of_the_guide(
    kind: str, served: tuple[Vendor, Account], tmp_path: Path, trained_cohere: Any
) -> None:
    vendor, account = served
    run = run_at(vendor, tmp_path)
    run.cache = trained_cohere.run.cache
    split = tiny_reranking_split()
    train(run, hard_negatives=kind)
    (rows,) = account.rows.values()
    assert [row["query"] for row in rows] == [example.query for example in split.train.examples]
    for row, example in zip(rows, split.train.examples, strict=True):
        assert row["relevant_passages"] == [split.train.corpus[passage].full_text for passage in example.relevant]
        assert len(row["hard_negatives"]) <= 2
    num = sum(len(row["hard_negatives"]) for row in rows)
    assert num == 0 if kind == "none" else num > 200


def test_too_few_questions_are_said_before_anything_is_uploaded(served: tuple[Vendor, Account], tmp_path: Path) -> None:
    vendor, _ = served
    with pytest.raises(DatasetError, match="at least 256 training questions; this dataset has 80") as caught:
        RECIPE.train(tiny_reranking_split(10), RECIPE.config(**BARE), run_at(vendor, tmp_path))
    assert "cross-encoder" in caught.value.hint
    assert vendor.requests == []


def test_what_the_service_measures_is_drawn(trained_cohere: Any) -> None:
    metrics = trained_cohere.run.metrics
    assert metrics["loss"][:2] == [(1, 1.0), (2, 0.5)]
    assert [step for step, _ in metrics["loss"]] == list(range(1, trained_cohere.model.facts["last_step"] + 1))
    assert metrics["validation_ndcg@10"][-1][1] == trained_cohere.model.facts["best_validation"] == 1.0
    assert trained_cohere.model.facts["base_validation"] < 0.9
    assert trained_cohere.model.facts["events"][-1]["status"] == "STATUS_READY"


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"validations": ["processing", "failed"], "validation_error": "line 3 has no query"}, DatasetError, "line 3"),
        ({"statuses": ["STATUS_FINETUNING", "STATUS_FAILED"]}, TrainingError, "ft-1 with STATUS_FAILED"),
        ({"statuses": ["STATUS_DELETED"]}, TrainingError, "STATUS_DELETED"),
        ({"min_rows": 1000}, ProviderError, "400: at least 1000 examples are needed"),
    ],
)
def test_what_ends_a_job_is_told_in_the_vendors_words(
    change: dict[str, Any], error: type[FinetuneError], says: str, tmp_path: Path
) -> None:
    with serving_cohere(Account(**change)) as (vendor, account):
        with pytest.raises(error, match=says) as caught:
            train(run_at(vendor, tmp_path))
        assert caught.value.hint
        assert len(account.models) <= 1


def test_fine_tuning_that_was_retired_is_told_in_the_vendors_words(
    served: tuple[Vendor, Account], tmp_path: Path
) -> None:
    vendor, account = served
    vendor.faults.append(Fault(404, '{"message": "fine-tuning is no longer supported"}'))
    with pytest.raises(ProviderError, match="404: fine-tuning is no longer supported"):
        train(run_at(vendor, tmp_path))
    assert not account.datasets


def test_an_unknown_status_is_not_finished_and_an_outage_is_waited_out(tmp_path: Path) -> None:
    account = Account(statuses=["STATUS_PAUSED", "STATUS_TEMPORARILY_OFFLINE", "STATUS_UNSPECIFIED", "STATUS_READY"])
    with serving_cohere(account) as (vendor, _):
        vendor.faults.extend([None] * 4 + [Fault(500, "{}")] * 6)
        assert train(run_at(vendor, tmp_path)).finetuned_id == "ft-1"
        assert account.looks["ft-1"] == 4


@pytest.mark.parametrize(("attribute", "interrupt"), [("stop_at", StopRequested), ("cancel_at", JobCancelled)])
def test_a_stop_leaves_the_job_at_the_service_and_a_cancel_deletes_it(
    attribute: str, interrupt: type[Exception], served: tuple[Vendor, Account], tmp_path: Path
) -> None:
    vendor, account = served
    run = run_at(vendor, tmp_path)
    setattr(run, attribute, 1)
    with pytest.raises(interrupt):
        train(run)
    if interrupt is StopRequested:
        assert train(run).finetuned_id == "ft-1"
        assert (len(account.models), account.deleted) == (1, [])
    else:
        assert account.deleted == ["ft-1", "ds-1"]


def test_a_missing_service_or_key_is_said_before_anything_is_sent(
    served: tuple[Vendor, Account], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor, _ = served
    with pytest.raises(ProviderError, match="No service is chosen"):
        train(run_at(vendor, tmp_path), service="")
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(ProviderError, match=f"{VARIABLE} is not set"):
        train(run_at(vendor, tmp_path))
    assert vendor.requests == []


def test_a_model_is_not_asked_for_at_another_address(trained_cohere: Any, tmp_path: Path) -> None:
    run = RecordedRun(tmp_path)
    run.services["loopback"] = loopback("https://elsewhere.example")
    with pytest.raises(ProviderError, match=r"points to https://elsewhere\.example"):
        RECIPE.systems(trained_cohere.config, trained_cohere.model, run)
