"""The demo: a corpus that every Python carries, with a test set written by hand."""

from dataclasses import dataclass

from finetune_core.corpus.demo import questions, reserved_topics, topics
from finetune_core.workspace import jobs, projects
from finetune_core.workspace.projects import Project

__all__ = ["Facts", "facts", "load", "loading_job", "new_project"]

PROJECT_NAME = "Demo"
CHUNK_TOKENS = 128
OVERLAP_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Facts:
    """How many topics become documents, how many of them are kept for testing, and how many questions ask about those."""

    num_topics: int
    num_reserved: int
    num_questions: int


def facts() -> Facts:
    """What loading the demo brings."""
    return Facts(len(topics()), len(reserved_topics()), len(questions()))


def new_project(name: str = PROJECT_NAME) -> Project:
    """A project with chunks that suit the demo; a number is added to the name if it is taken."""
    taken = {project.name for project in projects.listing()}
    free = next(
        candidate
        for number in range(1, len(taken) + 2)
        if (candidate := f"{name} {number}" if number > 1 else name) not in taken
    )
    made = projects.create(free)
    return projects.update(made.id, chunk_tokens=CHUNK_TOKENS, chunk_overlap_tokens=OVERLAP_TOKENS)


def load(project_id: str) -> str:
    """Start loading the demo into the project and return the job's id; while it loads, the same job's."""
    projects.get(project_id)
    return jobs.submit(project_id, "demo", {}, title="Load the demo", unique_key=f"demo:{project_id}")


def loading_job(project_id: str) -> str:
    """The id of the job that is loading the demo, or failed to; "" if there is none or it went well."""
    newest = jobs.listing(project_id, kinds=["demo"], limit=1)
    return newest[0].id if newest and newest[0].state is not jobs.JobState.DONE else ""
