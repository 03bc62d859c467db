"""Names of files that strangers chose, made fit for this disk and for a table."""

import re
import unicodedata
from pathlib import Path, PurePosixPath

MAX_BYTES = 150

_UNFIT = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\/]')
_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def safe_name(name: str) -> str:
    """One path component that no operating system misunderstands, with the suffix of `name`; "file" if nothing is left.

    Folders, "..", control and direction-changing characters are dropped; at most 150 bytes.
    """
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    last = _UNFIT.sub("_", _DIRECTIONS.sub("", unicodedata.normalize("NFC", last))).strip(" .")
    stem, suffix = PurePosixPath(last).stem, PurePosixPath(last).suffix[:16]
    room = MAX_BYTES - len(suffix.encode())
    cut = stem.encode("utf-8", "ignore")[:room].decode("utf-8", "ignore")
    return (cut + suffix) or "file"


def shown_name(name: str) -> str:
    """`name` for people: its folders kept, no "..", nothing that could disturb a line of a table; at most 300 characters."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    text = _DIRECTIONS.sub("", "/".join(parts))
    text = "".join(character if character.isprintable() else "_" for character in text)
    return (text if len(text) <= 300 else "..." + text[-297:]) or "file"


def stored_path(folder: Path, document_id: str, name: str) -> Path:
    """Where the original of a document is kept: inside `folder`, whatever `name` is."""
    path = folder / f"{document_id}-{safe_name(name)}"
    assert path.parent == folder
    return path
