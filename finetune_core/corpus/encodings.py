"""Bytes to text when nobody says, or somebody says wrongly, how they are encoded.

The order: a byte order mark; the pattern of zero bytes of UTF-16 and UTF-32; UTF-8; what the file declares; for 8-bit text
the code page under which its letters are those of one language; else charset-normalizer's opinion.
"""

import codecs
import re
from collections import Counter
from collections.abc import Callable

from finetune_core.errors import CorpusError

_MARKS = (  # UTF-32 first: its little-endian mark begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_PUNCTUATION = set("‘’‚“”„†‡•…‰‹›–—«»¡¿§°©®™€£¥¢·±²³¼½¾×÷\xa0\xadªº¶´¨¸")

_LETTERS = {  # code pages of the Latin script: each language's letters beyond ASCII; the earlier page wins a tie
    "cp1252": (
        "àâæçéèêëîïôœùûüÿ",  # French
        "äöüß",
        "áéíñóúü",  # Spanish
        "àáâãçéêíóôõúü",  # Portuguese
        "àèéìíîòóùú",  # Italian
        "áèéëïíóöúü",  # Dutch
        "åäöéüæøàö",  # Nordic
        "áðéíóúýþæö",  # Icelandic
        "àçèéíïòóúü",  # Catalan
    ),
    "cp1254": ("çğıöşüâîûİ",),
    "cp1250": (
        "ąćęłńóśźż",
        "áčďéěíňóřšťúůýž",
        "áäčďéíĺľňóôŕšťúýž",
        "áéíóöőúüű",
        "ăâîșțşţ",
        "čćđšž",
    ),
    "cp1257": ("āčēģīķļņšūž", "ąčęėįšųūž", "äõöüšž"),
}

_KNOWN = {
    name: [frozenset(letters) | frozenset(letters.upper()) | _PUNCTUATION for letters in languages]
    for name, languages in _LETTERS.items()
}

_SURE = 0.97
_HIGH_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")
_META = re.compile(rb"""charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]+)""", re.IGNORECASE)
_XML = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9_:.-]+)""", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def decode(data: bytes, *, is_markup: bool = False) -> str:
    """The text of `data`, without a byte order mark; "" for no bytes. `is_markup` looks for a declared charset.

    Raises CorpusError if the bytes are no text in any encoding known here.
    """
    text = _decoded(data, _declared(data) if is_markup else "")
    if len(_CONTROL.findall(text)) > max(2, len(text) // 100):
        raise CorpusError(
            "The file holds binary data, not text.", hint="Save it as PDF, DOCX, HTML or plain text and add it again."
        )
    return text


def _decoded(data: bytes, declared: str) -> str:
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name, "replace")
    wide = _wide_encoding(data)
    for name in (wide, "utf-8", declared):
        if name and (text := _strictly(data, name)) is not None:
            return text
    return data.decode(_code_page(data) or "cp1252", "replace")


def _strictly(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except (UnicodeError, LookupError):
        return None


def _declared(data: bytes) -> str:
    """The declared charset of HTML or XML, "" if none; the names of ISO 8859-1 and -9 mean their Windows supersets."""
    head = data[:4096]
    found = _XML.search(head) or _META.search(head)
    name = found.group(1).decode("ascii").lower() if found else ""
    supersets = {"iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "iso-8859-9": "cp1254"}
    return "" if name.startswith(("utf-16", "utf-32")) else supersets.get(name, name)


def _wide_encoding(data: bytes) -> str:
    """UTF-16 or UTF-32 without a mark, told by where the zero bytes are; "" if there are none or in no such place."""
    sample = data[: 64 * 1024 // 4 * 4]
    if b"\x00" not in sample or len(data) < 4:
        return ""
    zeros = [sample[start::4].count(0) / max(1, len(sample[start::4])) for start in range(4)]
    if min(zeros[1:]) > 0.6 and zeros[0] < 0.3:
        return "utf-32-le"
    if min(zeros[:3]) > 0.6 and zeros[3] < 0.3:
        return "utf-32-be"
    even, odd = (zeros[0] + zeros[2]) / 2, (zeros[1] + zeros[3]) / 2
    if odd > 0.25 and odd > 4 * even:
        return "utf-16-le"
    if even > 0.25 and even > 4 * odd:
        return "utf-16-be"
    return ""


def _code_page(data: bytes) -> str:
    """The 8-bit code page whose reading is most like one language; "" if nothing is known.

    Where no language covers the whole text, it may be in several: then each word is asked for its own. What is left is up to
    charset-normalizer.
    """
    words = [word for word in _HIGH_WORD.findall(data[:200_000]) if not word.isascii()]
    if not words:
        return "cp1252"
    by_text = _best(lambda name: _share_of_letters(words, name))
    if by_text[1] >= _SURE:
        return by_text[0]
    by_word = _best(lambda name: _share_of_words(words, name))
    if by_word[1] >= _SURE:
        return by_word[0]
    return _opinion(data) or (by_text[0] if by_text[1] > 0.7 else "")


def _best(score: Callable[[str], float]) -> tuple[str, float]:
    """The code page with the highest score, the earliest of equals."""
    scores = {name: score(name) for name in _LETTERS}
    name = max(scores, key=lambda one: scores[one])
    return name, scores[name]


def _share_of_letters(words: list[bytes], name: str) -> float:
    """The part of the letters beyond ASCII that the language that knows most of them knows; 0 if the page lacks a byte."""
    read = _strictly(b"".join(words), name)
    if read is None:
        return 0.0
    counts = Counter(character for character in read if not character.isascii())
    return max(_coverage(counts, letters) for letters in _KNOWN[name]) if counts else 1.0


def _share_of_words(words: list[bytes], name: str) -> float:
    read = _strictly(b" ".join(words), name)
    if read is None:
        return 0.0
    marked = [{letter for letter in word if not letter.isascii()} for word in read.split(" ")]
    return sum(any(letters <= known for known in _KNOWN[name]) for letters in marked) / len(marked)


def _coverage(counts: Counter[str], known: frozenset[str]) -> float:
    return sum(num for character, num in counts.items() if character in known) / counts.total()


def _opinion(data: bytes) -> str:
    from charset_normalizer import from_bytes

    found = from_bytes(data[:200_000]).best()
    return found.encoding if found is not None and _strictly(data, found.encoding) is not None else ""
