"""The demo: a corpus that every Python carries, with a test set written by hand, and the whole job on it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from finetune_core.corpus.demo import questions, reserved_topics, topics
from finetune_core.corpus.demo.evaluation_set import CHUNK_TOKENS, OVERLAP_TOKENS
from finetune_core.errors import JobError
from finetune_core.storage.pairs import PairState
from finetune_core.workspace import comparisons, datasets, generation, jobs, projects, runs
from finetune_core.workspace.comparisons import ComparisonView
from finetune_core.workspace.jobs import JobState, JobView
from finetune_core.workspace.projects import Project

PROJECT_NAME = "Demo"
NUM_PAIRS = 430
"""At most so many are written, filters passed. A tenth goes to validation, so that at most 400 are left to train on."""
MAX_ROUNDS = 4 if generation.DEFAULT_GENERATOR == "extractive" else 1
"""How often to ask for what filters set aside; a model takes too long to be asked twice."""
RECIPE = "embedding"
SETTINGS: dict[str, Any] = {}
"""The recipe's own: chunks of 128 tokens are what the model reads, and the base's vectors are those the freeze computed."""

Told = Callable[[str, JobView], None]
"""Is told of each step: what it does, and its job as it goes on."""


@dataclass(frozen=True, slots=True)
class Facts:
    """How many topics become documents, how many of them are kept for testing, and how many questions ask about those."""

    num_topics: int
    num_reserved: int
    num_questions: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the whole job came to; `num_train` are the pairs the model learned from."""

    project: Project
    dataset: str
    num_train: int
    run_id: str
    comparison: ComparisonView
    seconds: float


def facts() -> Facts:
    """What loading the demo brings."""
    return Facts(len(topics()), len(reserved_topics()), len(questions()))


def new_project(name: str = PROJECT_NAME) -> Project:
    """A project with chunks that suit the demo; a number is added to the name if it is taken."""
    taken = {project.name for project in projects.listing()}
    names = (f"{name} {number}" if number > 1 else name for number in range(1, len(taken) + 2))
    made = projects.create(next(free for free in names if free not in taken))
    return projects.update(made.id, chunk_tokens=CHUNK_TOKENS, chunk_overlap_tokens=OVERLAP_TOKENS)


def load(project_id: str) -> str:
    """Start loading the demo into the project and return the job's id; while it loads, the same job's."""
    projects.get(project_id)
    return jobs.submit(project_id, "demo", {}, title="Load the demo", unique_key=f"demo:{project_id}")


def loading_job(project_id: str) -> str:
    """The id of the job that is loading the demo, or failed to; "" if there is none or it went well."""
    newest = jobs.listing(project_id, kinds=["demo"], limit=1)
    return newest[0].id if newest and newest[0].state is not JobState.DONE else ""


def whole_job(name: str, told: Told) -> Outcome:
    """Load the demo into the project of that name (made if missing), write questions, freeze, train and compare.

    What an earlier call has finished is not done again. Raises what a step raises, and JobError if a job of it ended early.
    """
    began = time.monotonic()
    known = next((project for project in projects.listing() if project.name == name.strip()), None)
    project = known or new_project(name)
    _finished(load(project.id), "Loading the demo", told)
    _write_questions(project.id, told)
    dataset = _frozen(project.id, told)
    run_id = _trained(project.id, dataset.id, told)
    launched = comparisons.launch(project.id, dataset.id, [run_id])
    if not launched.is_finished:
        _finished(launched.job_id, "Comparing", told)
    comparison = comparisons.get(project.id, launched.comparison_id)
    num_train = dataset.num_examples["train"]
    return Outcome(project, dataset.name, num_train, run_id, comparison, time.monotonic() - began)


def _write_questions(project_id: str, told: Told) -> None:
    """A question for each chunk of a sample, which grows by what the filters set aside; then second ones for the first."""
    num_chunks, per_chunk = NUM_PAIRS, 1
    for _ in range(MAX_ROUNDS):
        params = generation.params_from(
            {
                "generator": generation.DEFAULT_GENERATOR,
                "num_chunks": num_chunks,
                "questions_per_chunk": per_chunk,
            }
        )
        _finished(generation.start(project_id, params), "Writing questions", told)
        num_short = NUM_PAIRS - generation.counts(project_id).num_pairs[PairState.PENDING]
        if num_short <= NUM_PAIRS // 20:
            return
        if generation.estimate(project_id, params).num_chunks < num_chunks:
            num_chunks, per_chunk = num_short, per_chunk + 1
        else:
            num_chunks += num_short


def _frozen(project_id: str, told: Told) -> datasets.DatasetView:
    """A version of all pairs that passed the filters; the one there is, if it holds the same."""
    job_id = datasets.freeze(project_id, datasets.suggested_name(project_id), include_pending=True)
    result = _finished(job_id, "Freezing a dataset", told)
    return datasets.get(project_id, result["id"])


def _trained(project_id: str, dataset_id: str, told: Told) -> str:
    """A finished run of the demo's settings on the dataset; a new one only if there is none."""
    wanted = runs.checked_config(project_id, RECIPE, SETTINGS).model_dump(mode="json")
    for run in runs.listing(project_id):
        if run.model_id and (run.dataset_id, run.recipe, run.config) == (dataset_id, RECIPE, wanted):
            return run.id
    run_id = runs.launch(project_id, dataset_id, RECIPE, SETTINGS, "Demo")
    _finished(run_id, "Training", told)
    return run_id


def _finished(job_id: str, step: str, told: Told) -> dict[str, Any]:
    """Wait for a job and return its result. Raises JobError with the job's own words if it did not end well."""
    job = jobs.wait(job_id, on_change=lambda seen: told(step, seen))
    if job.state is not JobState.DONE:
        raise JobError(
            job.error or f"{step}: the job was {job.state}.",
            hint=job.hint or "Run the demo again; it goes on from there.",
        )
    return job.result
