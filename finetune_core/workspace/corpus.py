"""The corpus of a project: bring files in, look at documents and chunks, leave some out, choose how they are cut."""

import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from finetune_core import settings
from finetune_core.corpus.chunking import Chunker, NewChunk, check_settings
from finetune_core.corpus.filenames import safe_name
from finetune_core.corpus.parsing import SUPPORTED
from finetune_core.corpus.sections import Section
from finetune_core.errors import CorpusError
from finetune_core.providers.tokens import TokenCounter
from finetune_core.records import content_id
from finetune_core.storage import chunks, database, documents, duplicates
from finetune_core.storage.chunks import ChunkCounts, ChunkFilter, ChunkView, ListedChunk
from finetune_core.storage.documents import Document, FileOutcome, FileState
from finetune_core.storage.rechunking import num_dangling_pairs
from finetune_core.workspace import installation, jobs, projects

__all__ = [
    "SUPPORTED",
    "ChunkCounts",
    "ChunkFilter",
    "ChunkView",
    "Document",
    "FileOutcome",
    "FileState",
    "ListedChunk",
    "NewChunk",
]

T = TypeVar("T")

MAX_FILES = 20_000
EXACT_UP_TO = 4_000
PREVIEW_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that waits in the uploads folder, by its id there, and the name the person knows it by."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a longer list; `total` counts the items of all pages."""

    items: tuple[T, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Exceeding:
    """How many of `num_chunks` included chunks a base model cannot read whole, because they exceed its `window` of tokens.

    `is_estimate`: counted on an even sample and scaled up.
    """

    base_model: str
    window: int
    num_chunks: int
    num_exceeding: int
    is_estimate: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """How the beginning of a document would be cut; `is_cut_off` if the document goes on."""

    chunks: tuple[NewChunk, ...]
    window: int
    is_cut_off: bool


def ingest_uploads(project_id: str, uploads: Sequence[Upload]) -> str:
    """Start a job that reads uploads into the corpus; returns its id.

    Raises CorpusError for no uploads, StorageError for one that is no longer there.
    """
    project = projects.get(project_id)
    if not uploads:
        raise CorpusError("There are 0 files to read; at least 1 is needed.", hint="Choose files first.")
    folder = database.home() / "projects" / project.id / "files" / "incoming" / uuid.uuid4().hex[:12]
    folder.mkdir(parents=True)
    files = []
    for number, (upload, name) in enumerate(zip(uploads, _distinct([one.name for one in uploads]), strict=True)):
        path = folder / f"{number:05d}-{safe_name(name)}"
        shutil.move(installation.upload_path(upload.id), path)
        files.append({"path": str(path), "name": name})
    return _submit(project.id, files, take=True)


def ingest_path(project_id: str, path: Path, *, roots: Sequence[Path] | None = None) -> str:
    """Start a job that reads a file, or every visible file of a folder and its folders; returns the job's id.

    `roots` are the folders it must lie in (`import_roots`); None sets no bound, for a person at the command line. Raises
    CorpusError if it lies elsewhere, does not exist, or holds no file or more than 20,000.
    """
    project = projects.get(project_id)
    found = path.expanduser().resolve()
    allowed = None if roots is None else [root.expanduser().resolve() for root in roots]
    _check_place(found, allowed)
    if not found.exists():
        raise CorpusError(f"{path} does not exist.", hint="Check the path; it is one on the machine that runs Ayar.")
    files = []
    for file in [found] if found.is_file() else _visible_files(found, allowed):
        name = file.name if file == found else file.relative_to(found).as_posix()
        files.append({"path": str(file), "name": name})
        if len(files) > MAX_FILES:
            raise CorpusError(
                f"{path} holds more than {MAX_FILES} files.", hint="Import its folders one after the other."
            )
    if not files:
        raise CorpusError(f"{path} holds no files.", hint=f"Supported are {SUPPORTED}.")
    return _submit(project.id, files, take=False)


def import_roots(*, is_loopback: bool) -> list[Path]:
    """The folders from which a page may import: AYAR_IMPORT_ROOTS, else the home folder while only this machine can see the
    page (`is_loopback`) and no password says that others may; [] for none."""
    now = settings.current()
    if now.import_roots:
        return now.import_roots
    return [Path.home()] if is_loopback and not now.password else []


def outcomes(
    project_id: str, *, job_id: str = "", states: Sequence[FileState] = (), limit: int = 50, offset: int = 0
) -> Page[FileOutcome]:
    """What became of files, the latest first; of one ingest job if given."""
    with database.reading() as connection:
        items = documents.outcomes(connection, project_id, job_id=job_id, states=states, limit=limit, offset=offset)
        counts = documents.num_files(connection, project_id, job_id=job_id, states=states)
    return Page(tuple(items), sum(counts.values()))


def outcome_counts(project_id: str, *, job_id: str = "") -> dict[FileState, int]:
    """Files by state, all states present."""
    with database.reading() as connection:
        counts = documents.num_files(connection, project_id, job_id=job_id)
    return {state: counts.get(state, 0) for state in FileState}


def list_documents(
    project_id: str, *, text: str = "", excluded: bool | None = None, limit: int = 25, offset: int = 0
) -> Page[Document]:
    """Documents whose name, title or text contains `text`, by name."""
    with database.reading() as connection:
        items = documents.documents(connection, project_id, text=text, excluded=excluded, limit=limit, offset=offset)
        return Page(tuple(items), documents.num_documents(connection, project_id, text=text, excluded=excluded))


def document_text(project_id: str, document_id: str) -> str:
    """The extracted text of a document. Raises CorpusError if there is none of that id."""
    with database.reading() as connection:
        content = documents.content(connection, project_id, document_id)
    if content is None:
        raise CorpusError(f"There is no document {document_id!r}.", hint="Open the list of documents anew.")
    return content[0]


def list_chunks(project_id: str, chosen: ChunkFilter, *, limit: int = 25, offset: int = 0) -> Page[ListedChunk]:
    """Chunks by document and position, one page of them."""
    with database.reading() as connection:
        items = chunks.page(connection, project_id, chosen, limit=limit, offset=offset)
        return Page(tuple(items), chunks.count(connection, project_id, chosen))


def chunk_counts(project_id: str) -> ChunkCounts:
    """Counts of the project's own chunks."""
    with database.reading() as connection:
        return chunks.counts(connection, project_id)


def find_chunk(project_id: str, chunk_id: str) -> documents.Chunk | None:
    """One of the project's own chunks, or None."""
    with database.reading() as connection:
        return chunks.find(connection, project_id, chunk_id)


def exclude_documents(project_id: str, ids: Sequence[str], excluded: bool = True) -> int:
    """Leave documents out of search and questions, or take them back in; the number that changed.

    A chunk elsewhere that repeated one of theirs then stands for itself.
    """
    with database.writing() as connection:
        num = documents.exclude_documents(connection, project_id, ids, excluded)
        duplicates.pass_on(connection, project_id)
    return num


def exclude_chunks(project_id: str, ids: Sequence[str], excluded: bool = True) -> int:
    """Leave chunks out of search and questions, or take them back in; the number that changed."""
    with database.writing() as connection:
        num = chunks.exclude(connection, project_id, ids, excluded)
        duplicates.pass_on(connection, project_id)
    return num


def change_settings(project_id: str, *, base_model: str, chunk_tokens: int, overlap_tokens: int) -> str | None:
    """Set base model and chunk size, and cut all documents anew; the job's id, or None if nothing changed.

    Raises CorpusError for sizes out of bounds or while documents are being cut or read, ProviderError for a base model
    whose tokenizer cannot be loaded.
    """
    project = projects.get(project_id)
    check_settings(chunk_tokens, overlap_tokens)
    TokenCounter.for_model(base_model)
    if (project.base_model, project.chunk_tokens, project.chunk_overlap_tokens) == (
        base_model,
        chunk_tokens,
        overlap_tokens,
    ):
        return None
    if running := live_job(project_id):
        raise CorpusError(
            f"The job {running.title!r} is still working on this corpus.",
            hint="Wait until it has ended, or cancel it, then change the settings.",
        )
    projects.update(project_id, base_model=base_model, chunk_tokens=chunk_tokens, chunk_overlap_tokens=overlap_tokens)
    if not list_documents(project_id, limit=1).total:
        return None
    title = f"Cut all documents into chunks of {chunk_tokens} tokens"
    return jobs.submit(project_id, "chunk", {}, title=title, unique_key=f"chunk:{project_id}")


def live_job(project_id: str) -> jobs.JobView | None:
    """The ingest or chunk job that is queued or running, if there is one."""
    return next((job for job in jobs.listing(project_id, ("ingest", "chunk"), limit=5) if job.is_live), None)


def latest_job(project_id: str) -> jobs.JobView | None:
    """The newest ingest or chunk job, whatever its state."""
    found = jobs.listing(project_id, ("ingest", "chunk"), limit=1)
    return found[0] if found else None


def preview(project_id: str, document_id: str, *, base_model: str, chunk_tokens: int, overlap_tokens: int) -> Preview:
    """How the first 20,000 characters of a document would be cut with these settings; nothing is stored.

    Raises CorpusError and ProviderError as `change_settings`.
    """
    with database.reading() as connection:
        content = documents.content(connection, project_id, document_id)
    if content is None:
        raise CorpusError(f"There is no document {document_id!r}.", hint="Choose another document.")
    counter = TokenCounter.for_model(base_model)
    chunker = Chunker(counter, chunk_tokens, overlap_tokens)
    text, sections = content
    end = PREVIEW_CHARACTERS
    shown = tuple(Section(one.heading, one.start, min(one.end, end)) for one in sections if one.start < end)
    return Preview(tuple(chunker.cut(document_id, text[:end], shown)), counter.max_tokens, len(text) > end)


def window(base_model: str) -> int:
    """How many tokens a base model reads of one text. Raises ProviderError if its tokenizer cannot be loaded."""
    return TokenCounter.for_model(base_model).max_tokens


def exceeding(project_id: str, base_model: str = "") -> Exceeding:
    """How many included chunks exceed the window of `base_model` (default: the project's own).

    For another base model than the project's the chunks are counted with its tokenizer, on an even sample of 4,000 if there
    are more. Raises ProviderError if its tokenizer cannot be loaded.
    """
    project = projects.get(project_id)
    counter = TokenCounter.for_model(base_model or project.base_model)
    with database.reading() as connection:
        if counter.base_model == project.base_model:
            num_over = chunks.num_over(connection, project_id, counter.max_tokens)
            num_chunks = documents.num_included(connection, project_id, origin="")
            return Exceeding(counter.base_model, counter.max_tokens, num_chunks, num_over)
        every = documents.included_chunks(connection, project_id)
    step = max(1, -(-len(every) // EXACT_UP_TO))
    sample = every[::step]
    num_over = sum(num > counter.max_tokens for num in counter.count_many(chunk.full_text for chunk in sample))
    scaled = round(num_over * len(every) / len(sample)) if sample else 0
    return Exceeding(counter.base_model, counter.max_tokens, len(every), scaled, step > 1)


def pairs_without_passage(project_id: str) -> int:
    """Pairs whose passage does not exist with the chunks of today; they take no part in freezing until it does."""
    with database.reading() as connection:
        return num_dangling_pairs(connection, project_id)


def _submit(project_id: str, files: list[dict[str, str]], *, take: bool) -> str:
    title = f"Read {files[0]['name']}" if len(files) == 1 else f"Read {len(files):,} files"
    key = content_id(*(text for file in files for text in (file["path"], file["name"])))
    return jobs.submit(
        project_id, "ingest", {"files": files, "take": take}, title=title, unique_key=f"ingest:{project_id}:{key}"
    )


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, with " (2)" and so on where one comes again: states are kept by name."""
    taken: set[str] = set()
    result = []
    for name in names:
        stem, dot, suffix = name.rpartition(".") if "." in name else (name, "", "")
        candidate, number = name, 2
        while candidate in taken:
            candidate, number = f"{stem} ({number}){dot}{suffix}", number + 1
        taken.add(candidate)
        result.append(candidate)
    return result


def _check_place(path: Path, allowed: Sequence[Path] | None) -> None:
    if allowed is not None and not any(path.is_relative_to(root) for root in allowed):
        places = ", ".join(str(root) for root in allowed) or "no folder"
        raise CorpusError(
            f"{path} is outside of what this page may import: {places}.",
            hint="Upload the files instead, or name the folder in AYAR_IMPORT_ROOTS.",
        )


def _visible_files(folder: Path, allowed: Sequence[Path] | None) -> Iterator[Path]:
    """Regular files below `folder` in order of name; hidden ones, Ayar's own and links that lead out are left out."""
    home = database.home()
    for root, folders, files in os.walk(folder):
        place = Path(root)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and place / name != home)
        for name in sorted(files):
            file = place / name
            if name.startswith(".") or not file.is_file():
                continue
            if not file.is_symlink() or _is_allowed(file.resolve(), allowed):
                yield file


def _is_allowed(path: Path, allowed: Sequence[Path] | None) -> bool:
    return allowed is None or any(path.is_relative_to(root) for root in allowed)
