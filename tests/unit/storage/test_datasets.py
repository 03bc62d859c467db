"""What is frozen is read back alike, and any altered byte is noticed."""

from pathlib import Path

import pytest
from sqlalchemy import insert

from finetune_core.errors import ArtefactError, DatasetError
from finetune_core.records import Corpus, Part, Passage, QueryPassages, Split, SplitName
from finetune_core.storage import artefacts, database, datasets
from finetune_core.storage.tables import project

OWN = Corpus((Passage("a", "Ağaç\nline", "d1", "Head"), Passage("b", "B", "d2")))
OTHER = Corpus((Passage("z", "only test", "z"),))


def made_split() -> Split[QueryPassages]:
    train = QueryPassages("1", "why?", {"a": 2, "b": 1}, "d1", "line", "so", True)
    return Split(
        Part(SplitName.TRAIN, (train,), OWN),
        Part(SplitName.VALIDATION, (), OWN),
        Part(SplitName.TEST, (QueryPassages("2", "what?", {"z": 1}, "z"),), OTHER),
        "feed",
    )


def publish(split: Split[QueryPassages]) -> Path:
    target = datasets.folder("p", "feed")
    manifest = {"hash": split.fingerprint}
    with artefacts.publish(target, manifest) as temporary:
        manifest["corpora"] = datasets.write_split(temporary, split)
    return target


def test_a_split_is_read_back_as_it_was_written() -> None:
    target = publish(made_split())
    found = datasets.load_split("p", "feed")
    assert found == made_split()
    assert list(found.train.examples[0].relevant) == ["a", "b"]  # the order says which passage comes first
    assert found.train.corpus is found.validation.corpus
    assert len(list(target.glob("corpus-*.parquet"))) == 2


def test_an_altered_file_is_refused() -> None:
    path = publish(made_split()) / "test.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ArtefactError, match=r"test\.parquet"):
        datasets.load_split("p", "feed")


def test_an_unknown_version_is_named() -> None:
    with pytest.raises(DatasetError, match="'nope'"):
        datasets.load_split("p", "nope")


def test_the_fingerprint_sees_every_field_but_is_stable() -> None:
    split = made_split()
    parts = {name: split.part(name) for name in SplitName}
    assert datasets.fingerprint(parts) == datasets.fingerprint(dict(parts))
    changed = QueryPassages("1", "why?", {"a": 2, "b": 1}, "d1", "line", "so", False)
    assert datasets.fingerprint({**parts, SplitName.TRAIN: Part(SplitName.TRAIN, (changed,), OWN)}) != (
        datasets.fingerprint(parts)
    )
    assert datasets.fingerprint(
        {**parts, SplitName.TEST: Part(SplitName.TEST, parts[SplitName.TEST].examples, OWN)}
    ) != (datasets.fingerprint(parts))


def test_rows_are_found_by_name_and_by_id() -> None:
    with database.writing() as connection:
        connection.execute(
            insert(project).values(
                id="p", name="p", base_model="m", chunk_tokens=1, chunk_overlap_tokens=0, created_at=0.0
            )
        )
        row = datasets.DatasetRow("feed", "v1", {"num_train": 1}, 5.0)
        datasets.add(connection, "p", row)
        datasets.add(connection, "p", row)
        assert datasets.of_project(connection, "p") == [row]
        assert datasets.find(connection, "p", "v1") == row == datasets.find(connection, "p", "feed")
        assert datasets.find(connection, "other", "v1") is None
        assert datasets.users(connection, "p", "feed") == 0
        datasets.remove(connection, "p", "feed")
        assert datasets.of_project(connection, "p") == []
