"""The Playground of language models: the fields of their kind, an example of the test part, both answers with their rows."""

from typing import Any

import pytest

from finetune_core.evaluation.said import Said
from finetune_core.providers.database import ResultTable
from finetune_core.workspace import playground, projects
from finetune_core.workspace.playground import Answer, Contender, PlaygroundExample
from tests.ui.conftest import OpenPage


def test_both_models_answer_an_example_beside_what_is_right(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, str]] = []
    table = ResultTable(("n", "n"), ((1, 2),), is_cut=True, seconds=0.0)

    def ask(project_id: str, ids: Any, kind: str, texts: dict[str, str], on_progress: Any) -> list[Answer]:
        asked.append(texts)
        return [Answer(one, f"Model {one}", 0.2, 0, (), said=Said(f"SELECT {one}", "odd", table)) for one in ids]

    known = [Contender("t", "Tuned", "t/base", kind="SqlQuestion"), Contender("t/base", "Small", kind="SqlQuestion"),
             Contender("r", "Router", "r/base"), Contender("r/base", "Other")]  # fmt: skip
    texts = {"question": "How many?", "schema": "CREATE TABLE t (n);", "database": "", "sql": "SELECT 1"}
    monkeypatch.setattr(playground, "contenders", lambda project_id: known)
    monkeypatch.setattr(playground, "examples", lambda *_: [PlaygroundExample("How many?", texts, "SELECT right")])
    monkeypatch.setattr(playground, "ask", ask)
    app = open_page("playground", project=projects.create("Shop").id)
    assert not app.exception, app.exception
    assert app.selectbox(key="playground.left.t").options == ["Tuned", "Small (base)"], "only models of its kind"
    app.text_area(key="playground_SqlQuestion_question").set_value("How old?")
    app.text_area(key="playground_SqlQuestion_schema").set_value("CREATE TABLE t (age);")
    app.button[-1].click().run()
    assert not app.exception, app.exception
    assert asked == [{"question": "How old?", "schema": "CREATE TABLE t (age);", "database": ""}]
    assert [one.value for one in app.code][-2:] == ["SELECT t/base", "SELECT t"]
    assert list(app.dataframe[0].value.columns) == ["n (1)", "n (2)"]
    app.run()
    assert len(asked) == 1, "the same example is asked once"
