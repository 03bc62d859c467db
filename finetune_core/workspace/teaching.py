"""A teacher, a strong model, recorded here: what it is asked, what that takes, and what came of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune_core.corpus.interchange import demonstrations as files
from finetune_core.corpus.interchange.fields import group_of
from finetune_core.corpus.interchange.row_formats import RowFormat
from finetune_core.jobs import chat_writers
from finetune_core.jobs import teaching as writers
from finetune_core.jobs.answer_writers import AnswerTask
from finetune_core.jobs.teaching import TeachingParams
from finetune_core.records import Judgement, ToolCall
from finetune_core.storage import database, examples, inputs
from finetune_core.wording import counted
from finetune_core.workspace import generation, jobs
from finetune_core.workspace.generation import Estimate, GeneratorView, Outcome

__all__ = ["AnswerTask", "TeachingParams"]

JOB = "teach"
DEFAULT_GENERATOR = "endpoint"
RECORDS = ("Chat", "ToolCall", "Judgement", "Comparison")
"""The kinds of demonstration that a teacher can give here, by the names of their records."""
_SECONDS_PER_CALL = {"endpoint": 4.0, "gguf": 15.0}
_TOKENS_EACH = {"Chat": 150, "ToolCall": 40, "Judgement": 80, "Comparison": 160}


def generators() -> list[GeneratorView]:
    """Who can teach, the best first."""
    summaries = {
        "endpoint": "Any OpenAI-compatible endpoint: the strong model that a small one is to learn from.",
        "gguf": "A GGUF file run on this machine. The bundled one is tiny: name a larger one, or expect little.",
    }
    return [
        GeneratorView(view.kind, view.title, summaries[view.kind], view.missing)
        for view in generation.generators()
        if view.kind in summaries
    ]


def num_questions(project_id: str) -> tuple[int, int]:
    """How many questions of the project are accepted, and how many wait for review."""
    with database.reading() as connection:
        return examples.num_chosen(connection, project_id)


def keep_texts(project_id: str, text: str) -> str:
    """Keep a text or query a line, for `CallTask.inputs`; the name it is kept under, "" for nothing but empty lines."""
    rows = [{"text": line} for line in dict.fromkeys(map(str.strip, text.splitlines())) if line]
    return (
        inputs.keep(project_id, [{**row, "group": group_of({}, row["text"]), "split": ""} for row in rows])
        if rows
        else ""
    )


def keep_file(project_id: str, record: str, path: Path) -> str:
    """Keep what a file asks, for `inputs` of a task: texts, answers to score or two to compare; the name it is kept under.

    What the file says of what is right is left out. Raises DatasetError for anything wrong with the file.
    """
    brought = files.read_ungraded(path, record)
    return inputs.keep(
        project_id, [_row(one.example) | {"group": one.example.group, "split": one.split} for one in brought]
    )


def formats(record: str) -> Sequence[RowFormat]:
    """The forms that such files may have."""
    return files.UNGRADED[record]


def num_kept(project_id: str, name: str) -> int:
    """How many rows are kept under a name. Raises StorageError if they are gone."""
    return len(inputs.read(project_id, name))


def _row(example: Any) -> dict[str, str]:
    if isinstance(example, ToolCall):
        return {"text": str(example.messages[-1]["content"])}
    answers = (
        {"response": example.response}
        if isinstance(example, Judgement)
        else {"first": example.first, "second": example.second}
    )
    return {"query": example.query, "reference": example.reference, **answers}


def prompt_of(record: str) -> str:
    """The prompt that a project may have its own edition of, "" where the student's own prompt has to be asked."""
    return writers.PROMPTS[record]


def params_from(values: Mapping[str, Any]) -> TeachingParams:
    """Checked parameters. Raises JobError that names the first value that does not fit."""
    return generation.checked(TeachingParams, values)


def estimate(project_id: str, params: TeachingParams) -> Estimate:
    """Tokens, money and time of what is still to do; `num_chunks` counts what is asked about.

    Raises what starting it would raise, but for a missing key or model.
    """
    params = _with_prompt(project_id, params)
    writer = writers.sketched_writer(project_id, params)
    with database.reading() as connection:
        plan = writers.plan(connection, project_id, params, writer)
    return generation.guess(plan, writer, params, _TOKENS_EACH[params.task.record], _SECONDS_PER_CALL[params.generator])


def start(project_id: str, params: TeachingParams) -> str:
    """Queue the recording with the prompt now in force and return its job; a live one of that kind is returned instead.

    Raises ProviderError or DatasetError for what can be known before.
    """
    params = _with_prompt(project_id, params)
    seen = estimate(project_id, params)
    chat_writers.check_cap(params)
    record = params.task.record
    title = f"Record {counted(seen.num_questions - seen.num_done, writers.NOUNS[record])} of a teacher"
    unique_key = f"{JOB}:{record}:{project_id}"
    return jobs.submit(project_id, JOB, params.model_dump(mode="json"), title=title, unique_key=unique_key)


def latest_job(project_id: str, record: str) -> jobs.JobView | None:
    """The newest recording of that kind of record in the project, or None."""
    found = jobs.listing(project_id, (JOB,), 20)
    return next((job for job in found if job.params["task"]["record"] == record), None)


def outcome(project_id: str, record: str) -> Outcome:
    """What the recording of that kind came to so far in this project."""
    return generation.outcome(project_id, record)


def _with_prompt(project_id: str, params: TeachingParams) -> TeachingParams:
    """The same with the edition of the prompt that is in force now, so that a later edit never changes a queued job."""
    name = writers.PROMPTS[params.task.record]
    if not name:
        return params
    view = generation.prompt(project_id, name)
    return params.model_copy(update={"prompt_version": view.version if view.is_own else 0})
