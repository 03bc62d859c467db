"""Every string a person sees goes through `t`; text from documents, models and people goes through `plain`."""

import functools
import gettext
import re
from datetime import datetime
from pathlib import Path

import streamlit as st

LOCALES = Path(__file__).parent / "locale"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:^=])")


def t(message: str, /, **values: object) -> str:
    """`message` in the reader's language, with `{name}` fields filled from `values`; "" for ""."""
    text = _catalogue(_language()).gettext(message) if message else ""  # a catalogue's entry for "" is its header
    return text.format(**values) if values else text


def tn(one: str, many: str, num: int, /, **values: object) -> str:
    """Like `t` for a counted thing: `one` or `many` as the language wants it for `num`, which is the field `{num}`."""
    return _catalogue(_language()).ngettext(one, many, num).format(num=f"{num:,}", **values)


def plain(text: str) -> str:
    """`text` with Markdown switched off, for labels, captions and messages; prefer `st.text` and `st.code` for long text."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def size_text(size_bytes: float) -> str:
    """A size for people: "12 B", "3.4 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000 or unit == "GB":
            return f"{size_bytes:.0f} {unit}" if unit == "B" or size_bytes >= 100 else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    raise AssertionError(size_bytes)


def duration_text(seconds: float) -> str:
    """A duration for people: "40 ms", "8 s", "3 min 20 s", "2 h 5 min"."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def time_text(at: float) -> str:
    """A moment (seconds since the epoch) for people, by this machine's clock: "2026-11-22 14:05"."""
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M")


def _language() -> str:
    try:
        return st.query_params.get("lang") or st.context.locale or "en"
    except Exception:  # outside a page: in a test, or while a module is imported
        return "en"


@functools.cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation("ayar", LOCALES, [language.replace("-", "_")], fallback=True)
