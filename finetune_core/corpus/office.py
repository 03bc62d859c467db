"""DOCX, PPTX and HTML to Markdown text, through markitdown and markdownify; headings stay, links and emphasis go."""

import re
import warnings
from pathlib import Path
from typing import Any

from finetune_core.corpus.parsed import Parsed
from finetune_core.corpus.sections import clean_text, markdown_sections, plain_heading
from finetune_core.errors import CorpusError

_PLAIN: dict[str, Any] = {  # what a model should read: words and headings, no addresses, no marks of emphasis
    "strip": ["a", "img", "b", "strong", "em", "i", "u", "s", "del", "code", "sub", "sup"],
    "heading_style": "atx",
    "escape_asterisks": False,
    "escape_underscores": False,
    "escape_misc": False,
}
_UNREAD = ("script", "style", "noscript", "template", "svg", "iframe", "object")
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_EMPTY_ROW = re.compile(r"^[\s|:-]*\|[\s|:-]*\n?", re.MULTILINE)
_SLIDE = re.compile(r"<!-- Slide number: (\d+) -->\n?")


def parse_docx(path: Path) -> Parsed:
    """A DOCX; raises CorpusError if it is damaged or has no text."""
    from markitdown import StreamInfo
    from markitdown.converters import DocxConverter

    with path.open("rb") as stream:
        markdown = _untyped(DocxConverter).convert(stream, StreamInfo(extension=".docx"), **_PLAIN).markdown
    return _from_markdown(markdown, "application/vnd.openxmlformats-officedocument.wordprocessingml.document")


def parse_pptx(path: Path, max_slides: int) -> Parsed:
    """A PPTX, each slide under its title, or under "Slide n" if it has none; raises CorpusError as `parse_docx`."""
    from markitdown import StreamInfo
    from markitdown.converters import PptxConverter

    with path.open("rb") as stream:
        markdown = _untyped(PptxConverter).convert(stream, StreamInfo(extension=".pptx")).markdown
    pieces = _SLIDE.split(_IMAGE.sub("", markdown.replace("\x0b", " ")))
    slides = [(number, body.strip()) for number, body in zip(pieces[1::2], pieces[2::2], strict=True)]
    if len(slides) > max_slides:
        raise CorpusError(
            f"The presentation has {len(slides)} slides, more than {max_slides}.",
            hint="Split it into smaller files, or raise AYAR_MAX_PAGES.",
        )
    shown = [body if body.startswith("# ") else f"# Slide {number}\n{body}" for number, body in slides if body]
    media_type = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    return _from_markdown("\n\n".join(shown), media_type, len(slides))


def parse_html(text: str) -> Parsed:
    """An HTML page without scripts and styles; raises CorpusError if no text is left."""
    from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning
    from markdownify import MarkdownConverter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        soup = BeautifulSoup(text, "html.parser")
    title = plain_heading(clean_text(soup.title.get_text(" "))) if soup.title else ""
    for element in soup([*_UNREAD, "title"]):
        element.decompose()
    body = soup.body or soup
    try:
        markdown = MarkdownConverter(**_PLAIN).convert_soup(body)
    except RecursionError:  # nested thousands deep: the words alone, collected without recursion
        markdown = body.get_text("\n", strip=True)
    return _from_markdown(markdown, "text/html", title=title)


def _untyped(converter: Any) -> Any:
    """A converter; markitdown's own types stop short of its constructors."""
    return converter()


def _from_markdown(markdown: str, media_type: str, num_pages: int | None = None, title: str = "") -> Parsed:
    text = clean_text(_EMPTY_ROW.sub("", markdown))  # the rules and empty cells of layout tables say nothing
    if not re.search(r"\w", text):
        raise CorpusError("There is no text in it.", hint="Check that this is the right file.")
    return Parsed(text, markdown_sections(text), media_type, title=title, num_pages=num_pages)
