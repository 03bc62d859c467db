"""Loading the demo: whole, idempotent, held out where it must be, anchored anew when chunks change."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from finetune_core.corpus.demo import evaluation_set, questions, reserved_topics, topics
from finetune_core.jobs.executors import demo as executors_demo
from finetune_core.jobs.states import JobState, JobView
from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers.bundled import BUNDLED_EMBEDDER
from finetune_core.providers.tokens import TokenCounter
from finetune_core.storage import database, documents, pairs
from finetune_core.storage.pairs import Pair, PairFilter, PairState
from finetune_core.workspace import demo, jobs, pipeline, projects
from finetune_core.workspace.pipeline import NextStep


def load(project_id: str) -> dict[str, int]:
    job_id = jobs.submit(project_id, "demo", {}, start=False)
    run_queued_here()
    job = jobs.get(job_id)
    assert job.state is JobState.DONE, job.error
    return dict(job.result)


def written_pairs(project_id: str) -> list[Pair]:
    with database.reading() as connection:
        return list(pairs.each(connection, project_id, PairFilter()))


@pytest.fixture(scope="module")
def loaded_home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with the demo loaded into a project, and the project's id."""
    folder = tmp_path_factory.mktemp("loaded") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AYAR_HOME", str(folder))
        project_id = demo.new_project().id
        load(project_id)
    return folder, project_id


@pytest.fixture
def project_id(loaded_home: tuple[Path, str], home: Path) -> str:
    """The project of the loaded demo, in a home of the test's own."""
    shutil.copytree(loaded_home[0], home)
    return loaded_home[1]


def test_the_demo_loads_whole_and_a_second_time_changes_nothing() -> None:
    project_id = demo.new_project().id
    result = load(project_id)
    first = written_pairs(project_id)
    assert result["num_documents"] == projects.size(project_id).num_documents == len({topic.text for topic in topics()})
    assert result["num_questions"] == len(first) >= 120
    assert result["num_questions"] + result["num_quotes_missing"] == len(questions())
    size = projects.size(project_id)
    assert load(project_id) == result
    assert written_pairs(project_id) == first
    assert projects.size(project_id) == size


def test_every_question_is_an_accepted_test_pair_whose_evidence_stands_in_its_chunk(project_id: str) -> None:
    with database.reading() as connection:
        chunks = {chunk.id: chunk for chunk in documents.included_chunks(connection, project_id)}
        held_out = documents.held_out_documents(connection, project_id)
        ids = [pair.id for pair in written_pairs(project_id)]
        grades = pairs.grades(connection, project_id, ids)
    for pair in written_pairs(project_id):
        assert (pair.state, pair.split, pair.source) == (PairState.ACCEPTED, "test", "written")
        assert pair.evidence in chunks[pair.chunk_id].text
        assert pair.document_id == chunks[pair.chunk_id].document_id
        # An answer in a text that training questions may be written on would be learnt, not found.
        assert {chunks[chunk_id].document_id for chunk_id in grades[pair.id]} <= held_out
    assert len({pair.document_id for pair in written_pairs(project_id)}) >= len(reserved_topics()) - 2
    # Other projects' models are judged on the very same, made without a project.
    part = evaluation_set(TokenCounter.for_model(BUNDLED_EMBEDDER))
    assert list(part.corpus) == [chunk.passage for chunk in chunks.values()]
    assert {example.id: example.relevant for example in part.examples} == grades
    assert {one.id: one.group for one in part.examples} == {
        pair.id: pair.document_id for pair in written_pairs(project_id)
    }


def test_a_hand_checked_question_leads_to_the_chunk_with_its_answer(project_id: str) -> None:
    pair = next(
        pair for pair in written_pairs(project_id) if pair.question == "What is the at sign between two matrices for?"
    )
    with database.reading() as connection:
        heading, text, _, document = pairs.passage(connection, project_id, "", pair.chunk_id)
    assert (heading, document) == ("Binary arithmetic operations", "binary")
    assert "No builtin Python types implement this operator" in text
    assert pair.evidence == "operator is intended to be used for matrix multiplication"


def test_after_chunks_are_cut_anew_loading_again_leads_to_the_new_ones(project_id: str) -> None:
    num_before = len(written_pairs(project_id))
    projects.update(project_id, chunk_tokens=256, chunk_overlap_tokens=0)
    jobs.submit(project_id, "chunk", {}, start=False)
    run_queued_here()
    load(project_id)
    assert len(written_pairs(project_id)) == num_before
    with database.reading() as connection:
        chunk_ids = {chunk.id for chunk in documents.included_chunks(connection, project_id)}
        grades = pairs.grades(connection, project_id, [pair.id for pair in written_pairs(project_id)])
    assert {chunk_id for found in grades.values() for chunk_id in found} <= chunk_ids


def test_after_loading_the_next_step_is_to_write_questions() -> None:
    project = demo.new_project()
    assert demo.new_project().name == "Demo 2"
    assert pipeline.look(project.id).next_step is NextStep.ADD_DOCUMENTS
    load(project.id)
    seen = pipeline.look(project.id)
    assert seen.next_step is NextStep.WRITE_QUESTIONS  # test questions are nothing to train on
    assert seen.counts.num_test_only == seen.counts.num_accepted >= 120


@pytest.mark.slow
def test_the_whole_job_on_a_small_part_ends_with_a_verdict_and_is_not_done_twice(
    tiny_transformer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waited(job_id: str, *, on_change: Callable[[JobView], None]) -> JobView:
        run_queued_here()
        on_change(jobs.get(job_id))
        return jobs.get(job_id)

    names = {"binary", "calls", "raise", "subscriptions", "global", "booleans"}  # to test on
    names |= {topic.name for topic in topics() if len(topic.text) < 1800 and not topic.held_out}
    monkeypatch.setattr(executors_demo, "topics", lambda: tuple(topic for topic in topics() if topic.name in names))
    monkeypatch.setattr(jobs, "wait", waited)
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)
    monkeypatch.setattr(demo, "NUM_PAIRS", 40)
    monkeypatch.setattr(demo, "SETTINGS", {"base_model": tiny_transformer, "max_tokens": 64, "batch_size": 8})
    steps: list[str] = []
    done = demo.whole_job("Small", lambda step, _: steps.append(step))
    assert 10 < done.num_train <= 40
    assert done.comparison.result["num_questions"] >= 20
    assert done.comparison.result["verdict"]["sentence"].endswith(".")
    assert list(dict.fromkeys(steps)) == [
        "Loading the demo",
        "Writing questions",
        "Freezing a dataset",
        "Training",
        "Comparing",
    ]
    steps.clear()
    again = demo.whole_job("Small", lambda step, _: steps.append(step))
    assert (again.run_id, again.comparison.id) == (done.run_id, done.comparison.id)
    assert not {"Training", "Comparing"} & set(steps)
    assert pipeline.look(done.project.id).verdict == done.comparison.result["verdict"]["sentence"]
