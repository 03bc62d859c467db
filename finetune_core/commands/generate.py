"""`generate`: write questions over the corpus of a project, and filter them."""

from typing import Annotated, Any

import typer

from finetune_core.commands.output import Json, Project, emit, note, project_id, wait_and_tell
from finetune_core.workspace import generation


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(generate)


def generate(
    project: Project,
    generator: Annotated[str, typer.Option(help="endpoint, gguf or extractive.")] = generation.DEFAULT_GENERATOR,
    provider: Annotated[str, typer.Option(help="Name of the provider, for endpoint.")] = "",
    gguf: Annotated[str, typer.Option(help="Model file, for gguf; the bundled one if empty.")] = "",
    language: Annotated[str, typer.Option(help="Language of the questions.")] = "English",
    questions: Annotated[int, typer.Option(help="Questions per chunk.")] = 1,
    chunks: Annotated[int, typer.Option(help="Chunks to ask about, spread over documents; 0 for all.")] = 0,
    max_tokens: Annotated[int | None, typer.Option(help="Hard cap on tokens, input and output together.")] = None,
    max_usd: Annotated[float | None, typer.Option(help="Hard cap on money.")] = None,
    parallel: Annotated[int, typer.Option(help="Calls at once, for endpoint.")] = 4,
    seed: Annotated[int, typer.Option(help="Seeds the sample of chunks and the model.")] = 0,
    filters: Annotated[str, typer.Option(help="Filters to run afterwards, by name; empty for none.")] = ",".join(
        generation.CHEAP_FILTERS
    ),
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say what it would take.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait for the end; without it the job's id is printed.")] = True,
    as_json: Json = False,
) -> None:
    """Write questions over the included chunks; what was written before is not asked or paid for again."""
    values: dict[str, Any] = {
        "generator": generator, "provider": provider, "gguf_path": gguf, "language": language, "num_chunks": chunks,
        "questions_per_chunk": questions, "max_tokens": max_tokens, "max_cost_usd": max_usd, "num_parallel": parallel,
        "seed": seed, "filters": [name.strip() for name in filters.split(",") if name.strip()],
    }  # fmt: skip
    params = generation.params_from(values)
    here = project_id(project)
    seen = generation.estimate(here, params)
    if estimate:
        emit(seen, as_json, _sentence(seen))
        return
    note(_sentence(seen))
    job_id = generation.start(here, params)
    if not wait:
        emit({"job": job_id, "state": "queued"}, as_json, job_id)
        return
    view = wait_and_tell(job_id, may_stop=True)
    kept = {name: num for name, num in view.result.get("set_aside", {}).items() if num}
    text = f"{view.result.get('num_written', 0)} questions written; set aside: {kept or 'none'}."
    emit({"job": job_id, "state": view.state, **view.result}, as_json, text)


def _sentence(seen: generation.Estimate) -> str:
    money = "at a price nobody entered" if seen.cost_usd is None else f"about ${seen.cost_usd:.4f}"
    return (
        f"{seen.num_questions - seen.num_done} questions over {seen.num_chunks} chunks in {seen.num_calls} calls: about "
        f"{seen.input_tokens + seen.output_tokens:,} tokens, {money}, {seen.seconds:.0f} s ({seen.basis})."
    )
