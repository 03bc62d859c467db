"""The main job as a person does it: documents in, questions, review, training, verdict, playground, model out.

Everything is real: the server, its worker, the bundled model and the browser. Only the settings are tiny.
"""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import screenshot, settle, until
from tests.dashboard_server import dashboard
from tests.handbook import write_handbook

OpenTab = Callable[..., Page]
SLOW_MS = 180_000
"""For what a job has to do: the worker starts, imports its libraries, and works on a machine that may be busy."""


def test_from_documents_to_a_proven_model(tmp_path: Path, open_tab: OpenTab) -> None:
    with dashboard(tmp_path / "home") as server:
        page = open_tab(server.url)
        create_a_project(page)
        add_documents(page, [*write_handbook(tmp_path / "handbook"), broken_pdf(tmp_path)])
        write_questions(page)
        review(page)
        freeze(page)
        page = train_and_come_back(page, open_tab)
        read_the_verdict(page)
        ask_both(page)
        take_the_model_away(page, tmp_path / "model")
        page.close()  # before its server goes


def go_to(page: Page, name: str) -> None:
    """By the menu, as a person goes."""
    page.get_by_test_id("stSidebar").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    settle(page)


def badge(page: Page, text: str) -> Locator:
    """The coloured mark on a card, which holds the name of an icon too."""
    return page.locator(".stMarkdownBadge", has_text=text).first


def broken_pdf(folder: Path) -> Path:
    path = folder / "broken.pdf"
    path.write_bytes(b"%PDF-1.7 and then nothing of the kind")
    return path


def create_a_project(page: Page) -> None:
    expect(page.get_by_text("Welcome to Ayar")).to_be_visible()
    page.get_by_role("button", name="Create a project").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Town handbook")
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("heading", name="Town handbook")).to_be_visible()
    screenshot(page, "main-01-home")


def add_documents(page: Page, files: list[Path]) -> None:
    page.get_by_role("button", name="Add documents").click()
    expect(page.get_by_role("heading", name="Corpus")).to_be_visible()
    screenshot(page, "main-02-corpus-empty")
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(files)
    page.get_by_role("button", name="Add to the corpus").click()
    expect(page.get_by_text("11 files read, 1 refused.")).to_be_visible(timeout=SLOW_MS)
    settle(page)
    screenshot(page, "main-03-corpus-read")


def write_questions(page: Page) -> None:
    page.get_by_role("link", name="Write questions about them").click()
    expect(page.get_by_role("heading", name="Questions", exact=True)).to_be_visible()
    screenshot(page, "main-04-questions")
    page.get_by_label("Questions per chunk").fill("3")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Write 33 questions").click()
    expect(badge(page, "Done")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text(re.compile(r"\d+ wait for review"))).to_be_visible()
    settle(page)
    screenshot(page, "main-05-written")


def review(page: Page) -> None:
    page.get_by_role("link", name="Review them").click()
    box = page.locator("textarea[data-field=question]")
    box.wait_for(timeout=SLOW_MS)
    screenshot(page, "main-06-review")
    num = int(re.search(r"of (\d+) reviewed", page.locator(".progress").inner_text()).group(1))
    page.keyboard.press("x")
    expect(page.get_by_text(f"1 of {num} reviewed")).to_be_visible()
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("Who may borrow a rowing boat?")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text(f"2 of {num} reviewed")).to_be_visible()
    page.keyboard.press("Escape")
    for done in range(3, num + 1):
        page.keyboard.press("a")
        expect(page.get_by_text(f"{done} of {num} reviewed")).to_be_visible()
    screenshot(page, "main-07-reviewed")


def freeze(page: Page) -> None:
    page.get_by_role("link", name="Freeze them and train").click()
    expect(page.get_by_role("heading", name="Train", exact=True)).to_be_visible()
    screenshot(page, "main-08-train-empty")
    page.get_by_role("button", name="Freeze", exact=True).click()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text("Before you start")).to_be_visible(timeout=SLOW_MS)
    settle(page)
    screenshot(page, "main-09-train")


def train_and_come_back(page: Page, open_tab: OpenTab) -> Page:
    """Start a training, watch its curve begin, reload, close the tab; the run has gone on and ends in a new one."""
    for label, value in (("Epochs", "1"), ("Batch size", "2"), ("Longest text (tokens)", "64")):
        page.get_by_label(label, exact=True).fill(value)
        page.keyboard.press("Tab")
        settle(page)
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("link", name="Watch it on Runs").click()
    expect(badge(page, "Running")).to_be_visible(timeout=SLOW_MS)
    until(page, "document.querySelectorAll('.ayar-plot .scatterlayer .trace').length > 0", 60)
    screenshot(page, "main-10-running")
    page.reload()
    settle(page)
    address = page.url
    page.close()
    page = open_tab(address)
    expect(page.get_by_role("link", name="Compare with the base")).to_be_visible(timeout=SLOW_MS)
    until(page, "document.querySelectorAll('.ayar-plot .scatterlayer .trace').length >= 4")
    screenshot(page, "main-11-run")
    return page


def read_the_verdict(page: Page) -> None:
    page.get_by_role("link", name="Compare with the base").click()
    page.get_by_role("combobox", name="Also on questions the models were not tuned for").click()
    page.get_by_role("option", name="None").click()
    settle(page)
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_text("Verdict on nDCG@10")).to_be_visible(timeout=SLOW_MS)
    settle(page)
    screenshot(page, "main-12-verdict")


def ask_both(page: Page) -> None:
    go_to(page, "Playground")
    screenshot(page, "main-13-playground")
    page.get_by_label("Question", exact=True).fill("When is the well left alone?")
    page.keyboard.press("Enter")
    expect(page.get_by_text("passages searched")).to_have_count(2, timeout=SLOW_MS)
    settle(page)
    screenshot(page, "main-14-answers")


def take_the_model_away(page: Page, folder: Path) -> None:
    """The zip from the page, loaded with sentence-transformers alone, gives vectors of the right form."""
    from sentence_transformers import SentenceTransformer

    go_to(page, "Models")
    screenshot(page, "main-15-models")
    page.get_by_role("tab", name="Use it").click()
    page.get_by_role("button", name="Make a zip").click()
    link = page.get_by_role("link", name="Download the zip")
    link.wait_for(timeout=SLOW_MS)
    screenshot(page, "main-16-use")
    with page.expect_download() as download:
        link.click()
    zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())).extractall(folder)
    (model,) = folder.iterdir()
    loaded = SentenceTransformer(str(model), device="cpu")
    vectors = loaded.encode(["When is the well left alone?", "The pump is locked on Mondays."])
    assert vectors.shape == (2, 384)
    assert np.isfinite(vectors).all()
