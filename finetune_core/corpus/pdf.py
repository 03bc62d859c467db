"""PDF to text, page by page: a page that cannot be read is named, and costs no other page."""

import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from finetune_core.corpus.parsed import Limits, Parsed, number_ranges
from finetune_core.corpus.sections import clean_text, plain_heading, sections_at
from finetune_core.errors import CorpusError

_BROKEN_WORD = re.compile(r"([^\W\d_]{2,})-\n([^\W\d_]{2,})")
_WRAPPED_LINE = re.compile(r"(?<=[^\W\d_A-Z]|,)[ ]?\n(?=[a-zà-öø-ÿığşœ])")
_MAX_REASON = 160


class _PageTimeoutError(Exception):
    pass


def parse_pdf(path: Path, limits: Limits, alive: Callable[[], None] = lambda: None) -> Parsed:
    """The text of a PDF; opens those that are encrypted with an empty password. `alive` is called before each page.

    Raises CorpusError if it needs a password, cannot be opened, has too many pages, or has no text on any page.
    """
    reader, num_pages = _opened(path)
    if num_pages > limits.max_pages:
        raise CorpusError(
            f"The PDF has {num_pages} pages, more than {limits.max_pages}.",
            hint="Split it into smaller files, or raise AYAR_MAX_PAGES.",
        )
    pages: list[str] = []
    failures: dict[int, str] = {}
    for number in range(1, num_pages + 1):
        alive()
        try:
            with _time_limit(limits.page_timeout_s):
                page = reader.pages[number - 1]
                pages.append(clean_text(page.extract_text() or ""))
                if not pages[-1].strip() and _has_image(page):
                    failures[number] = "only an image; run text recognition (OCR) to read it"
        except MemoryError:
            raise
        except Exception as error:
            pages[number - 1 :] = [""]
            failures[number] = _why(error, limits)
    if not any(page.strip() for page in pages):
        raise _no_text(num_pages, failures)
    return _joined(reader, pages, failures)


def _opened(path: Path) -> tuple[Any, int]:
    from pypdf import PdfReader
    from pypdf.errors import FileNotDecryptedError, WrongPasswordError

    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise FileNotDecryptedError("the empty password does not open it")
        return reader, len(reader.pages)
    except (FileNotDecryptedError, WrongPasswordError) as error:
        raise CorpusError(
            "The PDF is protected by a password.", hint="Save a copy without the password and add that."
        ) from error
    except MemoryError:
        raise
    except Exception as error:
        raise CorpusError(
            f"The PDF is damaged and cannot be opened ({_short(error)}).",
            hint="Open it in a PDF viewer and save it again, then add the new file.",
        ) from error


def _joined(reader: Any, pages: list[str], failures: dict[int, str]) -> Parsed:
    """Pages one after the other; the outline's entries, where there is one, become headings at the start of their page."""
    starts: list[int] = []
    text = ""
    for page in pages:
        text = text.rstrip("\n") + ("\n\n" if text and page else "")
        starts.append(len(text))
        text += _unwrapped(page)
    headings = [(starts[page], level, title) for page, level, title in _outline(reader) if page < len(starts)]
    missing = tuple(sorted(failures))
    reason = ""
    if missing:
        reasons = "; ".join(dict.fromkeys(failures.values()))
        noun = "Page" if len(missing) == 1 else "Pages"
        reason = f"{noun} {number_ranges(missing)} of {len(pages)} could not be read: {reasons}"
    sections = sections_at(text, _one_per_place(headings))
    return Parsed(text, sections, "application/pdf", _title(reader), len(pages), missing, reason)


def _unwrapped(page: str) -> str:
    """Lines that the page's width broke are put together again; a new paragraph stays one."""
    return _WRAPPED_LINE.sub(" ", _BROKEN_WORD.sub(r"\1\2", page))


def _outline(reader: Any) -> list[tuple[int, int, str]]:
    """(page from 0, level from 1, title) of the outline's entries; [] if there is none or it is damaged."""
    found: list[tuple[int, int, str]] = []
    try:
        entries = list(_flat(reader.outline, 1))
    except Exception:  # damage shows as any exception; headings are a help, the text is there without them
        return []
    for entry, level in entries:
        with suppress(Exception):  # a broken entry costs its heading, nothing else
            page = reader.get_destination_page_number(entry)
            title = plain_heading(str(entry.title))
            if page is not None and page >= 0 and title:
                found.append((page, level, title))
    return found


def _flat(outline: Any, level: int) -> Iterator[tuple[Any, int]]:
    for entry in outline:
        if isinstance(entry, list):
            yield from _flat(entry, level + 1)
        else:
            yield entry, level


def _one_per_place(headings: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """In order of place; of siblings that begin on the same page only the first can be placed, so the others go."""
    kept: list[tuple[int, int, str]] = []
    for place, level, title in sorted(headings, key=lambda heading: heading[0]):
        if not any(at == place and above >= level for at, above, _ in kept[-6:]):
            kept.append((place, level, title))
    return kept


def _has_image(page: Any) -> bool:
    """Whether the page draws an image, by its resources alone; nothing is decoded."""
    try:
        objects = page["/Resources"]["/XObject"].values()
        return any(one.get_object().get("/Subtype") == "/Image" for one in objects)
    except (KeyError, AttributeError, TypeError):
        return False


def _title(reader: Any) -> str:
    try:
        return plain_heading(clean_text(str(reader.metadata.title or "")))
    except Exception:  # as in the outline: no title is no loss
        return ""


def _no_text(num_pages: int, failures: dict[int, str]) -> CorpusError:
    if failures and not all(reason.startswith("only an image") for reason in failures.values()):
        reasons = "; ".join(dict.fromkeys(failures.values()))
        return CorpusError(
            f"None of the {num_pages} pages could be read: {reasons}",
            hint="Open it in a PDF viewer and save it again, then add the new file.",
        )
    return CorpusError(
        f"There is no text on any of the {num_pages} pages; they may be scanned images.",
        hint="Run text recognition (OCR) over it, for example with ocrmypdf, and add the result.",
    )


def _why(error: Exception, limits: Limits) -> str:
    if isinstance(error, _PageTimeoutError):
        return f"reading it took more than {limits.page_timeout_s:g} s"
    return _short(error)


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {text}"[:_MAX_REASON]


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Interrupts what is inside after `seconds`; only the main thread can be interrupted, others are left to run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: Any) -> None:
        raise _PageTimeoutError

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
