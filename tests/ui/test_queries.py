"""Review and Train for queries with labels."""

import json

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


def test_an_empty_project_leads_to_choices_and_to_queries(open_page: OpenPage) -> None:
    empty = projects.create("Empty").id
    app = open_page("review", project=empty)
    assert "No pairs to review yet" in "".join(one.value for one in app.subheader)
    app.segmented_control(key="kind").set_value("queries").run()
    assert "queries_choices_name" in [one.key for one in app.text_input], "without choices these come first"
    app = open_page("generate", project=empty, kind="queries")
    assert "No choices yet" in "".join(one.value for one in app.subheader)


def test_a_project_of_choices_goes_to_queries_by_itself(project_id: str, open_page: OpenPage) -> None:
    app = open_page("generate", project=project_id)
    assert "Nothing to ask about yet" not in "".join(one.value for one in app.subheader)
    app.number_input(key="queries_queries").set_value(3).run()
    app.number_input(key="queries_outside").set_value(2).run()
    assert app.button(key="queries_go").label == "Write 8 queries"
    app.button(key="queries_go").click().run()
    assert not app.error
    (job,) = jobs.listing(project_id, ("generate_queries",))
    assert (job.params["queries_per_choice"], job.params["num_out_of_scope"]) == (3, 2)
    home = "\n".join(one.value for one in open_page("home", project=project_id).main.markdown)
    assert "Bring your documents" not in home
    assert "Choices" in home
    assert "Freeze a dataset" in home


def test_one_by_one_shows_the_query_its_choice_and_the_others(project_id: str, open_page: OpenPage) -> None:
    labelled.decide_all(project_id, QueryFilter(), PairState.PENDING)
    app = open_page("review", project=project_id)
    assert not app.exception
    data = json.loads(app.get("bidi_component")[0].proto.json)
    card = data["cards"][0]
    assert [one["name"] for one in card["fields"]] == ["query", "label"]
    assert card["fields"][1]["options"] == [["billing", "billing"], ["travel", "travel"], ["", "out of scope"]]
    assert [one["document"] for one in card["passages"]] == ["billing", "travel"]


@pytest.mark.parametrize("asked", ["accepted", "Accepted", "ACCEPTED"])
def test_the_url_names_a_state_however_it_is_written(asked: str, project_id: str, open_page: OpenPage) -> None:
    first = labelled.page(project_id, QueryFilter(), 0)[0][0]
    labelled.decide(project_id, first.id, first.version, state=PairState.REJECTED)
    app = open_page("review", project=project_id, kind="Queries", part="Table", queries_table_state=asked)
    assert app.selectbox(key="queries_table_state").value == "accepted"
    assert any("**3** queries" in one.value for one in app.markdown)


def test_a_label_and_a_state_are_changed_in_the_table(project_id: str, open_page: OpenPage) -> None:
    app = open_page("review", project=project_id, kind="queries", part="table")
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
    app = open_page("review", project=project_id, kind="queries", part="table")
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
