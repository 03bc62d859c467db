"""The Review page: nothing there yet, one by one, the table, by hand, files."""

import pytest

from finetune_core.workspace import pairs, projects
from finetune_core.workspace.pairs import PairState
from tests import filled_project
from tests.ui.conftest import OpenPage


@pytest.fixture
def project_id() -> str:
    return filled_project.fill("Handbook")


def card(app) -> str:
    return app.get("bidi_component")[0].proto.json


def test_without_pairs_it_says_what_to_do_first(open_page: OpenPage) -> None:
    app = open_page("review", project=projects.create("Empty").id)
    assert not app.exception
    assert "No pairs to review yet" in "".join(element.value for element in app.subheader)


@pytest.mark.parametrize("view", ["cards", "table", "add", "files"])
def test_every_view_opens(view: str, project_id: str, open_page: OpenPage) -> None:
    app = open_page("review", project=project_id)
    app.session_state["view"] = view
    app.run()
    assert not app.exception
    assert not app.error


def test_the_table_shows_the_filter_and_bulk_asks_first(project_id: str, open_page: OpenPage) -> None:
    app = open_page("review", project=project_id)
    app.session_state["view"] = "table"
    app.session_state["state"] = "pending"
    app.run()
    num = pairs.progress(project_id).counts[PairState.PENDING]
    assert any(f"**{num}** pairs" in element.value for element in app.markdown)
    assert len(app.dataframe[0].value) == num
    app.button(key="table_bulk_reject").click().run()
    assert pairs.progress(project_id).counts[PairState.PENDING] == num  # nothing yet: it asks
    assert any(f"rejects **{num}** pairs" in element.value for element in app.markdown)


def test_a_pair_by_hand(project_id: str, open_page: OpenPage) -> None:
    app = open_page("review", project=project_id)
    app.session_state["view"] = "add"
    app.run()
    app.text_input(key="add_find").set_value("paragraph on topic 2").run()
    app.text_input(key="add_question").set_value("What is topic two?")
    before = pairs.progress(project_id).counts[PairState.ACCEPTED]
    app.button[-1].click().run()
    assert not app.exception
    assert pairs.progress(project_id).counts[PairState.ACCEPTED] == before + 1
    assert app.success
