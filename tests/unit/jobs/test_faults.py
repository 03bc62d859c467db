"""Full disks, kills between two writes, and buttons pressed twice: nothing half-written looks whole, nothing is doubled."""

import errno
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, update

from finetune_core.corpus import parser_process
from finetune_core.corpus.isolation import ParserProcess
from finetune_core.corpus.parsed import Limits
from finetune_core.errors import JobError, StorageError
from finetune_core.jobs import child, queue
from finetune_core.jobs.executors import train
from finetune_core.jobs.run import JobRun
from finetune_core.jobs.worker import run_queued_here
from finetune_core.records import Passage
from finetune_core.storage import artefacts, database, datasets, documents, models, tables
from finetune_core.storage import pairs as pair_rows
from finetune_core.storage.models import ModelRow
from finetune_core.storage.pairs import NewPair, PairState
from finetune_core.training import checkpoints
from finetune_core.workspace import comparisons, corpus, generation, jobs, pairs, projects
from finetune_core.workspace import datasets as versions
from finetune_core.workspace.jobs import JobState, JobView
from tests.example_comparison import Example, compared, words_recipe  # noqa: F401  fixtures
from tests.generation_fixtures import corpus as lanterns
from tests.warm_python import WarmPython
from tests.word_counter import WordCounter

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)
    for module in ("finetune_core.jobs.executors.ingest", "finetune_core.workspace.corpus"):
        monkeypatch.setattr(f"{module}.TokenCounter.for_model", staticmethod(lambda name: WordCounter()))


def ended(job_id: str) -> JobView:
    run_queued_here()
    return jobs.get(job_id)


def disk_error(view: JobView) -> bool:
    return view.state is JobState.FAILED and "full" in view.error and "space" in view.hint and "bug" not in view.error


def killed(python: WarmPython, code: str) -> None:
    """Run all queued jobs in a process that `code` makes kill itself; its jobs are then free to be claimed again."""
    script = f"import os, signal\ndie = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n{code}\n"
    script += "from finetune_core.jobs.worker import run_queued_here\nrun_queued_here()"
    assert python.run(script).returncode == -signal.SIGKILL
    with database.writing() as connection:
        connection.execute(update(tables.job).values(lease_expires_at=0))


def no_room_for(extra_pages: int) -> Callable[[], None]:
    """Let SQLite say that the disk is full after so many more pages; the function that is returned makes room again."""
    with database.reading() as connection:
        limit = [int(connection.exec_driver_sql("PRAGMA page_count").scalar_one()) + extra_pages]
        engine = connection.engine
    event.listen(engine, "checkout", lambda dbapi, *_: dbapi.execute(f"PRAGMA max_page_count={limit[0]}"))

    def make_room() -> None:
        limit[0] = 1_000_000

    return make_room


def asked_project(num_documents: int = 12) -> str:
    found = projects.create("Own").id
    with database.writing() as connection:
        for number in range(num_documents):
            passages = [Passage(f"{number}-{place}", f"Text {number} {place}", f"d{number}") for place in range(3)]
            documents.insert_passages(connection, found, "", passages)
        new = [
            NewPair(f"{number}?{place}", f"Which {number} of {place} is it?", {f"{number}-{place}": 1}, f"d{number}",
                    "written", state=PairState.ACCEPTED)
            for number in range(num_documents) for place in range(2)
        ]  # fmt: skip
        pair_rows.insert(connection, found, new)
    return found


def questions_file(folder: Path) -> Path:
    content = {
        "queries": {str(number): f"What is {number}?" for number in range(20)},
        "corpus": {f"p{number}": f"Passage {number}" for number in range(20)},
        "relevant_docs": {str(number): [f"p{number}"] for number in range(20)},
    }
    path = folder / "questions.json"
    path.write_text(json.dumps(content))
    return path


KILL_IMPORT = {
    "before it is kept": "from finetune_core.jobs.run import JobRun\nJobRun.remember_in = die",
    "after it was kept": "from finetune_core.jobs.executors import import_pairs\nfrom finetune_core.jobs.run import JobRun\n"
    "progress = JobRun.progress\nJobRun.progress = lambda run, at, *told: die() if at == 1.0 else progress(run, at, *told)",
}


@pytest.mark.parametrize("moment", KILL_IMPORT)
def test_a_killed_import_is_whole_or_absent_and_tells_what_it_brought(
    moment: str, warm_ayar: WarmPython, tmp_path: Path
) -> None:
    project_id = projects.create("Import").id
    uploads = database.home() / "uploads"
    uploads.mkdir()
    job_id = pairs.submit_import(project_id, questions_file(uploads), "llamaindex", "train")
    killed(warm_ayar, KILL_IMPORT[moment])
    done = ended(job_id)
    assert (done.state, done.attempt) == (JobState.DONE, 2), done.error
    assert (done.result["num_pairs"], done.result["num_known"]) == (20, 0)
    with database.reading() as connection:
        assert len(list(connection.execute(select(tables.pair.c.id)))) == 20
    assert not list(uploads.iterdir())


KILL_FREEZE = {
    "while it is written": "from finetune_core.storage import artefacts\nartefacts._write_manifest = die",
    "before it is listed": "from finetune_core.storage import datasets\ndatasets.add = die",
}


@pytest.mark.parametrize("moment", KILL_FREEZE)
def test_a_killed_freeze_ends_as_one_whole_version(moment: str, warm_ayar: WarmPython) -> None:
    project_id = asked_project()
    job_id = versions.freeze(project_id, "v1", measure_base=False)
    killed(warm_ayar, KILL_FREEZE[moment])
    assert versions.listing(project_id) == []
    done = ended(job_id)
    assert (done.state, done.attempt) == (JobState.DONE, 2), done.error
    view = versions.get(project_id, "v1")
    artefacts.verify(datasets.folder(project_id, view.id))
    assert sum(view.num_examples.values()) == 24
    assert [path.name for path in datasets.folder(project_id, view.id).parent.iterdir()] == [view.id]


def test_a_full_database_fails_an_ingest_that_then_goes_on(tmp_path: Path) -> None:
    project_id = projects.create("Full").id
    (tmp_path / "long.md").write_text(" ".join(f"Fact {number} is told here." for number in range(4_000)))
    job_id = corpus.ingest_path(project_id, tmp_path / "long.md")
    make_room = no_room_for(6)
    assert disk_error(ended(job_id))
    assert corpus.list_documents(project_id).total == 0
    assert corpus.outcomes(project_id).total == 0, "a full disk is no fault of the file"
    make_room()
    jobs.resume(job_id)
    assert ended(job_id).state is JobState.DONE
    assert corpus.list_documents(project_id).total == 1


def test_a_full_database_in_generation_loses_and_doubles_nothing() -> None:
    project_id = lanterns(num_documents=10, num_parts=6)
    params = generation.params_from({"generator": "extractive", "questions_per_chunk": 1, "filters": []})
    job_id = generation.start(project_id, params)
    make_room = no_room_for(4)
    assert disk_error(ended(job_id))
    make_room()
    with database.reading() as connection:
        before = {row.id for row in connection.execute(select(tables.pair.c.id))}
    assert 0 < len(before) < 60
    jobs.resume(job_id)
    assert ended(job_id).state is JobState.DONE
    with database.reading() as connection:
        ids = [row.id for row in connection.execute(select(tables.pair.c.id))]
    assert before < set(ids)
    assert len(ids) == len(set(ids))


def test_a_full_disk_in_a_comparison_leaves_none(compared: Example, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    from pyarrow import parquet

    real, written = parquet.write_table, []

    def full_at_the_last(table: Any, path: Path, **options: Any) -> None:
        written.append(path)
        if len(written) == 5:  # in the folder that is to be published
            Path(path).write_bytes(b"PAR1")
            raise FULL
        real(table, path, **options)

    monkeypatch.setattr(parquet, "write_table", full_at_the_last)
    launched = comparisons.launch(compared.project_id, compared.dataset_id, [compared.good])
    view = ended(launched.job_id)
    assert disk_error(view), view.error
    assert not list((database.home() / "projects" / compared.project_id / "comparisons").iterdir())
    jobs.resume(view.id)
    assert ended(view.id).state is JobState.DONE


def test_a_full_disk_in_a_checkpoint_and_in_an_artefact_leaves_nothing(tmp_path: Path) -> None:
    from safetensors import SafetensorError

    for error in (FULL, SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")):

        def write(part: Path, error: Exception = error) -> None:
            (part / "model.safetensors").write_bytes(b"half")
            raise error

        with pytest.raises(StorageError, match="No space left"):
            checkpoints.write_whole(tmp_path / "checkpoint-3", write)
        with pytest.raises(type(error)), artefacts.publish(tmp_path / "model", {}) as part:
            write(part, error)
        held = queue.Claim("j", "p", "train", {}, 1)
        said = child._failed(held, error)[1]
        assert "disk is full" in said["error"]
        assert "Free some space" in said["hint"]
    assert {path.name for path in tmp_path.iterdir()} <= {"home", "site"}


def test_a_full_temporary_folder_is_no_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("Some text that is fine.")
    monkeypatch.setattr(parser_process.resource, "setrlimit", lambda *_: None)
    asked = {"path": str(tmp_path / "a.txt"), "name": "a.txt", "limits": asdict(Limits()), "result": "/dev/full"}
    assert parser_process._answer(asked, lambda: None) == "full"
    says_full = (sys.executable, "-c", "print('full', flush=True); input(); input()")
    with ParserProcess(command=says_full) as parser, pytest.raises(StorageError, match="The disk is full") as caught:
        parser.parse(tmp_path / "a.txt", "a.txt")
    assert "Free some space" in caught.value.hint


def test_a_full_disk_under_the_log_does_not_fail_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = asked_project()
    job_id = versions.freeze(project_id, "v1", measure_base=False)
    said: list[str] = []

    class FullLog:
        def write(self, text: str) -> None:
            said.append(text)
            raise FULL

        def flush(self) -> None:
            raise FULL

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", FullLog())
        say = JobRun.progress
        patch.setattr(JobRun, "progress", lambda run, *told: (run.say("a line"), say(run, *told)))
        run_queued_here()
    assert said
    assert jobs.get(job_id).state is JobState.DONE


def test_a_resumed_job_is_the_one_that_a_second_press_finds() -> None:
    project_id = asked_project()
    first = versions.freeze(project_id, "v1", measure_base=False)
    jobs.request_stop(first)
    again = versions.freeze(project_id, "v1", measure_base=False)
    assert again != first
    with pytest.raises(JobError, match="does the same"):
        jobs.resume(first)
    assert ended(again).state is JobState.DONE
    jobs.resume(first)
    assert versions.freeze(project_id, "v1", measure_base=False) == first
    assert ended(first).result["is_new"] is False


def model_of(run: JobRun, model_id: str, last_step: int, dataset_id: str) -> ModelRow:
    folder = models.folder(run.project_id, model_id)
    with artefacts.publish(folder, {"facts": {"last_step": last_step}}) as part:
        (part / "weights.json").write_text("[1]")
    row = ModelRow(
        model_id, run.project_id, run.job_id, "words", dataset_id, "tuned", artefacts.read_manifest(folder), 3
    )
    run.remember(published=[*run.recall("published", []), model_id])
    with run.writing() as connection:
        models.add(connection, row)
    return row


def test_a_run_that_goes_on_has_one_model_and_an_older_one_stays_only_while_it_is_used(compared: Example) -> None:  # noqa: F811
    params = {"dataset_id": compared.dataset_id, "recipe": "words", "config": {}}
    job_id = jobs.submit(compared.project_id, "train", params, start=False)
    with database.writing() as connection:
        held = queue.claim(connection, "test", heavy_slots=9)
    assert held is not None
    run = JobRun(held)
    stopped = model_of(run, "at-3", 3, compared.dataset_id)
    using = jobs.submit(
        compared.project_id, "compare", {"dataset_id": compared.dataset_id, "model_ids": ["at-3"]}, start=False
    )
    later = model_of(run, "at-9", 9, compared.dataset_id)
    with run.writing() as connection:
        assert models.supersede(connection, later) == []
    train._drop_superseded(run)
    with database.reading() as connection:
        kept = models.find(connection, stopped.id)
        assert kept is not None
        assert kept.name == "tuned (stopped at step 3)"
        newest = models.of_job(connection, job_id)
        assert newest is not None
        assert newest.id == "at-9"
    jobs.cancel(using)
    with run.writing() as connection:
        assert models.supersede(connection, later) == ["at-3"]
    train._drop_superseded(run)
    assert not models.folder(compared.project_id, "at-3").exists()
    artefacts.verify(models.folder(compared.project_id, "at-9"))
    train._drop_superseded(run)  # as a restart would
    assert models.folder(compared.project_id, "at-9").exists()


@pytest.mark.parametrize("what", ["compare", "generate", "train", "ingest"])
def test_pressed_twice_is_one_job(
    what: str,
    compared: Example,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from finetune_core.workspace import runs

    monkeypatch.setattr(runs, "_check_disk", lambda *_: None)
    (tmp_path / "a.md").write_text("Some text.")
    project_id = lanterns() if what == "generate" else compared.project_id
    press: dict[str, Callable[[], str]] = {
        "compare": lambda: comparisons.launch(project_id, compared.dataset_id, [compared.good]).job_id,
        "generate": lambda: generation.start(project_id, generation.params_from({"generator": "extractive"})),
        "train": lambda: runs.launch(project_id, compared.dataset_id, "words", {}),
        "ingest": lambda: corpus.ingest_path(project_id, tmp_path / "a.md"),
    }
    assert press[what]() == press[what]()
    assert len(jobs.listing(project_id)) == 1
