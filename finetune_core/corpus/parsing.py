"""One file to text: what it is goes by its bytes first and by its name second; what cannot be read is refused with a reason.

This runs the parsers in the calling process. Files that people bring go through `isolation.ParserProcess`.
"""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from finetune_core.corpus import office, pdf, structured, tables
from finetune_core.corpus.encodings import decode
from finetune_core.corpus.parsed import Limits, Parsed
from finetune_core.corpus.sections import clean_text, markdown_sections
from finetune_core.errors import CorpusError

SUPPORTED = "PDF, DOCX, PPTX, XLSX, HTML, Markdown, plain text, CSV, TSV, JSON, JSONL and e-mail (.eml)"
MAX_COMPRESSION = 1000
"""Times that a ZIP member of more than a megabyte may grow: text reaches 50, a bomb far more."""

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OFFICE = {"word/": "docx", "ppt/": "pptx", "xl/": "xlsx"}
_REFUSED_SUFFIXES = frozenset({
    ".doc", ".dot", ".xls", ".xlsb", ".ppt", ".odt", ".ods", ".odp", ".rtf", ".pages", ".numbers", ".key", ".epub", ".mobi",
    ".msg", ".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".svg", ".mp3", ".mp4", ".wav", ".avi", ".mov",
    ".exe", ".dll", ".so", ".bin", ".zip", ".gz", ".tar", ".7z", ".rar", ".parquet", ".db", ".sqlite",
})  # fmt: skip
_ANCHOR = re.compile(r"^(#{1,6} .*?)[ \t]*\{[ \t]*#[^}\n]*\}[ \t]*$", re.MULTILINE)
_TEXT_KINDS = {
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".xml": "html",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".eml": "email",
    ".md": "markdown",
    ".markdown": "markdown",
    ".mdx": "markdown",
}


def parse(path: Path, name: str, limits: Limits, alive: Callable[[], None] = lambda: None) -> Parsed:
    """The text of the file at `path`, which the person knows as `name`; `alive` is called after every page of a PDF.

    Raises CorpusError, with the reason and what to do, for a file that is empty, too large, damaged, protected by a
    password, of a type not supported, or without text.
    """
    size = path.stat().st_size
    if size == 0:
        raise CorpusError("The file is empty.", hint="Check that this is the right file.")
    if size > limits.max_file_bytes:
        raise CorpusError(
            f"The file has {size / 2**20:.1f} MB, more than {limits.max_file_bytes >> 20} MB.",
            hint="Split it, or raise AYAR_MAX_FILE_MB.",
        )
    kind = _kind(path, name, limits)
    parsed = pdf.parse_pdf(path, limits, alive) if kind == "pdf" else _parser(kind)(path, limits)
    if len(parsed.text) > limits.max_unpacked_bytes:
        raise CorpusError(
            f"The file unpacks to more than {limits.max_unpacked_bytes >> 20} MB of text.",
            hint="Split it, or raise AYAR_MAX_UNPACKED_MB.",
        )
    return parsed


def _kind(path: Path, name: str, limits: Limits) -> str:
    with path.open("rb") as stream:
        head = stream.read(1024)
    suffix = Path(name).suffix.lower()
    if b"%PDF-" in head or suffix == ".pdf":
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(path, limits)
    if head.startswith(_OLE):
        raise _old_office(path)
    if suffix in (".docx", ".pptx", ".xlsx"):
        raise CorpusError(
            f"The file is named {suffix} but is not one; it may have been cut off.",
            hint="Open it in an office program and save it again, then add the new file.",
        )
    if suffix in _REFUSED_SUFFIXES:
        raise CorpusError(f"Files of type {suffix} cannot be read.", hint=f"Supported are {SUPPORTED}.")
    return _TEXT_KINDS.get(suffix, "text")


def _zip_kind(path: Path, limits: Limits) -> str:
    """docx, pptx or xlsx; looks at the directory of the archive only, before anything is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise CorpusError(
            f"The file is damaged: {error}.",
            hint="Open it in an office program and save it again, then add the new file.",
        ) from error
    unpacked = sum(member.file_size for member in members)
    if unpacked > limits.max_unpacked_bytes:
        raise CorpusError(
            f"The file unpacks to {unpacked >> 20} MB, more than {limits.max_unpacked_bytes >> 20} MB.",
            hint="If you trust it, raise AYAR_MAX_UNPACKED_MB.",
        )
    for member in members:
        if member.file_size > (1 << 20) and member.file_size > MAX_COMPRESSION * max(1, member.compress_size):
            raise CorpusError(
                f"A part of the file unpacks to {member.file_size // max(1, member.compress_size)} times its size, "
                f"more than {MAX_COMPRESSION} times.",
                hint="It looks like an archive made to fill memory; save the document anew from its program.",
            )
    for prefix, kind in _OFFICE.items():
        if any(member.filename.startswith(prefix) for member in members):
            return kind
    raise CorpusError(
        "The file is an archive, not a document.", hint=f"Unpack it and add the files. Supported are {SUPPORTED}."
    )


def _old_office(path: Path) -> CorpusError:
    if "EncryptedPackage".encode("utf-16-le") in path.read_bytes():
        return CorpusError(
            "The file is protected by a password.", hint="Save a copy without the password and add that."
        )
    return CorpusError(
        "The file is in the old binary Office format.", hint="Save it as DOCX, PPTX or XLSX and add the new file."
    )


def _parser(kind: str) -> Callable[[Path, Limits], Parsed]:
    return {
        "docx": lambda path, _limits: _office(office.parse_docx, path),
        "pptx": lambda path, limits: _office(lambda one: office.parse_pptx(one, limits.max_pages), path),
        "xlsx": lambda path, limits: _office(lambda one: tables.parse_workbook(one, limits), path),
        "html": lambda path, _limits: office.parse_html(decode(path.read_bytes(), is_markup=True)),
        "csv": lambda path, _limits: tables.parse_delimited(_text(path), "text/csv"),
        "tsv": lambda path, _limits: tables.parse_delimited(_text(path), "text/tab-separated-values"),
        "json": lambda path, _limits: structured.parse_json(_text(path)),
        "jsonl": lambda path, _limits: structured.parse_json_lines(_text(path)),
        "email": lambda path, _limits: structured.parse_email(path.read_bytes()),
        "markdown": lambda path, _limits: _plain(path, "text/markdown"),
        "text": lambda path, _limits: _plain(path, "text/plain"),
    }[kind]


def _office(parser: Callable[[Path], Parsed], path: Path) -> Parsed:
    """Damage shows as any exception of any library underneath; each means the same to the person."""
    try:
        return parser(path)
    except (CorpusError, MemoryError):
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {' '.join(str(error).replace(str(path), 'the file').split())}"
        raise CorpusError(
            f"The file is damaged and cannot be read ({text[:160]}).",
            hint="Open it in an office program and save it again, then add the new file.",
        ) from error


def _text(path: Path) -> str:
    text = decode(path.read_bytes())
    if not text.strip():
        raise CorpusError("The file holds only white space.", hint="Check that this is the right file.")
    return text


def _plain(path: Path, media_type: str) -> Parsed:
    text = clean_text(_text(path))
    if not re.search(r"\w", text):
        raise CorpusError("There is no word in the file.", hint="Check that this is the right file.")
    if media_type == "text/markdown":
        text = _ANCHOR.sub(r"\1", text)
    sections = markdown_sections(text) if media_type == "text/markdown" else ()
    return Parsed(text, sections, media_type, title=sections[0].heading if sections else "")
