"""Tuned models: listed, found, exported as checked copies, and never deleted while in use."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from finetune_core.errors import ArtefactError, FinetuneError
from finetune_core.jobs.worker import run_queued_here
from finetune_core.records import file_sha256
from finetune_core.storage import artefacts, database
from finetune_core.storage import models as model_rows
from finetune_core.storage.tables import job, model
from finetune_core.workspace import jobs, model_card, models, projects
from tests.tuned_model import add_tuned_model


@pytest.fixture
def project_id() -> str:
    return projects.create("p").id


def _export(model_id: str, to: str = "") -> jobs.JobView:
    params = {"model_id": model_id, "to": to, "card": model_card.markdown(model_id)}
    job_id = jobs.submit(models.get(model_id).project_id, "export", params, start=False)
    run_queued_here()
    return jobs.get(job_id)


def test_models_are_found_by_id_name_and_run(project_id: str) -> None:
    add_tuned_model(project_id)
    assert [model.id for model in models.listing(project_id)] == ["m1"]
    assert {models.by_name(project_id, name).id for name in ("m1", "Tuned no. 1", "run-m1")} == {"m1"}
    assert models.listing(projects.create("q").id) == []
    with pytest.raises(ArtefactError, match=r"'m2'.*Tuned no. 1 \(m1\)"):
        models.by_name(project_id, "m2")
    with pytest.raises(ArtefactError, match="no model 'm2'"):
        models.get("m2")


def test_a_model_that_another_one_stands_on_is_not_deleted(project_id: str) -> None:
    for model_id, name in (("m1", "The base"), ("m2", "The adapter")):
        add_tuned_model(project_id, model_id, name)
    with database.writing() as connection:
        row = model_rows.find(connection, "m2")
        assert row is not None
        config = row.manifest["config"] | {"base_model": "model:m1"}
        connection.execute(update(model).where(model.c.id == "m2").values(manifest={**row.manifest, "config": config}))
    with pytest.raises(ArtefactError, match="'The base' cannot be deleted: 'The adapter' cannot work without it"):
        models.delete("m1")
    assert models.folder("m1").is_dir()
    models.delete("m2")
    models.delete("m1")
    assert models.listing(project_id) == []


def test_adding_a_model_twice_keeps_the_first(project_id: str) -> None:
    add_tuned_model(project_id)
    with database.writing() as connection:
        row = model_rows.find(connection, "m1")
        assert row is not None
        model_rows.add(connection, model_rows.ModelRow(**{**row.__dict__, "name": "other"}))
        assert model_rows.of_job(connection, "run-m1") == row
        assert model_rows.of_job(connection, "run-m2") is None


@pytest.mark.parametrize(
    ("state", "params", "refused"),
    [
        ("queued", {"model_id": "m1"}, True),
        ("running", {"runs": ["run-m1"]}, True),
        ("running", {"deep": [{"er": {"model": "m1"}}]}, True),
        ("done", {"model_id": "m1"}, False),
        ("running", {"model_id": "m11", "text": "about m1"}, False),
    ],
)
def test_a_model_that_a_live_job_needs_is_not_deleted(project_id: str, state: str, params: dict, refused: bool) -> None:
    folder = add_tuned_model(project_id)
    values = {
        "id": "j",
        "project_id": project_id,
        "kind": "compare",
        "title": "Compare v1",
        "heavy": True,
        "created_at": 1,
    }
    with database.writing() as connection:
        connection.execute(insert(job).values(**values, state=state, params=params))
    if refused:
        with pytest.raises(ArtefactError, match="in use by: Compare v1"):
            models.delete("m1")
        assert artefacts.verify(folder)
        assert models.listing(project_id)
    else:
        models.delete("m1")
        assert not folder.exists()
        assert models.listing(project_id) == []


def test_an_exported_folder_is_whole_and_says_what_it_is(project_id: str, tmp_path: Path) -> None:
    source = add_tuned_model(project_id)
    target = tmp_path / "out" / "model"
    done = _export("m1", str(target))
    assert (done.state, done.error) == ("done", "")
    manifest = artefacts.verify(target)
    assert (manifest["model_id"], manifest["base_model"]) == ("m1", "bundled/all-MiniLM-L6-v2")
    assert file_sha256(target / "model.safetensors") == file_sha256(source / "model.safetensors")
    assert not (target / "ayar.json").exists()
    assert (target / "README.md").read_text().startswith("---\nlibrary_name: sentence-transformers\n")
    assert _export("m1", str(target)).state == "done", "the same export again changes nothing"


def test_an_export_never_touches_a_folder_with_something_in_it(project_id: str, tmp_path: Path) -> None:
    add_tuned_model(project_id)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep")
    with pytest.raises(ArtefactError, match="not empty"):
        models.export("m1", str(tmp_path / "mine"))
    failed = _export("m1", str(tmp_path / "mine"))
    assert failed.state == "failed"
    assert "not empty" in failed.error
    assert (tmp_path / "mine" / "letter.txt").read_text() == "keep"
    with pytest.raises(FinetuneError, match="not an absolute path"):
        models.export("m1", "relative/folder")


def test_a_zip_holds_the_export_and_goes_with_the_model(project_id: str) -> None:
    source = add_tuned_model(project_id)
    assert models.exported_zip("m1") is None
    done = _export("m1")
    path = models.exported_zip("m1")
    assert path is not None
    assert done.result == {
        "path": str(path),
        "size_bytes": path.stat().st_size,
        "sha256": file_sha256(path),
    }
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        manifest = json.loads(archive.read("Tuned-no.-1/manifest.json"))
        assert set(archive.namelist()) == {f"Tuned-no.-1/{name}" for name in (*manifest["files"], "manifest.json")}
        assert archive.read("Tuned-no.-1/model.safetensors") == (source / "model.safetensors").read_bytes()
    assert not list(path.parent.glob("*.part"))
    models.delete("m1")
    assert not path.exists()


def test_damaged_files_are_never_exported(project_id: str, tmp_path: Path) -> None:
    source = add_tuned_model(project_id)
    (source / "tokenizer.json").write_text("{}")
    failed = _export("m1", str(tmp_path / "out"))
    assert failed.state == "failed"
    assert "tokenizer.json was altered" in failed.error
    assert not (tmp_path / "out").exists()
    shutil.rmtree(source)
    assert "no readable manifest.json" in _export("m1").error


def test_a_card_states_facts_and_shows_names_as_they_are(project_id: str) -> None:
    add_tuned_model(project_id, name="![x](http://evil) <b>bold</b>")
    text = model_card.markdown("m1")
    assert r"\!\[x\](http://evil) \<b\>bold\</b\>" in text
    assert "nothing can be said" in text
    assert '| Put before a question | "Question: " |' in text
    assert "| max_tokens | 48 |" in text
    assert 'prompt="Text: "' in text.replace("'", '"')
