"""Review and Train for queries with labels."""

import pytest

from finetune_core.workspace import datasets, jobs, labelled, projects
from finetune_core.workspace.labelled import PairState, QueryFilter
from tests.ui.conftest import OpenPage


@pytest.fixture
def project_id() -> str:
    found = projects.create("Desk").id
    for name in ("billing", "travel"):
        labelled.save_choice(found, name, f"Everything about {name}")
        labelled.add(found, [f"First on {name}", f"**Second** on {name} <b>"], name)
    return found


def test_the_switch_is_there_only_where_it_is_needed(project_id: str, open_page: OpenPage) -> None:
    other = projects.create("Pairs only").id
    assert "kind" not in [one.key for one in open_page("review", project=other).segmented_control]
    assert "kind" in [one.key for one in open_page("review", project=project_id).segmented_control]


def test_a_label_and_a_state_are_changed_in_the_table(project_id: str, open_page: OpenPage) -> None:
    app = open_page("review", project=project_id, kind="queries")
    assert not app.exception
    editor = "queries_table_0_0"
    app.session_state[editor] = {
        "edited_rows": {0: {"Choice": "travel"}, 1: {"State": "Rejected"}}, "added_rows": [], "deleted_rows": [],
    }  # fmt: skip
    app.run()
    rows = labelled.page(project_id, QueryFilter(), 0)[0]
    assert (rows[0].label, rows[1].state) == ("travel", PairState.REJECTED)
    app.run()
    assert labelled.page(project_id, QueryFilter(), 0)[0][0].version == 2, "one edit is written once"


def test_a_choice_named_out_of_scope_is_not_taken_for_none_of_them(project_id: str, open_page: OpenPage) -> None:
    labelled.save_choice(project_id, "out of scope")
    app = open_page("review", project=project_id, kind="queries")
    app.session_state["queries_table_0_0"] = {
        "edited_rows": {0: {"Choice": "out of scope (out of scope)"}, 1: {"Choice": "out of scope"}},
        "added_rows": [], "deleted_rows": [],
    }  # fmt: skip
    app.run()
    rows = labelled.page(project_id, QueryFilter(), 0)[0]
    assert [one.label for one in rows[:2]] == ["out of scope", labelled.OUT_OF_SCOPE]


def test_choices_and_queries_are_written_on_the_page(open_page: OpenPage) -> None:
    found = projects.create("Empty").id
    app = open_page("review", project=found, kind="queries", part="choices")
    app.text_input(key="queries_choices_name").set_value("billing")
    app.button[-1].click().run()
    assert [one.id for one in labelled.choices(found)] == ["billing"]
    app = open_page("review", project=found, kind="queries", part="add")
    app.text_area(key="queries_add_texts").set_value("What do I owe?\n\nSend the bill.")
    app.button(key="queries_add_go").click().run()
    assert not app.exception
    assert labelled.counts(found) == {"billing": 2}


def test_train_offers_a_router_its_own_kind_of_version(project_id: str, open_page: OpenPage) -> None:
    app = open_page("train", project=project_id, recipe="Router")
    app.selectbox(key="recipe").set_value("router").run()
    assert any("4 accepted queries are taken" in one.value for one in app.caption)
    app.button[0].click().run()
    assert [job.params["record"] for job in jobs.listing(project_id, ("freeze",))] == [datasets.QUERIES]
