"""What the Generate page and the command line choose from."""

import pytest

from finetune_core.errors import CorpusError, JobError, ProviderError
from finetune_core.jobs.worker import run_queued_here
from finetune_core.workspace import generation, jobs, projects
from tests.generation_fixtures import corpus


def test_the_default_generator_works_offline() -> None:
    offered = {view.kind: view for view in generation.generators()}
    assert list(offered) == ["endpoint", "gguf", "extractive"]
    assert generation.DEFAULT_GENERATOR in ("gguf", "extractive")


def test_a_value_out_of_bounds_is_named() -> None:
    with pytest.raises(JobError, match="questions_per_chunk is 99"):
        generation.params_from({"generator": "extractive", "questions_per_chunk": 99})
    with pytest.raises(JobError, match="generator is 'magic'"):
        generation.params_from({"generator": "magic"})


def test_nothing_to_ask_about_is_said_before_the_start() -> None:
    project_id = projects.create("Empty").id
    assert generation.num_chunks(project_id) == 0
    with pytest.raises(CorpusError, match="no chunk to ask about"):
        generation.start(project_id, generation.params_from({"generator": "extractive"}))
    with pytest.raises(ProviderError, match="no provider 'Nobody'"):
        generation.estimate(corpus(), generation.params_from({"generator": "endpoint", "provider": "Nobody"}))


def test_a_prompt_is_a_projects_own_once_it_is_changed() -> None:
    project_id = corpus()
    shipped = generation.prompt(project_id, "questions")
    assert (shipped.is_own, shipped.version) == (False, 1)
    own = generation.save_prompt(project_id, "questions", shipped.text + "\r\nBe brief.")
    assert own.is_own
    assert own.text.endswith("\nBe brief.\n")
    assert "\r" not in own.text
    assert generation.prompt(projects.create("Other").id, "questions") == shipped
    with pytest.raises(ProviderError, match="never uses passage"):
        generation.save_prompt(project_id, "questions", "Ask anything.")
    back = generation.reset_prompt(project_id, "questions")
    assert (back.is_own, back.text) == (False, shipped.text)


def test_a_button_pressed_twice_starts_one_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)
    project_id = corpus()
    params = generation.params_from({"generator": "extractive", "questions_per_chunk": 1})
    assert generation.start(project_id, params) == generation.start(project_id, params)
    assert run_queued_here() == 1
    job = generation.latest_job(project_id)
    assert job.state is jobs.JobState.DONE
    assert generation.counts(project_id).num_written == job.result["num_written"] == 12


def test_a_filter_that_does_not_exist_is_refused() -> None:
    with pytest.raises(JobError, match="no filter beauty"):
        generation.start_filters(projects.create("Empty").id, ["beauty"])
