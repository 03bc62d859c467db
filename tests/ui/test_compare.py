"""The Compare page over a finished comparison."""

import dataclasses
import re
from types import SimpleNamespace

import pytest
from sqlalchemy import update
from streamlit.proto.Metric_pb2 import Metric as MetricProto

from finetune_core import recipes
from finetune_core.jobs import supervisor
from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers.prices import Prices
from finetune_core.records import ServiceKind
from finetune_core.storage import database, providers, tables
from finetune_core.workspace import comparisons, jobs, model_card
from finetune_core.workspace.comparisons import Change, OutcomeFilter
from tests import example_comparison
from tests.example_comparison import RECIPE, Example
from tests.filled_project import HOSTILE
from tests.ui.conftest import OpenPage

compared = example_comparison.compared
words_recipe = example_comparison.words_recipe
MetricColor = MetricProto.MetricColor


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "ensure_worker", lambda: None)


def compare(example: Example, *runs: str) -> str:
    launched = comparisons.launch(example.project_id, "v1", runs)
    run_queued_here()
    return launched.comparison_id


def texts(app) -> str:
    elements = [*app.markdown, *app.caption, *app.header, *app.subheader, *app.text]
    return "\n".join(element.value for element in elements)


def test_without_models_it_says_what_to_do_first(open_page: OpenPage) -> None:
    project = example_comparison.projects.create("Empty")
    app = open_page("compare", project=project.id)
    assert not app.exception
    assert "Nothing to compare yet" in texts(app)


def test_launching_from_the_page(open_page: OpenPage, compared: Example) -> None:
    app = open_page("compare", project=compared.project_id)
    app.selectbox(key="launch_foreign_name").select("none").run()
    app.button(key="launch_start").click().run()
    assert not app.exception
    assert [job.kind for job in jobs.listing(compared.project_id)] == ["compare"]
    run_queued_here()
    app = open_page("compare", project=compared.project_id)
    assert not app.exception, app.exception
    assert app.header[0].value in {"Tuning made it better", "Tuning made it worse"}


def test_the_verdict_the_numbers_and_the_caveats(open_page: OpenPage, compared: Example) -> None:
    app = open_page("compare", project=compared.project_id, comparison=compare(compared, "run-good"))
    assert not app.exception, app.exception
    assert app.header[0].value == "Tuning made it better"
    shown = texts(app)
    assert "searching 45 passages" in shown
    assert "7 of 45 question" in shown
    assert [metric.label for metric in app.metric] == ["nDCG@10", "hit@1", "hit@10", "MRR@10"]
    assert app.metric[0].delta.startswith("+0.")
    assert app.metric[0].proto.color == MetricColor.GREEN
    assert "Is it worth it?" in shown
    assert re.search(r"Take careful\W+nDCG\W*10 0\W+\d+\W+36 questions show it to be better than base", shown)
    assert len(app.get("plotly_chart")) == 7


def test_choosing_another_run_and_opening_a_question(open_page: OpenPage, compared: Example) -> None:
    identity = compare(compared, "run-good", "run-bad")
    app = open_page("compare", project=compared.project_id, comparison=identity)
    assert not app.exception, app.exception
    view = comparisons.get(compared.project_id, identity)
    bad = next(system["key"] for system in view.tuned if system["name"] == "careless")
    app.session_state[f"system_{identity}"] = bad
    app.session_state["metrics_all"] = True
    app.run()
    assert not app.exception, app.exception
    assert app.metric[0].delta.startswith("-0.")
    assert app.metric[0].proto.color == MetricColor.RED
    worth, everything = app.table
    assert (len(worth.value), len(everything.value)) == (2, 12)
    assert len(app.get("plotly_chart")) == 8


def test_both_lists_of_a_question(open_page: OpenPage, compared: Example) -> None:
    identity = compare(compared, "run-good")
    view = comparisons.get(compared.project_id, identity)
    system = view.tuned[0]["key"]
    best = comparisons.outcomes(view, system, OutcomeFilter(Change.WON), limit=1).outcomes[0]
    app = open_page("compare", project=compared.project_id, comparison=identity)
    app.session_state[f"questions_{identity}_{system}_{best.question_id}"] = True
    app.run()
    assert not app.exception, app.exception
    pair = comparisons.side_by_side(view, system, best.question_id)
    shown = [element.value for element in app.text]
    for item in (*pair.before[:5], *pair.after[:5]):
        assert f"{item.passage.title}\n{item.passage.text}" in shown
    assert any("right passage" in element.value for element in app.markdown)


def test_markup_in_names_and_questions_is_shown_not_rendered(open_page: OpenPage, words_recipe) -> None:
    whole = example_comparison.split()
    hostile = tuple(dataclasses.replace(each, query=f"{each.query} {HOSTILE}") for each in whole.test.examples)
    project_id = example_comparison.projects.create("Library").id
    dataset_id = example_comparison.add_dataset(
        project_id, dataclasses.replace(whole, test=dataclasses.replace(whole.test, examples=hostile)), f"v1 {HOSTILE}"
    )
    example_comparison.add_model(project_id, dataset_id, f"mine {HOSTILE}", (1.0, 1.0, 1.0, 0.5), "run-x")
    launched = comparisons.launch(project_id, dataset_id, ["run-x"])
    run_queued_here()
    app = open_page("compare", project=project_id, comparison=launched.comparison_id)
    app.session_state["metrics_all"] = True
    app.run()
    assert not app.exception, app.exception
    rendered = [element.value for element in (*app.markdown, *app.caption, *app.header, *app.subheader)]
    rendered += [element.label for element in (*app.expander, *app.metric)]
    assert any("beacon" in text for text in rendered)
    for text in rendered:
        assert "](" not in text
        assert not re.search(r"(?<!\\)(<script|!\[|:red)", text)


def test_a_change_the_correction_leaves_open_has_a_grey_pill() -> None:
    from components.compare_metrics import judged, pill

    interval = {"difference": 0.02, "low": 0.001, "high": 0.04}

    def shown(outcome: str, name: str) -> str:
        difference = {
            "system": "s",
            "metrics": {"ndcg@10": interval, "hit@1": interval},
            "verdict": {"outcome": outcome},
        }
        view = SimpleNamespace(result={"headline": "ndcg@10"}, difference=lambda system: difference)
        return pill(judged(view, "s", name))

    assert shown("no_difference", "ndcg@10").startswith(":gray-badge")
    assert shown("better", "ndcg@10").startswith(":green-badge")
    assert shown("no_difference", "hit@1").startswith(":green-badge")


def test_a_stock_reranker_is_named_with_the_interval_against_it_and_apart_from_free_baselines() -> None:
    from components.compare_metrics import against

    interval = {"difference": 0.031, "low": 0.004, "high": 0.06}
    floors = [
        {"key": "bm25", "name": "BM25", "facts": {}},
        {"key": "stock", "name": "stock Cohere", "facts": {"num_searches": 763}},
        {"key": "hybrid", "name": "hybrid", "facts": {}},
    ]
    view = SimpleNamespace(
        result={"headline": "ndcg@10", "titles": {"ndcg@10": "nDCG@10"}},
        difference=lambda system: {"floors": {"stock": interval, "bm25": interval | {"low": None}}},
        floors=lambda system: floors,
    )
    (paid,) = against(view, "s", is_paid=True)
    assert (
        paid.replace("\\", "") == "nDCG@10 against stock Cohere: +0.031, 95 % interval +0.004 to +0.060; exploratory."
    )
    assert against(view, "s", is_paid=False) == [], "one has no interval, the other was not scored"


def test_everything_on_a_version_is_compared_with_one_press(
    open_page: OpenPage, compared: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    untried = dataclasses.replace(RECIPE, name="other", title="Other words")
    monkeypatch.setattr(recipes, "discover", lambda: {"words": RECIPE, "other": untried})
    app = open_page("compare", project=compared.project_id)
    assert not app.exception, app.exception
    assert "Other words · time unknown" in texts(app)
    assert "2 models are there already." in texts(app)
    assert app.button(key="launch_all_start").label == "Train what is missing and compare all"
    app.selectbox(key="launch_foreign_name").select("none").run()
    app.button(key="launch_all_start").click().run()
    assert not app.exception, app.exception
    assert "Waiting for 1 training" in texts(app)
    run_queued_here()  # the training fails, for its recipe cannot learn: the others are compared all the same
    view = comparisons.listing(compared.project_id)[0]
    assert {system["name"] for system in view.tuned} == {"careful", "careless"}
    app.run()
    assert not app.exception, app.exception
    assert "Not compared, because its training left no model" in texts(app)


def test_a_loss_on_foreign_questions_is_shown_beside_the_gain_and_with_the_model(
    open_page: OpenPage, compared: Example
) -> None:
    far = example_comparison.projects.create("Far").id
    example_comparison.add_dataset(far, example_comparison.foreign_split(), f"far {HOSTILE}")
    app = open_page("compare", project=compared.project_id)
    chooser = app.selectbox(key="launch_foreign_name")
    assert chooser.value == "demo"
    chooser.select(f"Far/far {HOSTILE}").run()
    app.multiselect(key="launch_models").set_value([compared.good]).run()
    app.button(key="launch_start").click().run()
    run_queued_here()
    app = open_page("compare", project=compared.project_id)
    app.toggle(key="elsewhere_lost").set_value(True).run()
    assert not app.exception, app.exception
    assert app.header[0].value == "Tuning made it better"
    assert ":red-badge[:material/trending_down: Worse elsewhere]" in texts(app)
    assert "It pays for the gain elsewhere" in texts(app)
    assert re.search(r"not tuned for .*40 questions\W+: nDCG@10 0\\\.383 → 0\\\.313", texts(app))
    assert any("Rank before" in table.value.columns for table in app.table)
    app = open_page("models", project=compared.project_id, model=compared.good)
    assert "Worse elsewhere" in texts(app)
    card = model_card.markdown(compared.good)
    assert "on others it may be worse than the model it came from.\nOn questions it was not tuned for" in card
    assert not re.search(r"(?<!\\)\]\(", card)


def test_foreign_questions_are_sent_to_services_only_where_ticked(open_page: OpenPage, compared: Example) -> None:
    with database.writing() as connection:
        providers.save(connection, "", "House", ServiceKind.OPENAI, "http://127.0.0.1:9", "embedder", "", Prices())
        manifest = {"recipe": "words", "config": {"base_model": "service:House"}}
        connection.execute(update(tables.model).where(tables.model.c.id == compared.good).values(manifest=manifest))
    far = example_comparison.projects.create("Far").id
    example_comparison.add_dataset(far, example_comparison.foreign_split(), "far")
    app = open_page("compare", project=compared.project_id)
    app.multiselect(key="launch_models").set_value([compared.good])
    app.selectbox(key="launch_foreign_name").select("Far/far").run()
    assert "House would be sent 40 questions, 40 passages" in texts(app)
    app.button(key="launch_start").click().run()
    assert not jobs.listing(compared.project_id)[0].params["out_of_domain"]["to_services"]
    jobs.cancel(jobs.listing(compared.project_id)[0].id)
    app.checkbox(key="launch_foreign_send").check().run()
    app.button(key="launch_start").click().run()
    assert jobs.listing(compared.project_id)[0].params["out_of_domain"]["to_services"]
