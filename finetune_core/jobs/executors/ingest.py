"""Job: read a batch of files into the corpus, each for itself, and mark what repeats."""

import itertools
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from finetune_core import settings
from finetune_core.corpus.chunking import Chunker
from finetune_core.corpus.filenames import shown_name, stored_path
from finetune_core.corpus.isolation import ParserProcess
from finetune_core.corpus.language import detect_language
from finetune_core.corpus.parsed import Limits, Parsed
from finetune_core.errors import CorpusError, JobCancelled
from finetune_core.jobs.run import JobRun
from finetune_core.providers.tokens import TokenCounter
from finetune_core.records import content_id
from finetune_core.storage import database, documents, duplicates, projects
from finetune_core.storage.documents import FileOutcome, FileState, NewDocument

HEAVY = False


class Source(BaseModel):
    """One file: where it is, and what the person calls it (unique in its batch)."""

    path: Path
    name: str = Field(min_length=1)


class Params(BaseModel):
    """A batch. `take` moves the originals into the project's folder (uploads); otherwise they stay where they are."""

    files: list[Source] = Field(min_length=1)
    take: bool = False


def execute(run: JobRun, params: Params) -> dict[str, Any]:
    """Give every file a state; a restart goes on with the files that have none yet. Cancelling drops what was not read."""
    try:
        _read_all(run, params)
    except JobCancelled:
        if params.take:
            for source in params.files:
                source.path.unlink(missing_ok=True)
            _tidy(params)
        raise
    with database.reading() as connection:
        counts = documents.num_files(connection, run.project_id, job_id=run.job_id)
    if counts.get(FileState.PARSED) or counts.get(FileState.PARTIAL):
        mark_duplicates(run)
    return _summary(run, params)


def _read_all(run: JobRun, params: Params) -> None:
    with database.reading() as connection:
        finished = documents.recorded_names(connection, run.project_id, run.job_id)
    waiting = [source for source in params.files if shown_name(source.name) not in finished]
    num_files = len(params.files)
    with ParserProcess(limits(), folder=run.workdir) as parser:
        for number, source in enumerate(waiting, start=num_files - len(waiting)):
            run.progress(0.9 * number / num_files, f"Reading {shown_name(source.name)} ({number + 1} of {num_files})")
            outcome = _ingest(run, parser, source)
            run.say(f"{outcome.name}: {outcome.state}. {outcome.reason}".rstrip(". ") + ".")
            if params.take:
                _put_away(run.project_id, source, outcome)


def limits() -> Limits:
    """The bounds that the settings in force put on one file."""
    now = settings.current()
    return Limits(
        max_file_bytes=now.max_file_mb * 1_000_000,
        max_pages=now.max_pages,
        max_unpacked_bytes=now.max_unpacked_mb * 1_000_000,
    )


def mark_duplicates(run: JobRun) -> None:
    """Mark exact and near-duplicates among all of the project's own chunks; the last tenth of a job's progress."""
    from finetune_core.corpus.near_duplicates import find_originals

    run.progress(0.9, "Looking for chunks that repeat others")
    with run.writing() as connection:
        duplicates.mark_exact(connection, run.project_id)
    with database.reading() as connection:
        chunks = documents.included_chunks(connection, run.project_id)
    texts = [chunk.full_text for chunk in chunks]
    counter = itertools.count(1)
    originals = find_originals(texts, checkpoint=lambda: run.progress(0.9 + 0.1 * next(counter) / len(texts)))
    near = {chunks[j].id: chunks[i].id for j, (i, _) in originals.items()}
    with run.writing() as connection:
        duplicates.mark_near(connection, run.project_id, near)


def chunker_of(project: projects.Project) -> Chunker:
    """The chunker that a project's settings ask for."""
    return Chunker(TokenCounter.for_model(project.base_model), project.chunk_tokens, project.chunk_overlap_tokens)


def _ingest(run: JobRun, parser: ParserProcess, source: Source) -> FileOutcome:
    """Read one file, store what it holds and what became of it, both or neither."""
    try:
        parsed = parser.parse(source.path, source.name, run.checkpoint)
    except CorpusError as error:
        outcome = _outcome(source, FileState.REFUSED, reason=f"{error.message} {error.hint}")
        with run.writing() as connection:
            documents.record_file(connection, run.project_id, run.job_id, outcome)
        return outcome
    document = _document(source, parsed)
    with database.reading() as connection:
        project = projects.find(connection, project_id=run.project_id)
    assert project is not None, "a project with a live job cannot be deleted"
    chunks = chunker_of(project).cut(document.id, document.text, document.sections)
    with run.writing() as connection:
        if documents.insert_document(connection, run.project_id, document, chunks):
            state = FileState.PARTIAL if parsed.missing else FileState.PARSED
            outcome = _outcome(source, state, parsed.reason, parsed.missing, document.id)
        else:
            same = documents.name_of(connection, run.project_id, document.id)
            outcome = _outcome(source, FileState.DUPLICATE, f"Its text is that of {same}.", (), document.id)
        documents.record_file(connection, run.project_id, run.job_id, outcome)
    return outcome


def _document(source: Source, parsed: Parsed) -> NewDocument:
    name = shown_name(source.name)
    return NewDocument(
        id=content_id("document", parsed.text),
        name=name,
        title=parsed.title or Path(name).stem,
        media_type=parsed.media_type,
        text=parsed.text,
        sections=parsed.sections,
        num_pages=parsed.num_pages,
        language=detect_language(parsed.text),
    )


def _outcome(
    source: Source,
    state: FileState,
    reason: str = "",
    missing: tuple[int, ...] = (),
    document_id: str | None = None,
) -> FileOutcome:
    size = source.path.stat().st_size if source.path.is_file() else 0
    return FileOutcome(shown_name(source.name), size, state, reason, missing, document_id)


def _put_away(project_id: str, source: Source, outcome: FileOutcome) -> None:
    """Keep the original of a document under the document's id; drop the others. May be done twice."""
    if outcome.state in (FileState.PARSED, FileState.PARTIAL) and outcome.document_id:
        folder = database.home() / "projects" / project_id / "files"
        folder.mkdir(parents=True, exist_ok=True)
        if source.path.exists():
            shutil.move(source.path, stored_path(folder, outcome.document_id, outcome.name))
    else:
        source.path.unlink(missing_ok=True)


def _summary(run: JobRun, params: Params) -> dict[str, Any]:
    with database.reading() as connection:
        outcomes = documents.outcomes(connection, run.project_id, job_id=run.job_id, limit=len(params.files))
        num_included = documents.num_included(connection, run.project_id, origin="")
    if params.take:  # what an earlier attempt had recorded but not yet put away
        known = {outcome.name: outcome for outcome in outcomes}
        for source in params.files:
            _put_away(run.project_id, source, known[shown_name(source.name)])
        _tidy(params)
    states = Counter(outcome.state for outcome in outcomes)
    return {
        "num_files": len(outcomes),
        **{f"num_{state.value}": states[state] for state in FileState},
        "num_chunks_included": num_included,
    }


def _tidy(params: Params) -> None:
    """Remove the batch's own folder once it is empty."""
    for folder in {source.path.parent for source in params.files}:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
