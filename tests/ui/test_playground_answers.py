"""The Playground of language models: the fields of their kind, an example of the test part, both answers with their rows."""

from typing import Any

import pytest
from streamlit.delta_generator import DeltaGenerator

from finetune_core.errors import ProviderError
from finetune_core.evaluation.said import Said
from finetune_core.providers.database import ResultTable
from finetune_core.workspace import playground, projects
from finetune_core.workspace.playground import Answer, Contender, PlaygroundExample
from tests.ui.conftest import OpenPage

KNOWN = [Contender("t", "Tuned", "t/base", kind="SqlQuestion"), Contender("t/base", "Small", kind="SqlQuestion")]


def test_both_models_answer_an_example_beside_what_is_right(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, str]] = []
    table = ResultTable(("n", "n"), ((1, 2),), is_cut=True, seconds=0.0)

    def ask(
        project_id: str, ids: Any, kind: str, texts: dict[str, str], on_progress: Any, on_said: Any
    ) -> list[Answer]:
        asked.append(texts)
        for one in ids:
            on_progress(0.5, "Loading the model")
            on_said(one, "SEL")
            on_said(one, "SELECT *")
        return [Answer(one, f"Model {one}", 0.2, 0, (), said=Said(f"SELECT {one}", "odd", table)) for one in ids]

    known = [*KNOWN, Contender("r", "Router", "r/base"), Contender("r/base", "Other")]
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


def test_what_is_said_grows_and_goes_where_no_answer_comes_of_it(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    is_down = [True]

    def ask(project_id: str, ids: Any, kind: str, texts: Any, on_progress: Any, on_said: Any) -> list[Answer]:
        for one, text in ((ids[0], "SEL"), (ids[0], "SELECT a"), (ids[1], "SEL **bold**"), (ids[1], "")):
            on_said(one, text)
        if is_down[0]:
            raise ProviderError("It is down.", hint="Wait.")
        return [Answer(one, "", 0.2, 0, (), said=Said(f"SELECT {one}")) for one in ids]

    original = DeltaGenerator.code
    spied = lambda self, body, *rest, **options: drawn.append(body) or original(self, body, *rest, **options)  # noqa: E731
    monkeypatch.setattr(DeltaGenerator, "code", spied)
    monkeypatch.setattr(playground, "contenders", lambda project_id: KNOWN)
    monkeypatch.setattr(playground, "examples", lambda *_: [])
    monkeypatch.setattr(playground, "ask", ask)
    app = open_page("playground", project=projects.create("Shop").id)
    app.text_area(key="playground_SqlQuestion_question").set_value("How old?")
    app.button[-1].click().run()
    assert not app.exception, app.exception
    assert drawn == ["SEL", "SELECT a", "SEL **bold**"]
    assert [one.value for one in app.code] == []
    assert "It is down" in app.error[0].value
    assert [one.value for one in app.subheader] == ["Small", "Tuned"]
    is_down.clear()
    is_down.append(False)
    app.button[-1].click().run()
    assert [one.value for one in app.code] == ["SELECT t/base", "SELECT t"]
    assert [one.value for one in app.subheader] == ["Small", "Tuned"]
    assert not app.error
