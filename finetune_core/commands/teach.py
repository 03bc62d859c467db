"""`teach`: record what a strong model does: its answers, calls, grades or preferences, for a small one to learn from."""

from pathlib import Path
from typing import Annotated, Any

import typer

from finetune_core.commands import writing
from finetune_core.commands.output import Json, Project, project_id
from finetune_core.workspace import teaching, tools
from finetune_core.workspace.runs import named_values

_WRITTEN = {
    "Chat": ("answer", "question"),
    "ToolCall": ("call", "text"),
    "Judgement": ("score", "answer"),
    "Comparison": ("preference", "answer pair"),
}
"""By kind of example: what a teacher gives, and for what."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(teach)


def teach(
    project: Project,
    record: Annotated[
        str,
        typer.Option(
            help="Chat: answers to the accepted questions; ToolCall: calls for texts; Judgement: scores, Comparison: "
            "preferences, of the answers of the chats or of a file."
        ),
    ] = "Chat",
    generator: Annotated[str, typer.Option(help="endpoint or gguf.")] = teaching.DEFAULT_GENERATOR,
    provider: writing.Provider = "",
    gguf: writing.Gguf = "",
    file: Annotated[
        Path | None, typer.Option(help="What is asked about: texts for calls; answers to score, or two to compare.")
    ] = None,
    functions: Annotated[
        Path | None,
        typer.Option(help="ToolCall: OpenAI's tools, a JSON Schema or pydantic classes, which are read and never run."),
    ] = None,
    function_list: Annotated[str, typer.Option(help="ToolCall: a list of functions of the project instead.")] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="name=value, as on the page: embedder, top_k, num_questions, lowest, highest, …"),
    ] = None,
    max_tokens: writing.MaxTokens = None,
    max_usd: writing.MaxUsd = None,
    parallel: writing.Parallel = 4,
    seed: writing.Seed = 0,
    estimate: writing.OnlyEstimate = False,
    wait: writing.Wait = True,
    as_json: Json = False,
) -> None:
    """Record a teacher; what it gave waits for review, and is not asked or paid for again."""
    if record not in _WRITTEN:
        raise typer.BadParameter(f"{record} is none of {', '.join(_WRITTEN)}.", param_hint="--record")
    here = project_id(project)
    task: dict[str, Any] = named_values(settings or []) | {"record": record}
    if file is not None:
        task["inputs"] = teaching.keep_file(here, record, file)
    if record == "ToolCall":
        task["tools"] = _tools(here, functions, function_list)
    params = teaching.params_from(
        {
            "generator": generator, "provider": provider, "gguf_path": gguf, "task": task, "max_tokens": max_tokens,
            "max_cost_usd": max_usd, "num_parallel": parallel, "seed": seed,
        }
    )  # fmt: skip
    writing.write(teaching, here, params, *_WRITTEN[record], only_estimate=estimate, wait=wait, as_json=as_json)


def _tools(here: str, file: Path | None, list_name: str) -> list[dict[str, Any]]:
    if (file is None) == (not list_name):
        raise typer.BadParameter("Either --functions or --function-list is needed, and not both.")
    found = tools.get(here, list_name).tools if file is None else tools.read_file(file)
    return [dict(one) for one in found]
