"""Hard negatives before a run: counts, a sample, and what looks mislabelled, for both recipes that mine."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from finetune_core.jobs import queue
from finetune_core.jobs.executors import train
from finetune_core.jobs.run import JobRun
from finetune_core.jobs.states import JobState
from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers.bundled import is_bundled_installed
from finetune_core.recipes import _embedders
from finetune_core.records import Corpus, Passage
from finetune_core.storage import database
from finetune_core.storage import pairs as rows
from finetune_core.storage.pairs import NewPair, PairFilter, PairSource, PairState
from finetune_core.training import negatives
from finetune_core.workspace import jobs, mining, pairs, projects, runs
from tests.training_fixtures import RecordedRun, add_dataset, tiny_split

SETTINGS = {"embedding": {"max_tokens": 32}, "cross_encoder": {"retriever_max_tokens": 32}}


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)  # its jobs run here, in turn
    if not is_bundled_installed():
        pytest.skip("the bundled embedder is not installed")
    return projects.create("Mining").id


def mined_dataset(project: str, recipe: str) -> str:
    dataset = add_dataset(project, tiny_split())
    job_id = mining.mine(project, dataset, recipe, SETTINGS[recipe])
    run_queued_here()
    assert jobs.get(job_id).state is JobState.DONE, jobs.get(job_id).error
    return dataset


@pytest.mark.parametrize("recipe", SETTINGS)
def test_mining_gives_live_counts_without_a_model(project: str, recipe: str) -> None:
    settings = SETTINGS[recipe] | {"hard_negatives": 2}
    dataset = add_dataset(project, tiny_split())
    assert mining.counts(project, dataset, recipe, settings) is None
    assert mining.sample(project, dataset, recipe, settings) == ()
    mined_dataset(project, recipe)
    low = mining.counts(project, dataset, recipe, settings | {"margin": 0.0})
    high = mining.counts(project, dataset, recipe, settings | {"margin": 0.5})
    assert low is not None
    assert high is not None
    assert (low.num_questions, low.num_candidates) == (24, 24 * 7)  # 8 passages less the right one
    assert low.num_usable > high.num_usable
    assert list(low.margins.values()) == sorted(low.margins.values(), reverse=True)
    assert low.margins[0.0] == low.num_usable


def test_both_recipes_share_what_was_mined_with_the_same_model(project: str) -> None:
    dataset = mined_dataset(project, "embedding")
    assert mining.counts(project, dataset, "cross_encoder", SETTINGS["cross_encoder"]) is not None
    assert mining.counts(project, dataset, "cross_encoder", {"retriever_max_tokens": 64}) is None


def test_the_sample_shows_what_the_margin_leaves(project: str) -> None:
    dataset = mined_dataset(project, "cross_encoder")
    settings = SETTINGS["cross_encoder"] | {"hard_negatives": 2, "margin": 0.1}
    sample = mining.sample(project, dataset, "cross_encoder", settings)
    assert len(sample) == 5
    assert sample == mining.sample(project, dataset, "cross_encoder", settings)
    for one in sample:
        assert len(one.wrong) == 2
        assert one.wrong[0].score >= one.wrong[1].score
        assert one.wrong[0].score <= 0.9 * one.right.score + 1e-6
        assert one.right.text not in {passage.text for passage in one.wrong}


def test_suspicious_pairs_go_to_review_and_come_back_with_one_undo(project: str) -> None:
    dataset = mined_dataset(project, "embedding")
    found = mining.suspicious(project, dataset, "embedding", SETTINGS["embedding"])
    assert found, "the data is wrong on purpose: each question stands on the passage of another topic"
    assert all(one.wrong[0].score >= one.right.score for one in found)
    leads = [one.wrong[0].score - one.right.score for one in found]
    assert leads == sorted(leads, reverse=True)
    examples = {example.id: example for example in tiny_split().train.examples}
    new = [
        NewPair(
            one.pair_id, one.query, examples[one.pair_id].relevant, "d", PairSource.WRITTEN, state=PairState.ACCEPTED
        )
        for one in found[:3]
    ]
    with database.writing() as connection:
        rows.insert(connection, project, new)
    assert mining.send_to_review(project, found) == 3
    assert pairs.filters_of(project) == {mining.FILTER: 3}
    aside, total = pairs.page(project, PairFilter(outcome=mining.FILTER), 0)
    assert total == 3
    assert all("another passage scores" in one.outcomes[mining.FILTER]["detail"] for one in aside)
    pairs.undo(project)
    assert pairs.progress(project).counts[PairState.ACCEPTED] == 3
    assert pairs.filters_of(project) == {}


def test_a_wrong_passage_that_nearly_repeats_the_right_one_is_suspicious(project: str) -> None:
    split = tiny_split()
    text = "Sleeper services depart from platform nine shortly before midnight on every day but Sunday"
    twin = "Sleeper services depart from platform nine shortly before midnight on each day except Monday"
    corpus = Corpus((Passage("a", text, "a"), Passage("b", twin, "b"), Passage("c", "Bread is made of flour.", "c")))
    example = replace(split.train.examples[0], query=text, relevant={"a": 1})
    train = replace(split.train, corpus=corpus, examples=(example,))
    dataset = add_dataset(project, replace(split, train=train), "twins")
    mining.mine(project, dataset, "embedding", SETTINGS["embedding"])
    run_queued_here()
    (one,) = mining.suspicious(project, dataset, "embedding", SETTINGS["embedding"])
    assert one.wrong[0].text == twin
    assert one.wrong[0].score < one.right.score
    assert one.alike >= mining.ALIKE


@pytest.mark.parametrize("recipe", SETTINGS)
def test_a_training_takes_what_was_mined_before_with_its_settings(
    project: str, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched = []
    mine_anew = negatives.mine

    def noted(part, embedder, checkpoint):
        searched.append(embedder.fingerprint)
        return mine_anew(part, embedder, checkpoint)

    monkeypatch.setattr(negatives, "mine", noted)
    dataset = mined_dataset(project, recipe)
    assert len(searched) == 1
    split = tiny_split()
    for margin, max_tokens, num_searches in ((0.0, 32, 1), (0.05, 32, 1), (0.0, 24, 2), (0.05, 24, 2)):
        limit = "max_tokens" if recipe == "embedding" else "retriever_max_tokens"
        config = runs.checked_config(project, recipe, {limit: max_tokens, "hard_negatives": 1, "margin": margin})
        params = train.Params(dataset_id=dataset, recipe=recipe, config=config.model_dump(mode="json"))
        held = queue.Claim(f"run-{margin}-{max_tokens}", project, "train", params.model_dump(), 1)
        run = JobRun(held)
        monkeypatch.setattr(run, "progress", lambda *_: None)
        monkeypatch.setattr(run, "checkpoint", lambda: None)
        train._lend_candidates(run, params, config)
        embedder = _embedders.open_embedder("bundled/all-MiniLM-L6-v2", run, max_tokens)
        assert negatives.chosen_once(split.train, lambda e=embedder: e, 1, margin, run)
        train._keep_candidates(run, params, config)
        assert len(searched) == num_searches
    assert mining.counts(project, dataset, recipe, {limit: 24}) is not None


def test_what_another_model_mined_is_not_taken_for_its_own(project: str, tmp_path: Path) -> None:
    run, part = RecordedRun(tmp_path), tiny_split().train
    embedder = _embedders.open_embedder("bundled/all-MiniLM-L6-v2", run, 32)
    strange = negatives.Candidates(*(np.zeros(shape, kind) for shape, kind in
                                     (((24, 1), np.int32), ((24, 1), np.float32), (24, np.float32))), "strange")  # fmt: skip
    strange.save(run.workdir / negatives.CANDIDATES_FILE)
    negatives.chosen_once(part, lambda: embedder, 1, 0.0, run)
    kept = negatives.Candidates.load(run.workdir / negatives.CANDIDATES_FILE)
    assert (kept.embedder, kept.positions.shape) == (embedder.fingerprint, (24, 50))
