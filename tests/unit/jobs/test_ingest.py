"""The ingest and chunk jobs: every file gets a state, a restart loses and doubles nothing, pairs follow their quotes."""

import io
import time
from pathlib import Path

import pytest
from sqlalchemy import update

from finetune_core.corpus.chunking import Chunker
from finetune_core.corpus.sections import markdown_sections
from finetune_core.errors import CorpusError
from finetune_core.jobs import supervisor
from finetune_core.jobs.executors import ingest
from finetune_core.jobs.worker import run_queued_here
from finetune_core.storage import database, documents, pairs
from finetune_core.storage.pairs import NewPair
from finetune_core.storage.rechunking import num_dangling_pairs
from finetune_core.storage.tables import job as job_table
from finetune_core.workspace import corpus, installation, jobs, projects
from finetune_core.workspace.corpus import ChunkFilter, ChunkView, FileState, Upload
from finetune_core.workspace.jobs import JobState
from tests.warm_python import WarmPython
from tests.word_counter import WordCounter

TOPICS = ("harbours", "rivers", "forests", "deserts", "glaciers", "islands")


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "ensure_worker", lambda: None)
    for module in ("finetune_core.jobs.executors.ingest", "finetune_core.workspace.corpus"):
        monkeypatch.setattr(f"{module}.TokenCounter.for_model", staticmethod(lambda name: WordCounter()))


@pytest.fixture
def project() -> projects.Project:
    return projects.create("Test")


def essay(topic: str, num_sentences: int = 30) -> str:
    return " ".join(f"Fact {n} about {topic} is told here." for n in range(num_sentences))


def upload(name: str, data: bytes) -> Upload:
    return Upload(installation.receive(name, io.BytesIO(data)), name)


def finished(job_id: str) -> jobs.JobView:
    run_queued_here()
    view = jobs.get(job_id)
    assert view.state is JobState.DONE, (view.error, jobs.log_tail(job_id))
    return view


def states(project_id: str) -> dict[str, FileState]:
    return {file.name: file.state for file in corpus.outcomes(project_id).items}


def test_one_bad_file_never_stops_the_others(project: projects.Project) -> None:
    same = essay("harbours")
    job = corpus.ingest_uploads(
        project.id,
        [
            upload("good.md", f"# Harbours\n{same}".encode()),
            upload("bad.pdf", b"%PDF-1.7 broken"),
            upload("partly.jsonl", f'{{"text": "{essay("rivers")}"}}\n{{broken\n'.encode()),
            upload("again.md", f"# Harbours\r\n{same}\r\n".encode("utf-16")),
            upload("good.md", essay("forests").encode()),
        ],
    )
    result = finished(job).result
    assert states(project.id) == {
        "good.md": FileState.PARSED,
        "bad.pdf": FileState.REFUSED,
        "partly.jsonl": FileState.PARTIAL,
        "again.md": FileState.DUPLICATE,
        "good (2).md": FileState.PARSED,
    }
    counts = {key: result[key] for key in ("num_files", "num_parsed", "num_partial", "num_duplicate", "num_refused")}
    assert counts == {"num_files": 5, "num_parsed": 2, "num_partial": 1, "num_duplicate": 1, "num_refused": 1}
    reasons = {file.name: file.reason for file in corpus.outcomes(project.id).items}
    assert "damaged" in reasons["bad.pdf"]
    assert reasons["again.md"] == "Its text is that of good.md."
    assert corpus.list_documents(project.id).total == 3
    assert result["num_chunks_included"] == corpus.chunk_counts(project.id).num_included > 0


def test_originals_are_kept_inside_the_project_and_nowhere_else(project: projects.Project, home: Path) -> None:
    names = [
        "../../escape.md",
        "..\\..\\windows.txt",
        "/etc/passwd",
        "a\nb\x00.md",
        "." * 300 + ".txt",
        "ş" * 300 + ".md",
    ]
    uploads = [upload(name, essay(topic).encode()) for name, topic in zip(names, TOPICS, strict=True)]
    job = corpus.ingest_uploads(project.id, [Upload(one.id, name) for one, name in zip(uploads, names, strict=True)])
    finished(job)
    assert set(states(project.id).values()) == {FileState.PARSED}
    kept = [path for path in (home / "projects" / project.id / "files").rglob("*") if path.is_file()]
    assert len(kept) == 6
    outside = [path for path in home.parent.rglob("*") if path.is_file() and "escape" in path.name and path not in kept]
    assert outside == []
    assert all(".." not in file.name.split("/") and "\n" not in file.name for file in corpus.outcomes(project.id).items)
    assert not any((home / "uploads").iterdir())


def test_a_killed_job_goes_on_without_losing_or_doubling(
    project: projects.Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for topic in TOPICS:
        (folder / f"{topic}.txt").write_text(essay(topic))
    real, calls = ingest._ingest, []

    def dies_at_the_third(run, parser, source):
        calls.append(source.name)
        if len(calls) == 3:
            raise RuntimeError("killed")
        return real(run, parser, source)

    monkeypatch.setattr(ingest, "_ingest", dies_at_the_third)
    job = corpus.ingest_path(project.id, folder)
    run_queued_here()
    assert jobs.get(job).state is JobState.FAILED
    assert len(states(project.id)) == 2
    jobs.resume(job)
    finished(job)
    assert len(calls) == 2 + 1 + 4, "the two that were done are not read again"
    assert list(states(project.id).values()) == [FileState.PARSED] * 6
    assert corpus.list_documents(project.id).total == 6


def test_exact_and_near_duplicate_chunks(project: projects.Project, tmp_path: Path) -> None:
    text = essay("harbours", 22)
    (tmp_path / "a.md").write_text(f"# Notice\n{text}\n# One\n{essay('rivers', 5)}")
    (tmp_path / "b.md").write_text(f"# Notice\n{text}\n# Two\n{essay('forests', 5)}")
    (tmp_path / "c.md").write_text(f"# Notice\n{text.replace('Fact 4', 'Truth 4')}\n# Three\n{essay('deserts', 5)}")
    for name in ("a.md", "b.md", "c.md"):
        finished(corpus.ingest_path(project.id, tmp_path / name))
    counts = corpus.chunk_counts(project.id)
    assert (counts.num_chunks, counts.num_included, counts.num_exact_duplicates) == (6, 5, 1)
    duplicate = corpus.list_chunks(project.id, ChunkFilter(ChunkView.EXACT)).items[0]
    assert duplicate.document_name == "b.md"
    near = [listed.document_name for listed in corpus.list_chunks(project.id, ChunkFilter(ChunkView.NEAR)).items]
    assert near == ["c.md"]

    first = next(one for one in corpus.list_documents(project.id).items if one.name == "a.md")
    corpus.exclude_documents(project.id, [first.id])
    with database.reading() as connection:
        included = documents.included_chunks(connection, project.id)
    assert [chunk.text for chunk in included].count(text) == 1, "b.md's copy stands in for a.md's"
    assert corpus.chunk_counts(project.id).num_excluded == 2
    corpus.exclude_documents(project.id, [first.id], excluded=False)
    assert corpus.list_chunks(project.id, ChunkFilter(ChunkView.EXACT)).items[0].document_name == "b.md"


def new_pair(id_: str, chunk: documents.Chunk, evidence: str) -> NewPair:
    return NewPair(id_, f"Question {id_}?", {chunk.id: 1}, chunk.document_id, "written", evidence=evidence)


def test_pairs_follow_their_quotes_when_documents_are_cut_anew(project: projects.Project, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(essay("rivers", 40))
    projects.update(project.id, chunk_tokens=60, chunk_overlap_tokens=0)
    finished(corpus.ingest_path(project.id, tmp_path / "a.txt"))
    with database.writing() as connection:
        chunk = documents.included_chunks(connection, project.id)[1]
        inside = "Fact 9 about rivers is told here."
        assert inside in chunk.text
        pairs.insert(
            connection,
            project.id,
            [new_pair("inside", chunk, inside), new_pair("whole", chunk, chunk.text), new_pair("none", chunk, "")],
        )
    job = corpus.change_settings(project.id, base_model=project.base_model, chunk_tokens=40, overlap_tokens=0)
    assert job is not None
    result = finished(job).result
    assert (result["num_pairs_reanchored"], result["num_pairs_without_passage"]) == (1, 2)
    with database.reading() as connection:
        moved = pairs.get(connection, project.id, "inside")
        assert moved is not None
        assert moved.version == 2
        target = corpus.find_chunk(project.id, moved.chunk_id)
        assert target is not None
        assert inside in target.text
        assert pairs.grades(connection, project.id, ["inside"]) == {"inside": {target.id: 1}}
        assert num_dangling_pairs(connection, project.id) == 2
    job = corpus.change_settings(project.id, base_model=project.base_model, chunk_tokens=60, overlap_tokens=0)
    assert job is not None
    finished(job)
    assert corpus.pairs_without_passage(project.id) == 0, "the old size brings the old chunks back"


def test_cutting_anew_keeps_what_did_not_change(project: projects.Project, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(f"# Short\n{essay('rivers', 4)}\n# Long\n{essay('forests', 40)}")
    finished(corpus.ingest_path(project.id, tmp_path / "a.md"))
    short = corpus.list_chunks(project.id, ChunkFilter(text="rivers")).items[0].chunk
    corpus.exclude_chunks(project.id, [short.id])
    job = corpus.change_settings(project.id, base_model=project.base_model, chunk_tokens=48, overlap_tokens=8)
    assert job is not None
    finished(job)
    kept = corpus.find_chunk(project.id, short.id)
    assert kept is not None
    assert kept.excluded
    now = corpus.list_chunks(project.id, ChunkFilter(), limit=100).items
    content = Chunker(WordCounter(), 48, 8).cut(
        short.document_id, corpus.document_text(project.id, short.document_id),
        markdown_sections(corpus.document_text(project.id, short.document_id)),
    )  # fmt: skip
    assert {listed.chunk.id for listed in now} == {chunk.id for chunk in content}
    assert [listed.chunk.position for listed in now] == list(range(len(now)))


def test_settings_are_checked_before_anything_changes(project: projects.Project) -> None:
    with pytest.raises(CorpusError, match="overlap"):
        corpus.change_settings(project.id, base_model=project.base_model, chunk_tokens=64, overlap_tokens=40)
    assert projects.get(project.id) == project
    same = (project.chunk_tokens, project.chunk_overlap_tokens)
    assert (
        corpus.change_settings(project.id, base_model=project.base_model, chunk_tokens=same[0], overlap_tokens=same[1])
        is None
    )


def test_how_many_chunks_exceed_a_base_model(project: projects.Project, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(essay("rivers", 100))
    finished(corpus.ingest_path(project.id, tmp_path / "a.txt"))
    found = corpus.exceeding(project.id, "another model")
    with database.reading() as connection:
        sizes = [chunk.num_tokens for chunk in documents.included_chunks(connection, project.id)]
    assert (found.num_chunks, found.window, found.is_estimate) == (len(sizes), 50, False)
    assert found.num_exceeding == sum(size > 50 for size in sizes) > 0


class TestFolders:
    """What may be imported from where."""

    def test_hidden_files_and_links_that_lead_out_are_left_alone(
        self, project: projects.Project, tmp_path: Path
    ) -> None:
        root, secret = tmp_path / "root", tmp_path / "secret.txt"
        (root / "sub").mkdir(parents=True)
        (root / ".ssh").mkdir()
        secret.write_text(essay("deserts"))
        for path in (root / "a.txt", root / "sub" / "b.txt", root / ".ssh" / "key.txt", root / ".hidden.txt"):
            path.write_text(essay(path.stem))
        (root / "link.txt").symlink_to(secret)
        finished(corpus.ingest_path(project.id, root, roots=[root]))
        assert set(states(project.id)) == {"a.txt", "sub/b.txt"}
        assert (root / "a.txt").exists(), "an import leaves its files where they are"

    @pytest.mark.parametrize("path", ["../secret.txt", "link", "link/x.txt", "/etc"])
    def test_nothing_outside_the_roots(self, project: projects.Project, tmp_path: Path, path: str) -> None:
        root = tmp_path / "root"
        root.mkdir()
        (tmp_path / "secret.txt").write_text("x")
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "x.txt").write_text("x")
        (root / "link").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(CorpusError, match="outside"):
            corpus.ingest_path(project.id, root / path, roots=[root])

    def test_which_roots_a_page_has(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        assert corpus.import_roots(is_loopback=True) == [Path.home()]
        assert corpus.import_roots(is_loopback=False) == []
        monkeypatch.setenv("AYAR_PASSWORD", "secret")
        assert corpus.import_roots(is_loopback=True) == []
        monkeypatch.setenv("AYAR_IMPORT_ROOTS", f"{tmp_path}:/srv")
        assert corpus.import_roots(is_loopback=False) == [tmp_path, Path("/srv")]

    def test_a_path_that_is_not_there_or_empty(self, project: projects.Project, tmp_path: Path) -> None:
        with pytest.raises(CorpusError, match="does not exist"):
            corpus.ingest_path(project.id, tmp_path / "nowhere")
        (tmp_path / "empty").mkdir()
        with pytest.raises(CorpusError, match="no files"):
            corpus.ingest_path(project.id, tmp_path / "empty")


def test_pages_and_search(project: projects.Project, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for topic in TOPICS:
        (folder / f"{topic}.txt").write_text(essay(topic) + " 100% sure_thing")
    finished(corpus.ingest_path(project.id, folder))
    assert [one.name for one in corpus.list_documents(project.id, limit=2, offset=2).items] == [
        "glaciers.txt",
        "harbours.txt",
    ]
    assert corpus.list_documents(project.id, text="rivers").total == 1
    assert corpus.list_documents(project.id, text="100%").total == 6
    assert corpus.list_documents(project.id, text="1%0").total == 0, "a percent sign is no wildcard"
    chunks = corpus.list_chunks(project.id, ChunkFilter(text="islands"), limit=1)
    assert len(chunks.items) == 1
    assert chunks.total == sum(
        "islands" in one.chunk.text for one in corpus.list_chunks(project.id, ChunkFilter(), limit=500).items
    )


def test_sigkill_in_the_middle_of_a_batch(
    project: projects.Project, warm_ayar: WarmPython, tmp_path: Path, home: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(24):
        (folder / f"{number:02d}.txt").write_text(essay(f"place {number}"))
    job = corpus.ingest_path(project.id, folder)
    code = (
        "from types import SimpleNamespace as S\n"
        "from finetune_core.jobs.executors import ingest\n"
        "from tests.word_counter import WordCounter\n"
        "ingest.TokenCounter = S(for_model=lambda name: WordCounter())\n"
        "from finetune_core.jobs.worker import run_queued_here\n"
        "run_queued_here()\n"
    )
    worker = warm_ayar.start(code)
    until = time.monotonic() + 60
    while len(states(project.id)) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    worker.kill()
    worker.wait()
    num_done = len(states(project.id))
    assert 3 <= num_done < 24
    with database.writing() as connection:  # as when its lease has run out
        connection.execute(update(job_table).where(job_table.c.id == job).values(lease_expires_at=0.0))
    finished(job)
    assert corpus.outcome_counts(project.id)[FileState.PARSED] == 24
    assert corpus.list_documents(project.id).total == 24
    assert not list((home / "jobs" / job / "work").glob("ayar-parse-*")), "the killed parser's folder was left behind"
    with database.reading() as connection:
        assert len(documents.included_chunks(connection, project.id)) == corpus.chunk_counts(project.id).num_chunks
