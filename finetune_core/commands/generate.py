"""`generate`: write questions over the corpus of a project or over a database, or queries for its choices, and filter them."""

from typing import Annotated, Any

import typer

from finetune_core.commands import writing
from finetune_core.commands.datasets import Record
from finetune_core.commands.output import Json, Project, project_id
from finetune_core.workspace import datasets, generation, query_generation, sql_generation

SQL = "SqlQuestion"
_WRITING: dict[str, tuple[Any, str, str, str]] = {
    datasets.PAIRS: (generation, "question", "chunk", "questions_per_chunk"),
    datasets.QUERIES: (query_generation, "query", "choice", "queries_per_choice"),
    SQL: (sql_generation, "question", "table", "questions_per_table"),
}
"""By kind of example: the module that has it written, what is written, about what, and how the number of them is called."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(generate)


def generate(
    project: Project,
    record: Record = datasets.PAIRS,
    generator: Annotated[
        str, typer.Option(help="endpoint, gguf or, for pairs, extractive; what works offline if empty.")
    ] = "",
    provider: writing.Provider = "",
    gguf: writing.Gguf = "",
    language: Annotated[str, typer.Option(help="Language of the questions.")] = "English",
    questions: Annotated[
        int | None, typer.Option(help="Questions per chunk (1) or table (5), or queries per choice (10).")
    ] = None,
    chunks: Annotated[int, typer.Option(help="Chunks to ask about, spread over documents; 0 for all.")] = 0,
    choice: Annotated[list[str] | None, typer.Option(help="Queries: only for this choice; may be repeated.")] = None,
    wordings: Annotated[int, typer.Option(help="Queries: wordings of each, itself included.")] = 1,
    out_of_scope: Annotated[int, typer.Option(help="Queries: how many that none of the choices is for.")] = 0,
    database: Annotated[
        str, typer.Option(help="SQL: a SQLite file, env:NAME for a variable that holds a URL, or a URL.")
    ] = "",
    table: Annotated[list[str] | None, typer.Option(help="SQL: only about this table; may be repeated.")] = None,
    max_tokens: writing.MaxTokens = None,
    max_usd: writing.MaxUsd = None,
    parallel: writing.Parallel = 4,
    seed: writing.Seed = 0,
    filters: Annotated[
        str | None, typer.Option(help="Filters to run afterwards, by name; all cheap ones without it, none if empty.")
    ] = None,
    estimate: writing.OnlyEstimate = False,
    wait: writing.Wait = True,
    as_json: Json = False,
) -> None:
    """Write questions over chunks or tables, or queries for choices; what was written is not asked or paid for again."""
    if record not in _WRITING:
        raise typer.BadParameter(f"{record} is none of {', '.join(_WRITING)}.", param_hint="--record")
    here = project_id(project)
    work, noun, subject, num_each = _WRITING[record]
    values: dict[str, Any] = {
        "generator": generator or work.DEFAULT_GENERATOR, "provider": provider, "gguf_path": gguf,
        "language": language, "max_tokens": max_tokens, "max_cost_usd": max_usd, "num_parallel": parallel, "seed": seed,
    }  # fmt: skip
    if record == datasets.QUERIES:
        values |= {"num_wordings": wordings, "num_out_of_scope": out_of_scope, "choices": choice or []}
    elif record == SQL:
        values |= {"database": database, "tables": table or []}
    else:
        values |= {"num_chunks": chunks}
    if questions is not None:
        values[num_each] = questions
    if filters is not None and record == SQL:
        raise typer.BadParameter("Every query is run before it is kept; there are no filters.", param_hint="--filters")
    if filters is not None:
        values["filters"] = [name.strip() for name in filters.split(",") if name.strip()]
    params = work.params_from(values)
    writing.write(work, here, params, noun, subject, only_estimate=estimate, wait=wait, as_json=as_json)
