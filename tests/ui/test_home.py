"""Home: from nothing to a loaded demo, the next step, and the guide."""

from sqlalchemy import insert

from components.guide import _language_model_tasks, _retrieval_tasks
from finetune_core import recipes
from finetune_core.jobs.worker import run_queued_here
from finetune_core.storage import database, tables
from finetune_core.workspace import projects
from tests import filled_project
from tests.ui.conftest import OpenPage


def _texts(app) -> str:
    return "\n".join(element.value for element in [*app.main.markdown, *app.main.header])


def test_one_click_makes_a_project_with_the_demo_and_the_next_step_follows(open_page: OpenPage) -> None:
    app = open_page("home")
    app.button(key="demo_load").click().run()
    assert [project.name for project in projects.listing()] == ["Demo"]
    assert "Load the demo" in _texts(app)  # the job's card
    assert not [button for button in app.main.button if button.key == "next_go"], "nothing to do while it loads"
    run_queued_here()
    app.run()
    assert "Let Ayar write questions" in _texts(app)
    assert app.button(key="next_go").label == "Write questions"
    assert not [button for button in app.main.button if button.key == "demo_load"], "it is loaded"


def test_an_empty_project_is_offered_the_demo_without_being_renamed(open_page: OpenPage) -> None:
    project = projects.create("Mine")
    app = open_page("home", project=project.id)
    assert "Bring your documents" in _texts(app)
    app.button(key="demo_load").click().run()
    run_queued_here()
    assert [one.name for one in projects.listing()] == ["Mine"]
    assert projects.size(project.id).num_pairs >= 120


def test_the_guide_has_ten_tasks_and_knows_which_are_in_this_version(open_page: OpenPage) -> None:
    tasks = [*_retrieval_tasks(), *_language_model_tasks()]
    assert len({task.recipe for task in tasks}) == len(tasks) == 10
    assert set(recipes.discover()) <= {task.recipe for task in tasks}, "a recipe is missing from the guide"
    shown = _texts(open_page("home"))
    assert shown.count("Ready to use") == len(recipes.discover())
    assert all(task.title in shown for task in tasks)


def test_a_symptom_narrows_the_guide_down(open_page: OpenPage) -> None:
    app = open_page("home")
    pills = next(group for group in app.main.button_group if group.key == "guide_symptom")
    pills.select("It is found, but too far down").run()
    assert "**:material/swap_vert: Reranker**" in _texts(app)
    assert "Embedding model" not in _texts(app)


def test_the_newest_verdict_is_shown_as_text_and_the_playground_comes_next(open_page: OpenPage) -> None:
    project_id = filled_project.fill()
    with database.writing() as connection:
        row = {"id": "c1", "project_id": project_id, "job_id": filled_project.RUN_ID, "recipe": "embedding"}
        result = {"verdict": {"outcome": "better", "sentence": f"Better. {filled_project.HOSTILE}"}}
        values = {**row, "dataset_id": filled_project.DATASET_ID, "result": result, "created_at": 1.0}
        connection.execute(insert(tables.comparison).values(values))
    shown = _texts(open_page("home", project=project_id))
    assert "Newest verdict" in shown
    assert "Better" in shown
    assert filled_project.HOSTILE not in shown
    assert "Try both side by side" in shown
