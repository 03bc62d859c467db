"""The Corpus page: what a person can do there without a browser."""

from pathlib import Path

import pytest

from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers import bundled
from finetune_core.workspace import corpus, jobs, projects
from finetune_core.workspace.corpus import FileState
from tests.ui.conftest import OpenPage

pytestmark = pytest.mark.skipif(not bundled.is_bundled_installed(), reason="the bundled model is not installed")

TEXT = "# Rivers\n" + " ".join(f"Fact {n} about rivers is told here." for n in range(60))


@pytest.fixture
def project_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)
    made = projects.create("Rivers")
    (tmp_path / "rivers.md").write_text(TEXT)
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    for name in ("rivers.md", "broken.pdf"):
        corpus.ingest_path(made.id, tmp_path / name)
    run_queued_here()
    return made.id


def test_uploads_become_documents(open_page: OpenPage) -> None:
    made = projects.create("New")
    app = open_page("corpus", project=made.id)
    app.file_uploader[0].upload("ırmak.md", TEXT.encode("utf-16")).upload("bad.docx", b"PK\x03\x04").run()
    app.button(key="upload_add").click().run()
    assert not app.exception
    assert jobs.listing(made.id)[0].kind == "ingest"
    run_queued_here()
    assert corpus.outcome_counts(made.id) == {
        FileState.PARSED: 1,
        FileState.PARTIAL: 0,
        FileState.DUPLICATE: 0,
        FileState.REFUSED: 1,
    }
    app.run()
    assert "refused" in app.warning[0].value


def test_a_folder_outside_the_roots_is_refused(
    open_page: OpenPage, project_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AYAR_IMPORT_ROOTS", str(tmp_path))
    app = open_page("corpus", project=project_id)
    app.text_input(key="upload_folder").set_value("/etc").run()
    app.button(key="upload_import").click().run()
    assert "outside" in app.error[0].value.replace("\\", "")
    app.text_input(key="upload_folder").set_value(str(tmp_path / "rivers.md")).run()
    app.button(key="upload_import").click().run()
    assert not app.error
    assert jobs.listing(project_id)[0].is_live


def test_files_say_what_became_of_them(open_page: OpenPage, project_id: str) -> None:
    app = open_page("corpus", project=project_id)
    app.segmented_control(key="view").set_value("files").run()
    table = app.dataframe[0].value
    assert dict(zip(table["File"], table["State"], strict=True)) == {"rivers.md": "Read", "broken.pdf": "Refused"}
    assert "damaged" in " ".join(table["Why"])


def test_the_preview_follows_the_slider_and_stores_nothing(open_page: OpenPage, project_id: str) -> None:
    app = open_page("corpus", project=project_id)
    app.segmented_control(key="view").set_value("settings").run()
    before = corpus.chunk_counts(project_id)

    def shown() -> int:
        return int(
            next(element.value for element in app.markdown if "half of them" in element.value).split("**")[1].split()[0]
        )

    wide = shown()
    size = next(slider for slider in app.slider if "size" in slider.key)
    size.set_value(64).run()
    assert not app.exception
    assert shown() > wide
    assert corpus.chunk_counts(project_id) == before
    app.button(key="settings_apply").click().run()
    assert projects.get(project_id).chunk_tokens == 64
    run_queued_here()
    assert corpus.chunk_counts(project_id).num_chunks == shown()


def test_documents_can_be_left_out(open_page: OpenPage, project_id: str) -> None:
    app = open_page("corpus", project=project_id)
    app.session_state["documents_table_0__0"] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    app.run()
    app.button(key="documents_out").click().run()
    assert corpus.chunk_counts(project_id).num_included == 0
    assert app.dataframe[0].value["Use"].tolist() == ["Left out"]
