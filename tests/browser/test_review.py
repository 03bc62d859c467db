"""Reviewing by keyboard in a real browser: the right pair, nothing lost, nothing run."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from finetune_core.workspace import labelled, pairs, projects
from finetune_core.workspace.labelled import QueryFilter
from finetune_core.workspace.pairs import PairFilter, PairState
from tests.browser.conftest import accessibility_problems, eventually, screenshot
from tests.dashboard_server import Dashboard

OpenTab = Callable[..., Page]


@pytest.fixture
def reviewed(server: Dashboard, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The address of Review over 40 pairs, all pending, and the project's id."""
    monkeypatch.setenv("AYAR_HOME", str(server.home))
    project_id = projects.by_name("Handbook").id
    pairs.decide_all(project_id, PairFilter(), PairState.PENDING)
    return f"{server.url}/review?project={project_id}", project_id


def question(page: Page) -> str:
    return page.locator("textarea[data-field=question]").input_value()


def open_review(open_tab: OpenTab, url: str, **options: object) -> Page:
    page = open_tab(url, **options)
    page.wait_for_selector("textarea[data-field=question]", timeout=120_000)
    return page


def num_decided(project_id: str) -> int:
    return sum(one.state is not PairState.PENDING for one in pairs.page(project_id, PairFilter(), 0, 100)[0])


def test_ten_fast_presses_decide_the_pairs_that_were_shown(reviewed: tuple[str, str], open_tab: OpenTab) -> None:
    url, project_id = reviewed
    page = open_review(open_tab, url)
    shown = []
    for number in range(10):
        shown.append((question(page).split("?")[0], "accepted" if number % 3 else "rejected"))
        page.keyboard.press("a" if number % 3 else "x")
    eventually(page, lambda: num_decided(project_id) == 10)
    found = {one.question.split("?")[0]: one.state.value for one in pairs.page(project_id, PairFilter(), 0, 100)[0]}
    assert [(text, found[text]) for text, _ in shown] == shown
    page.keyboard.press("u")
    eventually(page, lambda: question(page).startswith(shown[-1][0]))
    eventually(page, lambda: num_decided(project_id) == 9)
    screenshot(page, "review-light-1366")


def test_presses_that_are_lost_on_their_way_are_said_again(reviewed: tuple[str, str], open_tab: OpenTab) -> None:
    url, project_id = reviewed
    page = open_review(open_tab, url)
    page.evaluate("() => { window.kept = WebSocket.prototype.send; WebSocket.prototype.send = () => {}; }")
    shown = []
    for _ in range(3):
        shown.append(question(page))
        page.keyboard.press("a")
    page.wait_for_timeout(500)
    assert num_decided(project_id) == 0
    page.evaluate("() => { WebSocket.prototype.send = window.kept; }")
    eventually(page, lambda: num_decided(project_id) == 3, timeout_s=30)
    decided = [one.question for one in pairs.page(project_id, PairFilter(state=PairState.ACCEPTED), 0, 100)[0]]
    assert sorted(decided) == sorted(shown)


def test_typed_text_survives_a_reload_and_is_saved_with_the_decision(
    reviewed: tuple[str, str], open_tab: OpenTab
) -> None:
    url, project_id = reviewed
    page = open_review(open_tab, url)
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("Any axe, really?")  # holds the letters of every key
    page.reload()
    page.wait_for_selector("textarea[data-field=question]", timeout=120_000)
    assert question(page) == "Any axe, really?"
    page.locator("textarea[data-field=question]").focus()
    page.keyboard.press("Control+Enter")
    eventually(page, lambda: num_decided(project_id) == 1)
    first = pairs.page(project_id, PairFilter(), 0, 1)[0][0]
    assert (first.question, first.state) == ("Any axe, really?", PairState.ACCEPTED)


def test_a_pair_written_by_hand_survives_a_reload_half_typed(reviewed: tuple[str, str], open_tab: OpenTab) -> None:
    page = open_review(open_tab, reviewed[0])
    page.get_by_text("Add by hand").click()
    page.get_by_label("Find a passage").fill("paragraph on topic 2")
    page.get_by_label("Find a passage").press("Enter")
    page.get_by_label("Question").fill("What is topic two")
    page.get_by_label("Short answer (optional)").fill("A paragraph")
    page.get_by_label("Short answer (optional)").blur()
    eventually(page, lambda: "add_answer" in page.url and "add_question" in page.url)
    page.reload()
    expect(page.get_by_label("Question")).to_have_value("What is topic two")
    expect(page.get_by_label("Short answer (optional)")).to_have_value("A paragraph")
    expect(page.get_by_label("Find a passage")).to_have_value("paragraph on topic 2")
    screenshot(page, "review-add-light-1366")


def test_a_second_tab_is_told_and_keeps_its_words(reviewed: tuple[str, str], open_tab: OpenTab) -> None:
    url, project_id = reviewed
    page = open_review(open_tab, url)
    page.locator("textarea[data-field=answer]").fill("My words")
    first = pairs.page(project_id, PairFilter(), 0, 1)[0][0]
    pairs.decide(project_id, first.id, first.version, PairState.REJECTED, answer="Their words")
    page.locator("[data-action=accept]").click()
    expect(page.locator(".note")).to_contain_text("changed since you saw it", timeout=120_000)
    assert page.locator("textarea[data-field=answer]").input_value() == "My words"
    now = pairs.get(project_id, first.id).pair
    assert (now.state, now.answer) == (PairState.REJECTED, "Their words")
    page.locator("[data-action=accept]").click()
    eventually(page, lambda: pairs.get(project_id, first.id).pair.state is PairState.ACCEPTED)
    now = pairs.get(project_id, first.id).pair
    assert (now.state, now.answer) == (PairState.ACCEPTED, "My words")


@pytest.mark.parametrize(("width", "dark"), [(1366, True), (390, False)])
def test_it_reads_well_and_runs_nothing(width: int, dark: bool, reviewed: tuple[str, str], open_tab: OpenTab) -> None:
    page = open_review(open_tab, reviewed[0], width=width, dark=dark)
    screenshot(page, f"review-{'dark' if dark else 'light'}-{width}")
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("mark").first.inner_text() == "A paragraph on topic"
    # The chosen segment's contrast in dark is Streamlit's own.
    assert not [one for one in accessibility_problems(page) if "<p>One by one</p>" not in one]


def test_queries_are_relabelled_refused_and_taken_back_by_keyboard(
    server: Dashboard, monkeypatch: pytest.MonkeyPatch, open_tab: OpenTab
) -> None:
    monkeypatch.setenv("AYAR_HOME", str(server.home))
    project_id = projects.create("Desk").id
    for name in ("Billing", "Travel"):
        labelled.save_choice(project_id, name, f"Everything about {name}")
    labelled.add(project_id, ["When is it due?", "Which train?", "Who pays?"], "Billing")
    labelled.decide_all(project_id, QueryFilter(), PairState.PENDING)

    def seen() -> list[tuple[str, str]]:
        return [(one.label, one.state.value) for one in labelled.page(project_id, QueryFilter(), 0)[0]]

    page = open_tab(f"{server.url}/review?project={project_id}")
    page.wait_for_selector("textarea[data-field=query]", timeout=120_000)
    for key in ("a", "2", "a", "x"):
        page.keyboard.press(key)
    eventually(page, lambda: seen() == [("Billing", "accepted"), ("Travel", "accepted"), ("Billing", "rejected")])
    screenshot(page, "review-queries-light-1366")
    for left in (2, 1):
        page.keyboard.press("u")
        eventually(page, lambda left=left: sum(state != "pending" for _, state in seen()) == left)
        page.wait_for_selector("textarea[data-field=query]", timeout=120_000)
    assert seen() == [("Billing", "accepted"), ("Billing", "pending"), ("Billing", "pending")]
    assert page.locator("textarea[data-field=query]").input_value() == "Which train?"
    page.keyboard.press("l")
    assert page.locator("select[data-field=label]").evaluate("box => box.getRootNode().activeElement === box")
    assert not [one for one in accessibility_problems(page) if "<p>One by one</p>" not in one]
