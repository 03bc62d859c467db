"""`generate`: write questions over the corpus of a project, or queries for its choices, and filter them."""

from typing import Annotated, Any

import typer

from finetune_core.commands.datasets import Record
from finetune_core.commands.output import Json, Project, emit, note, project_id, wait_and_tell
from finetune_core.workspace import datasets, generation, query_generation


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(generate)


def generate(
    project: Project,
    record: Record = datasets.PAIRS,
    generator: Annotated[
        str, typer.Option(help="endpoint, gguf or, for pairs, extractive; what works offline if empty.")
    ] = "",
    provider: Annotated[str, typer.Option(help="Name of the provider, for endpoint.")] = "",
    gguf: Annotated[str, typer.Option(help="Model file, for gguf; the bundled one if empty.")] = "",
    language: Annotated[str, typer.Option(help="Language of the questions.")] = "English",
    questions: Annotated[int | None, typer.Option(help="Questions per chunk (1), or queries per choice (10).")] = None,
    chunks: Annotated[int, typer.Option(help="Chunks to ask about, spread over documents; 0 for all.")] = 0,
    choice: Annotated[list[str] | None, typer.Option(help="Queries: only for this choice; may be repeated.")] = None,
    wordings: Annotated[int, typer.Option(help="Queries: wordings of each, itself included.")] = 1,
    out_of_scope: Annotated[int, typer.Option(help="Queries: how many that none of the choices is for.")] = 0,
    max_tokens: Annotated[int | None, typer.Option(help="Hard cap on tokens, input and output together.")] = None,
    max_usd: Annotated[float | None, typer.Option(help="Hard cap on money.")] = None,
    parallel: Annotated[int, typer.Option(help="Calls at once, for endpoint.")] = 4,
    seed: Annotated[int, typer.Option(help="Seeds the sample of chunks and the model.")] = 0,
    filters: Annotated[
        str | None, typer.Option(help="Filters to run afterwards, by name; all cheap ones without it, none if empty.")
    ] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say what it would take.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait for the end; without it the job's id is printed.")] = True,
    as_json: Json = False,
) -> None:
    """Write questions over the included chunks, or queries for choices; what was written is not asked or paid for again."""
    if record not in (datasets.PAIRS, datasets.QUERIES):
        raise typer.BadParameter(f"{record} is neither {datasets.PAIRS} nor {datasets.QUERIES}.", param_hint="--record")
    here, is_queries = project_id(project), record == datasets.QUERIES
    writing: Any = query_generation if is_queries else generation
    values: dict[str, Any] = {
        "generator": generator or writing.DEFAULT_GENERATOR, "provider": provider, "gguf_path": gguf,
        "language": language, "max_tokens": max_tokens, "max_cost_usd": max_usd, "num_parallel": parallel, "seed": seed,
    }  # fmt: skip
    if is_queries:
        values |= {"num_wordings": wordings, "num_out_of_scope": out_of_scope, "choices": choice or []}
    else:
        values |= {"num_chunks": chunks}
    if questions is not None:
        values["queries_per_choice" if is_queries else "questions_per_chunk"] = questions
    if filters is not None:
        values["filters"] = [name.strip() for name in filters.split(",") if name.strip()]
    _write(writing, here, writing.params_from(values), estimate, wait, as_json)


def _write(writing: Any, here: str, params: Any, only_estimate: bool, wait: bool, as_json: bool) -> None:
    """Say what it takes, and unless only that is wanted, do it; `writing` is the kind of example's module of the workspace."""
    is_queries = writing is query_generation
    seen = writing.estimate(here, params)
    said = _sentence(seen, "queries for {} choices" if is_queries else "questions over {} chunks")
    if only_estimate:
        emit(seen, as_json, said)
        return
    note(said)
    job_id = writing.start(here, params)
    if not wait:
        emit({"job": job_id, "state": "queued"}, as_json, job_id)
        return
    view = wait_and_tell(job_id, may_stop=True)
    kept = {name: num for name, num in view.result.get("set_aside", {}).items() if num}
    noun = "queries" if is_queries else "questions"
    text = f"{view.result.get('num_written', 0)} {noun} written; set aside: {kept or 'none'}."
    emit({"job": job_id, "state": view.state, **view.result}, as_json, text)


def _sentence(seen: generation.Estimate, what: str) -> str:
    money = "at a price nobody entered" if seen.cost_usd is None else f"about ${seen.cost_usd:.4f}"
    return (
        f"{seen.num_questions - seen.num_done} {what.format(seen.num_chunks)} in {seen.num_calls} calls: about "
        f"{seen.input_tokens + seen.output_tokens:,} tokens, {money}, {seen.seconds:.0f} s ({seen.basis})."
    )
