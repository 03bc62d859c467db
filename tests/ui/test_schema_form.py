"""Functions are pasted or made field by field on the Review page, and chosen for an example written by hand."""

import json

from finetune_core.workspace import demonstrations, projects, tools
from finetune_core.workspace.demonstrations import PairState
from tests.ui.conftest import OpenPage

OWN = "shown_add_schemas"


def test_functions_are_pasted_made_and_chosen(open_page: OpenPage, home: object) -> None:
    project_id = projects.create("Desk").id
    app = open_page("review", project=project_id, kind="calls", part="add")
    assert not app.exception, app.exception
    app.text_input(key=f"{OWN}_list").set_value("Shop")
    app.text_area(key=f"{OWN}_text_box").set_value("class Order(BaseModel):\n    item: Thing")
    app.button(key=f"{OWN}_text_go").click().run()
    assert "line 2: Thing is not known" in app.error[0].value.replace("\\", "")
    assert "Thing" in app.text_area(key=f"{OWN}_text_box").value, "nothing that was typed is lost"
    app.text_area(key=f"{OWN}_text_box").set_value("class Order(BaseModel):\n    item: str")
    app.button(key=f"{OWN}_text_go").click().run()
    app.segmented_control(key=f"{OWN}_way").set_value("fields").run()
    app.text_input(key=f"{OWN}_fields_name").set_value("cancel")
    rows = {"edited_rows": {0: {"name": "order", "choices": "first | second"}}, "added_rows": [], "deleted_rows": []}
    app.session_state[f"{OWN}_fields_rows_0"] = rows
    next(one for one in app.button if one.label == "Add to the list").click().run()
    assert not app.exception, app.exception
    [kept] = tools.listing(project_id)
    assert (kept.name, [one["function"]["name"] for one in kept.tools]) == ("Shop", ["Order", "cancel"])
    assert kept.tools[1]["function"]["parameters"]["properties"] == {
        "order": {"type": "string", "enum": ["first", "second"]}
    }
    app.selectbox(key="shown_add_ToolCall_from_list").set_value("Shop").run()
    assert json.loads(app.text_area(key="shown_add_ToolCall_tools").value) == list(kept.tools)
    app.text_area(key="shown_add_ToolCall_messages").set_value("Two plates, please.")
    app.text_area(key="shown_add_ToolCall_calls").set_value('[{"name": "Order", "arguments": {"item": "plate"}}]')
    next(one for one in app.button if one.label == "Add").click().run()
    assert not app.error, app.error
    assert demonstrations.counts(project_id)["ToolCall"][PairState.ACCEPTED] == 1
    app.button(key=f"{OWN}_Shop_cancel_delete").click().run()
    assert [one["function"]["name"] for one in tools.get(project_id, "Shop").tools] == ["Order"]
