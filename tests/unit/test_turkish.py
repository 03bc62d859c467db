"""Turkish all the way: documents, chunks, written questions, imported questions, BM25, an adapter; no letter changes."""

import json
from pathlib import Path

import pytest

from finetune_core import recipes
from finetune_core.corpus.language import lowered
from finetune_core.evaluation.retrieval import Bm25Retriever, evaluate_retrieval, words_of
from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers.bundled import BUNDLED_EMBEDDER, is_bundled_installed
from finetune_core.records import Corpus, Part, Passage, QueryPassages, Split, SplitName
from finetune_core.storage import database, documents
from finetune_core.storage import datasets as stored_datasets
from finetune_core.storage.pairs import PairState
from finetune_core.synthesis.extractive_questions import extracts
from finetune_core.workspace import corpus, datasets, generation, jobs, labelled, languages, pairs, projects
from finetune_core.workspace.languages import TextKind, Unknown
from tests.training_fixtures import RecordedRun

NUM_PASSAGES = 24


@pytest.fixture
def thquad(shared_data: Path) -> tuple[list[dict], list[dict]]:
    """The first passages of the set with their questions, as rows."""
    folder = shared_data / "retrieval" / "turkish-thquad" / "norm"
    passages = [json.loads(line) for line in (folder / "corpus.jsonl").read_text("utf-8").splitlines()[:NUM_PASSAGES]]
    known = {row["id"] for row in passages}
    questions = [json.loads(line) for line in (folder / "queries.jsonl").read_text("utf-8").splitlines()]
    return passages, [row for row in questions if set(row["relevant"]) <= known]


def test_the_four_letters_i_are_told_apart_and_matched() -> None:
    assert lowered("IRAK İZMİR Işık", "Turkish") == "ırak izmir ışık"
    assert lowered("IRAK", "English") == "irak"
    assert words_of("İzmir'de IŞIK") == words_of("izmir'de ışık") == ["izmir", "de", "işik"]
    assert words_of("dag\u0306") == words_of("dağ") == ["dağ"]


def test_ingested_and_asked_about_without_a_wrong_letter(thquad: tuple[list[dict], list[dict]], tmp_path: Path) -> None:
    passages, _ = thquad
    file = tmp_path / "tarih.txt"
    file.write_bytes("\n\n".join(row["text"] for row in passages).encode("cp1254", "ignore"))
    project = projects.create("tarih").id
    corpus.ingest_path(project, file, roots=[tmp_path])
    run_queued_here()
    with database.reading() as connection:
        chunks = documents.included_chunks(connection, project)
        by_language = documents.num_by_language(connection, project)
    assert by_language == {"tr": 1}
    assert languages.unknown(project, BUNDLED_EMBEDDER) == (Unknown("tr", TextKind.DOCUMENT, 1),)
    letters = "çğıöşüÇĞİÖŞÜâîû"
    written = "".join(row["text"] for row in passages)
    kept = "".join(chunk.passage.text for chunk in chunks)
    for letter in letters:
        assert kept.count(letter) >= written.count(letter), letter
    for row in passages:
        known = {lowered(word, "tr") for word in (row["title"] + " " + row["text"]).split()}
        for extract in extracts(Passage(row["id"], row["text"], "d", row["title"]), "Turkish", 6):
            assert extract.evidence in row["text"]
            for word in extract.question.split():
                bare = lowered(word, "tr").strip(".,;:!?()\"'“”’")
                assert any(bare in one for one in known), (word, row["id"])


def test_imported_and_searched_without_a_wrong_letter(thquad: tuple[list[dict], list[dict]], tmp_path: Path) -> None:
    passages, questions = thquad
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": row["id"], "title": row["title"], "text": row["text"]} for row in passages]
    _write(folder / "corpus.jsonl", rows)
    _write(folder / "queries.jsonl", [{"_id": row["id"], "text": row["question"]} for row in questions])
    lines = ["query-id\tcorpus-id\tscore", *(f"{row['id']}\t{row['relevant'][0]}\t1" for row in questions)]
    (folder / "qrels" / "train.tsv").write_text("\n".join(lines), "utf-8")
    project = projects.create("tarih").id
    pairs.import_file(project, folder, "beir")
    assert languages.unknown(project, BUNDLED_EMBEDDER) == (Unknown("tr", TextKind.PASSAGE, NUM_PASSAGES),)
    found = pairs.page(project, pairs.PairFilter(), 0, 10_000)[0]
    assert {pair.question for pair in found} == {row["question"].strip() for row in questions}
    test, run = _split(passages, questions).test, RecordedRun(tmp_path)
    ndcg = recipes.get("embedding_adapter").metrics["ndcg@10"]
    assert ndcg(evaluate_retrieval(Bm25Retriever(), test, run).columns) > 0.5
    shouted = [example.query.replace("i", "İ").replace("ı", "I").upper() for example in test.examples]
    quiet = Bm25Retriever().rank([example.query for example in test.examples], test.corpus, 5, run)
    assert Bm25Retriever().rank(shouted, test.corpus, 5, run).ids == quiet.ids
    assert not jobs.listing(project, ("train",))


def test_labelled_queries_tell_their_language_too(thquad: tuple[list[dict], list[dict]]) -> None:
    _, questions = thquad
    project = projects.create("yönlendirme").id
    labelled.save_choice(project, "tarih")
    num = labelled.add(project, [row["question"] for row in questions], "tarih")
    assert languages.unknown(project, BUNDLED_EMBEDDER) == (Unknown("tr", TextKind.QUERY, num),)
    assert languages.unknown(project, "intfloat/multilingual-e5-small") == ()


def test_the_whole_way_from_files_to_a_tuned_adapter(
    thquad: tuple[list[dict], list[dict]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each passage as a file, questions written by the job, frozen, searched by words, and an adapter tuned on them."""
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda *_: None)  # its jobs run here, in turn
    if not is_bundled_installed():
        pytest.skip("the bundled embedder is not installed")
    passages, _ = thquad
    project = projects.create("tarih").id
    folder = tmp_path / "files"
    folder.mkdir()
    for row in passages:
        (folder / f"{row['id'].replace('/', '-')}.txt").write_text(f"{row['title']}\n\n{row['text']}", "utf-8")
    corpus.ingest_path(project, folder, roots=[tmp_path])
    run_queued_here()
    with database.reading() as connection:
        included = documents.included_chunks(connection, project)
        found = [documents.content(connection, project, key) for key in documents.document_ids(connection, project)]
    kept = [" ".join(one[0].split()) for one in found if one is not None]
    for row in passages:
        assert any(" ".join(row["text"].split()) in text for text in kept), row["id"]
    chunks = {chunk.passage.id: chunk.passage.full_text for chunk in included}
    cut, whole = [chunk.passage.text for chunk in included], "\n".join(kept)
    assert all(" ".join(text.split()) in whole for text in cut), "a chunk says what its document says"
    params = generation.params_from({"generator": "extractive", "language": "Turkish", "questions_per_chunk": 2})
    generation.start(project, params)
    run_queued_here()
    written = pairs.page(project, pairs.PairFilter(state=PairState.PENDING), 0, 10_000)[0]
    assert len(written) >= NUM_PASSAGES
    for pair in written:
        chunk_id = pair.chunk_id
        own = {_bare(word) for word in chunks[chunk_id].split()}
        asked = [_bare(word) for word in pair.question.split()]
        assert pair.evidence in chunks[chunk_id]
        strange = [word for word in asked if not any(word in one for one in own)]
        assert not strange, (pair.question, strange)
    job_id = datasets.freeze(project, "v1", include_pending=True, measure_base=False)
    run_queued_here()
    split = stored_datasets.load_split(project, jobs.get(job_id).result["id"])
    parts = (split.train, split.validation, split.test)
    assert {e.query for part in parts for e in part.examples} <= {pair.question for pair in written}
    assert {passage.full_text for passage in split.test.corpus} == set(chunks.values())
    scores = _scores(split, tmp_path)
    assert scores["bm25"] > 0.5
    assert scores["tuned"] >= scores["base"] - 0.05


def _bare(word: str) -> str:
    return lowered(word, "tr").strip(".,;:!?()[]\"'“”’‘")


def _scores(split: Split[QueryPassages], tmp_path: Path) -> dict[str, float]:
    run, recipe = RecordedRun(tmp_path), recipes.get("embedding_adapter")
    config = recipe.config(epochs=20, learning_rates=(3e-3,), max_tokens=64, evaluations=5)
    model = recipe.train(split, config, run)
    return {
        name: recipe.metrics["ndcg@10"](recipe.evaluate(system, split.test, config, run).columns)
        for name, system in recipe.systems(config, model, run).items()
    }


def _write(path: Path, rows: list[dict]) -> None:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")


def _split(passages: list[dict], questions: list[dict]) -> Split[QueryPassages]:
    corpus = Corpus(tuple(Passage(row["id"], row["text"], row["title"], row["title"]) for row in passages))
    rows = [QueryPassages(row["id"], row["question"], {row["relevant"][0]: 1}, row["relevant"][0]) for row in questions]
    parts = [tuple(rows[start::4]) for start in range(4)]
    return Split(
        Part(SplitName.TRAIN, parts[0] + parts[1], corpus),
        Part(SplitName.VALIDATION, parts[2], corpus),
        Part(SplitName.TEST, parts[3], corpus),
        "thquad",
    )
