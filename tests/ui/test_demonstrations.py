"""Review, Home and Train of a project about a language model: demonstrations come in, are decided on, and lead on."""

import json
from typing import Any

import pytest

from components.demonstration_card import demonstration_card
from finetune_core import recipes
from finetune_core.records import Judgement
from finetune_core.workspace import demonstrations, projects
from finetune_core.workspace.demonstrations import DemonstrationFilter, PairState
from tests.ui.conftest import OpenPage

TOOL = {
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
FIELDS: dict[str, dict[str, Any]] = {
    "Chat": {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
             "response": {"role": "assistant", "content": "So."}},
    "ToolCall": {"messages": [{"role": "user", "content": "Warm?"}], "tools": [TOOL],
                 "calls": [{"name": "weather", "arguments": {"town": 3}}]},
    "Judgement": {"query": "Why?", "response": "So.", "score": 7 / 3, "feedback": "Short."},
    "Comparison": {"query": "Why?", "first": "So.", "second": "Because.", "votes": ["first", "second", "second"]},
    "SqlQuestion": {"question": "How many?", "schema": "CREATE TABLE t (n INTEGER);", "sql": "SELECT count(*) FROM t"},
}  # fmt: skip


@pytest.fixture
def project_id(home: object) -> str:
    return projects.create("Desk").id


def test_a_card_shows_what_was_asked_and_lets_the_answer_be_edited(project_id: str) -> None:
    cards = {kind: demonstration_card(demonstrations.add(project_id, kind, fields)) for kind, fields in FIELDS.items()}
    assert [one["document"] for one in cards["Chat"]["passages"]] == ["System", "User"]
    assert cards["Chat"]["fields"][0]["value"] == "So."
    calls = cards["ToolCall"]
    assert calls["passages"][0]["document"] == "Not what the schema allows"
    assert calls["passages"][0]["before"] == "weather: 'city' is a required property"
    assert json.loads(calls["fields"][0]["value"]) == FIELDS["ToolCall"]["calls"]
    score = cards["Judgement"]["fields"][0]
    assert (score["value"], score["range"]["lowest"], score["range"]["highest"]) == ("2.33333333333333", 1.0, 5.0)
    assert [one[0] for one in cards["Comparison"]["fields"][0]["options"]] == ["first", "second", "tie"]
    assert cards["SqlQuestion"]["passages"][0]["is_sql"]


def test_deciding_without_an_edit_changes_no_field_however_its_text_is_rounded(project_id: str) -> None:
    for kind, fields in FIELDS.items():
        one = demonstrations.add(project_id, kind, fields)
        shown = {field["name"]: field["value"] for field in demonstration_card(one)["fields"]}
        decided = demonstrations.decide(project_id, kind, one.id, one.version, PairState.REJECTED, shown)
        assert (decided.state, decided.content, decided.original) == (PairState.REJECTED, one.content, None)
        again = demonstrations.decide(project_id, kind, one.id, one.version, PairState.REJECTED, shown)
        assert again.version == decided.version, "the same press said twice is done once"


def test_the_pages_of_review_open_for_every_kind(open_page: OpenPage, project_id: str) -> None:
    names = {
        "Chat": "chats",
        "ToolCall": "calls",
        "Judgement": "judgements",
        "Comparison": "comparisons",
        "SqlQuestion": "sql",
    }
    for kind, fields in FIELDS.items():
        demonstrations.add(project_id, kind, fields)
    for kind, name in names.items():
        for part in ("cards", "table", "add", "files"):
            app = open_page("review", project=project_id, kind=name, part=part)
            assert not app.exception, (kind, part, app.exception)
            if part == "table":
                assert "**1** example under this filter" in [one.value for one in app.markdown]


def test_an_example_is_written_and_a_file_imported_in_the_browser(open_page: OpenPage, project_id: str) -> None:
    app = open_page("review", project=project_id, kind="judgements", part="add")
    own = "shown_add_Judgement"
    for name, text in (("query", "Why?"), ("response", "So."), ("score", "9")):
        box = app.text_input if name == "score" else app.text_area
        box(key=f"{own}_{name}").set_value(text)
    app.button[-1].click().run()
    assert "the score 9 lies outside 1 to 5" in "".join(one.value for one in app.error)
    assert app.text_area(key=f"{own}_query").value == "Why?", "nothing that was typed is lost"
    app.text_input(key=f"{own}_score").set_value("4")
    app.button[-1].click().run()
    assert demonstrations.counts(project_id)["Judgement"][PairState.ACCEPTED] == 1
    app = open_page("review", project=project_id, kind="judgements", part="files")
    rows = b"query,response,score\nWho?,Me.,2\n"
    app.file_uploader(key="shown_files_import_Judgement_file").upload("scores.csv", rows).run()
    app.button(key="shown_files_import_Judgement_go").click().run()
    assert "Imported 1 examples" in "".join(one.value for one in app.success).replace("\\", "")
    app.file_uploader(key="shown_files_import_Judgement_file").upload("scores.csv", rows.replace(b"2", b"x")).run()
    app.button(key="shown_files_import_Judgement_go").click().run()
    assert "scores.csv row 2" in "".join(one.value for one in app.error).replace("\\", "")
    found, total = demonstrations.page(project_id, DemonstrationFilter("Judgement"), 0)
    assert (total, found[1].example.score) == (2, 2.0)


def test_home_of_a_project_with_demonstrations_alone_asks_for_no_documents(
    open_page: OpenPage, project_id: str
) -> None:
    demonstrations.add(project_id, "Judgement", FIELDS["Judgement"])
    app = open_page("home", project=project_id)
    assert not app.exception, app.exception
    said = "\n".join(one.value for one in app.main.markdown)
    assert "Freeze a dataset" in said
    assert "Bring your documents" not in said
    assert ":material/smart_toy: Examples" in said or ":material/check_circle: Examples" in said
    assert not [button for button in app.main.button if button.key == "demo_load"]


def test_train_leads_to_where_the_first_examples_of_a_recipe_come_in(open_page: OpenPage, project_id: str) -> None:
    app = open_page("train", project=project_id, kind="judgements")
    assert not app.exception, app.exception
    assert recipes.get(app.selectbox(key="recipe").value).record is Judgement, "the link from Home names the kind"
    assert any("This project has none yet" in one.value for one in app.markdown)
    demonstrations.add(project_id, "Judgement", FIELDS["Judgement"])
    app = open_page("train", project=project_id, kind="judgements")
    assert "1 accepted example is taken." in [one.value for one in app.caption]


def test_what_stands_in_a_file_is_shown_before_it_is_imported(open_page: OpenPage, project_id: str) -> None:
    def row(asked: str) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": "So."}]}

    rows = [row("Ask ada@example.org or +49 30 901820?"), row("Why?"), row("Why?")]
    app = open_page("review", project=project_id, kind="chats", part="files")
    own = "shown_files_import_Chat"
    app.file_uploader(key=f"{own}_file").upload("a.jsonl", "\n".join(map(json.dumps, rows)).encode()).run()
    assert not app.exception, app.exception
    app.pills(key=f"{own}_preview_secrets").set_value(["e-mail"]).run()
    said = [one.value for one in app.markdown]
    assert "**2** examples (OpenAI chat)" in said
    assert any(":red-background[ada@example\\.org]" in one and ":green-background" in one for one in said)
    assert any(":red-background[\\+49 30 901820]" in one and ":green-background" not in one for one in said)
    assert app.toggle(key=f"{own}_preview_repeats").label == "Leave out 1 repeated question"
    app.button(key=f"{own}_go").click().run()
    [found, _], _ = demonstrations.page(project_id, DemonstrationFilter("Chat"), 0)
    assert found.question == "Ask [e-mail] or +49 30 901820?"
    app.file_uploader(key=f"{own}_file").upload("b.jsonl", b"[1").run()
    assert "is not JSON" in app.error[0].value
