"""`import`, `export-dataset` and `freeze`: pairs come in from files, go out to files, and become a version."""

from pathlib import Path
from typing import Annotated

import typer

from finetune_core.commands.output import Json, Project, emit, project_id, wait_and_tell
from finetune_core.wording import metric_title
from finetune_core.workspace import datasets, demonstrations, labelled, pairs
from finetune_core.workspace.import_filters import SECRET_NAMES, ImportFilter, secrets_called

QUERIES, CHOICES = "labelled", "choices"
KIND_OF = {name: kind for kind, name in demonstrations.NAMES.items()}
Written = Annotated[
    str,
    typer.Option(
        "--format",
        help=f"One of: {', '.join(pairs.WRITTEN)}; for a router {QUERIES} or {CHOICES}, as JSONL or CSV by the file's name.",
    ),
]
ImportFormat = Annotated[
    str,
    typer.Option(
        "--format",
        help=f"One of: {', '.join(pairs.FORMATS)}; for a router {QUERIES} (queries with a label) or {CHOICES} (what the "
        f"labels stand for), as JSONL or CSV; {CHOICES} also as one JSON object of names and descriptions. For "
        f"language models {', '.join(demonstrations.NAMES.values())}, in any form that the Review page names.",
    ),
]
Record = Annotated[
    str,
    typer.Option(
        "--record",
        help=f"The kind of example: {datasets.PAIRS}, {datasets.QUERIES} for a router, or for a language model "
        f"{', '.join(demonstrations.KINDS)}.",
    ),
]
Redact = Annotated[
    str,
    typer.Option(
        "--redact",
        help=f"For language models: what to take out of every text, with commas between: {', '.join(SECRET_NAMES)}.",
    ),
]
Sift = Annotated[
    bool,
    typer.Option("--sift", help="Leave out chats whose question was asked before, and turns that refine an answer."),
]
Look = Annotated[
    bool,
    typer.Option("--look", help="Only tell what a file for language models holds and what could be taken out of it."),
]
Split = Annotated[str, typer.Option("--split", help="train, validation or test; without it, what the file says.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command("import")
    def import_pairs(
        project: Project, file_format: ImportFormat, file: Annotated[Path, typer.Argument(help="File or BEIR folder.")],
        split: Split = "",
        out_of_scope: Annotated[
            str, typer.Option("--out-of-scope", help="The label that means none of the choices.")
        ] = "",
        redact: Redact = "", sift: Sift = False, look: Look = False, as_json: Json = False,
    ) -> None:  # fmt: skip
        """Add a file's questions as accepted, with what they are searched in or for. Makes the project if there is none."""
        if look:
            _tell_what_is_in(file, file_format, as_json)
            return
        found = project_id(project, create=True)
        if file_format in KIND_OF:
            chosen = ImportFilter(secrets_called(redact), leave_out_repeats=sift, leave_out_refined=sift)
            summary = demonstrations.import_file(found, KIND_OF[file_format], file, split, chosen=chosen)
            emit(summary, as_json, summary.sentence)
            return
        _import_for_retrieval(found, file, file_format, split, out_of_scope, as_json)

    @app.command("export-dataset")
    def export_dataset(
        project: Project, file_format: Written, file: Annotated[Path, typer.Argument(help="File or folder to make.")],
        split: Split = "", as_json: Json = False,
    ) -> None:  # fmt: skip
        """Write the accepted pairs with the corpus they are searched against, or the queries or choices of a router."""
        if file_format in (QUERIES, CHOICES):
            what = "choices" if file_format == CHOICES else "queries"
            written = labelled.export_file(project_id(project), file, what=what, split=split)
            emit(written, as_json, f"Wrote {written[f'num_{what}']:,} {what} to {written['path']}.")
            return
        done = pairs.export_file(project_id(project), file, file_format, split=split)
        emit(
            done, as_json, f"Wrote {done['num_pairs']:,} pairs and {done['num_passages']:,} passages to {done['path']}."
        )

    @app.command()
    def freeze(
        project: Project,
        name: Annotated[str, typer.Option("--name", help="Name of the version.")],
        record: Record = datasets.PAIRS,
        include_pending: Annotated[
            bool, typer.Option("--include-pending", help="Add pending pairs that passed the filters.")
        ] = False,
        seed: Annotated[int, typer.Option("--seed", min=0, help="Seeds the split.")] = 0,
        as_json: Json = False,
    ) -> None:
        """Freeze the accepted examples as a version that never changes: split, checked for leaks, base model measured."""
        found = project_id(project)
        job_id = datasets.freeze(found, name, record=record, include_pending=include_pending, seed=seed)
        result = wait_and_tell(job_id).result
        view = datasets.get(found, result["id"])
        emit(view, as_json, _text_of(view))


def _text_of(view: datasets.DatasetView) -> str:
    """What was frozen, what its test set can show, and what a person should know of it."""
    sizes = ", ".join(f"{num:,} {part}" for part, num in view.num_examples.items())
    said = [f"{view.name} ({view.id}): {sizes}; split by {view.manifest['split_rule']}."]
    if (gain := view.manifest["smallest_detectable_gain"]) is not None:
        base, metric = view.manifest["base"], view.manifest["gain_metric"]
        said.append(
            f"{base['model']} reaches {metric_title(metric)} {base['test'][metric]:.3f}; a gain of {gain:.3f} or more "
            "would show."
        )
    return "\n".join(said + view.manifest["leakage"]["sentences"] + view.manifest["warnings"])


def _tell_what_is_in(file: Path, file_format: str, as_json: bool) -> None:
    if file_format not in KIND_OF:
        raise typer.BadParameter(f"--look is for {', '.join(KIND_OF)}.")
    preview = demonstrations.look_through(KIND_OF[file_format], file)
    emit(preview, as_json, preview.sentence)


def _import_for_retrieval(
    project: str, file: Path, file_format: str, split: str, out_of_scope: str, as_json: bool
) -> None:
    """Questions with their passages, or a router's queries and choices."""
    if file_format == CHOICES:
        num = labelled.import_choices(project, file)
        emit({"num_choices": num}, as_json, f"Imported {num:,} choices.")
        return
    summary: pairs.ImportSummary | labelled.QueryImport
    if file_format == QUERIES:
        summary = labelled.import_queries(project, file, split, out_of_scope)
    else:
        summary = pairs.import_file(project, file, file_format, split)
    emit(summary, as_json, summary.sentence)
