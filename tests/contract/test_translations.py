"""Every sentence of the pages and components goes through the one gettext function, so that Ayar can speak more languages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [*sorted((ROOT / "pages").glob("*.py")), *sorted((ROOT / "components").glob("*.py"))]
DRAWS = {
    "badge", "button", "caption", "checkbox", "code", "dialog", "download_button", "error", "expander", "file_uploader",
    "form_submit_button", "header", "info", "link_button", "markdown", "menu_button", "metric", "multiselect",
    "number_input", "page_link", "pagination", "pills", "popover", "radio", "segmented_control", "selectbox", "slider",
    "spinner", "subheader", "success", "table", "tabs", "text", "text_area", "text_input", "title", "toast", "toggle",
    "warning", "empty_state", "show_error", "keep_error",
}  # fmt: skip
SAYS = {"label", "help", "placeholder", "text", "alt", "title", "delta_description"}
AS_THEY_ARE = {"Ayar", "OPENAI_API_KEY", "gpt-5-mini", "https://api.openai.com/v1"}
"""Names, which are the same in every language."""
_MARKUP = re.compile(
    r":[a-z]+(?:-badge)?\[|\S*/\S*|(?<!\S)\.\w+"
)  # colours; icons and places, which have a slash; suffixes


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_is_drawn_goes_through_gettext(path: Path) -> None:
    found = [f"line {line}: {text!r}" for line, text in _untranslated(path.read_text(encoding="utf-8"))]
    assert not found, "wrap it in t(...)"


def test_the_rule_finds_what_it_forbids() -> None:
    source = """
st.title("Words here")
left.button(t("fine"), help="not fine")
st.markdown(f"**{t('fine')}** :material/home: {x:,}")
st.caption(f"{num} pieces")
st.page_link("../pages/home.py", label="Home page")
st.selectbox(t("One"), ["a", "b"], key="no text at all")
"""
    assert [text for _, text in _untranslated(source)] == ["Words here", "not fine", " pieces", "Home page"]


def _untranslated(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and _name(node.func) in DRAWS:
            said = [*node.args[:2], *(keyword.value for keyword in node.keywords if keyword.arg in SAYS)]
            yield from ((node.lineno, text) for part in said for text in _words(part))


def _words(node: ast.expr) -> Iterator[str]:
    """The literal texts of an argument that hold a word of three letters or more, those inside t() left out."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if node.value not in AS_THEY_ARE and re.search(r"[^\W\d_]{3}", _MARKUP.sub("", node.value)):
            yield node.value
    elif isinstance(node, ast.JoinedStr):
        for part in node.values:
            if isinstance(part, ast.Constant):
                yield from _words(part)
    elif isinstance(node, ast.IfExp):
        yield from (*_words(node.body), *_words(node.orelse))
    elif isinstance(node, ast.BinOp):
        yield from (*_words(node.left), *_words(node.right))


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
