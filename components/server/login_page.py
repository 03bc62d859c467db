"""The sign-in form. It needs no script and nothing from behind the door."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template

from starlette.responses import HTMLResponse

_PAGE = Template(Path(__file__).with_suffix(".html").read_text(encoding="utf-8"))
_LOGO = (Path(__file__).resolve().parents[1] / "static" / "logo.svg").read_text(encoding="utf-8")


def login_page(
    target: str, problem: str = "", status: int = 200, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """The form that leads to `target`; `problem` is what went wrong with the last try."""
    note = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    page = _PAGE.substitute(logo=_LOGO, problem=note, target=escape(target, quote=True))
    return HTMLResponse(page, status, headers={"cache-control": "no-store", **(headers or {})})
