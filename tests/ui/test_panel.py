"""The panel of answers on the Compare page: set up, started, and read."""

import re

from finetune_core.jobs.worker import run_queued_here
from finetune_core.workspace import comparisons, jobs, panels
from finetune_core.workspace.comparisons import ComparisonView
from tests import example_comparison, panel_fixtures
from tests.panel_fixtures import panel_params, services
from tests.ui.conftest import OpenPage

words_recipe = example_comparison.words_recipe
answered = panel_fixtures.answered
tuned_judge = panel_fixtures.tuned_judge


def texts(app) -> str:
    return "\n".join(each.value for each in [*app.markdown, *app.caption, *app.subheader, *app.warning, *app.error])


def test_setting_up_says_what_it_takes_and_starts_one_job(open_page: OpenPage, answered: ComparisonView) -> None:
    with services():
        app = open_page("compare", project=answered.project_id, comparison=answered.id)
        assert not app.exception, app.exception
        app.session_state[f"panel_new_{answered.id}"] = True
        app.run()
        assert [metric.label for metric in app.metric][-4:] == [
            "Calls, about",
            "Tokens, about",
            "Cost, about",
            "Time, about",
        ]
        app.segmented_control(key="panel_form_judge_kind").set_value("tuned").run()
        assert "No correctness judge was tuned" in "\n".join(each.value for each in app.info)
        app.segmented_control(key="panel_form_judge_kind").set_value("none").run()
        app.number_input(key="panel_form_cap_usd").set_value(2.0).run()
        assert "prices of" in texts(app)
        app.number_input(key="panel_form_cap_usd").set_value(0.0).run()
        app.number_input(key=f"panel_form_questions_{answered.id}").set_value(4).run()
        app.button(key="panel_form_go").click().run()
        assert not app.exception, app.exception
        [job] = jobs.listing(answered.project_id, ["panel"])
        assert job.params["num_questions"] == 4
        assert "4 questions: base against careful" in texts(app).replace("\\", "")


def test_a_finished_panel_shows_numbers_judge_charts_and_answers(
    open_page: OpenPage, answered: ComparisonView, tuned_judge: str
) -> None:
    with services():
        panels.launch(answered.project_id, panel_params(answered, num_questions=9, judge=tuned_judge))
        run_queued_here()
        app = open_page("compare", project=answered.project_id, comparison=answered.id)
    assert not app.exception, app.exception
    shown = texts(app).replace("\\", "")
    assert "Graded by small judge" in shown
    assert re.search(
        r"On 12 graded answers of v1 it never saw: weighted kappa 0\.\d\d \(0\.\d\d … 0\.\d\d\), off by 0\.21", shown
    )
    assert "It grades too high." in shown
    assert "verdict stays with the retrieval metrics" in shown
    tables = [each.value for each in app.table]
    assert any("p (Holm)" in table.columns for table in tables)
    assert any("Time per answer" in table.columns for table in tables)
    app.session_state[f"panel_answers_{_panel(answered).id}_{_first(answered)}"] = True
    app.run()
    assert not app.exception, app.exception
    assert "True answer" in texts(app)
    assert any(re.search(r"judged correctness (0\.\d5|\?)", each.value.replace("\\", "")) for each in app.markdown)
    app.segmented_control(key=f"panel_answers_{_panel(answered).id}_which").set_value("ungraded").run()
    assert not app.exception, app.exception


def _panel(view: ComparisonView) -> panels.PanelView:
    return panels.listing(comparisons.get(view.project_id, view.id))[0]


def _first(view: ComparisonView) -> str:
    return panels.answers(_panel(view)).rows[0].question_id
