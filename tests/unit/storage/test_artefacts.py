"""Artefacts are whole or absent."""

import json
from pathlib import Path

import pytest

from finetune_core.errors import ArtefactError
from finetune_core.storage import artefacts


def _publish(folder: Path, text: str = "ğüş") -> None:
    with artefacts.publish(folder, {"kind": "test"}) as temporary:
        (temporary / "sub").mkdir()
        (temporary / "sub" / "data.json").write_text(text, encoding="utf-8")


def test_a_published_folder_verifies_and_never_changes(tmp_path: Path) -> None:
    _publish(tmp_path / "a")
    _publish(tmp_path / "a", "later")
    manifest = artefacts.verify(tmp_path / "a")
    assert manifest["kind"] == "test"
    assert manifest["files"]["sub/data.json"]["size_bytes"] == 6
    assert (tmp_path / "a" / "sub" / "data.json").read_text(encoding="utf-8") == "ğüş"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fill() -> None:
        with artefacts.publish(tmp_path / "a", {}) as temporary:
            (temporary / "x.json").write_text("{}")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_attempt_left_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / ".a.0123.part").mkdir()
    (tmp_path / "a").mkdir()  # a folder without a manifest
    _publish(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    artefacts.verify(tmp_path / "a")


@pytest.mark.parametrize("damage", ["altered", "missing", "garbage"])
def test_damage_is_named(tmp_path: Path, damage: str) -> None:
    _publish(tmp_path / "a")
    data = tmp_path / "a" / "sub" / "data.json"
    if damage == "altered":
        data.write_text("ğüx", encoding="utf-8")
    elif damage == "missing":
        data.unlink()
    else:
        (tmp_path / "a" / "manifest.json").write_text("{")
    with pytest.raises(ArtefactError, match=r"data\.json was altered|data\.json is missing|no readable manifest\.json"):
        artefacts.verify(tmp_path / "a")


def test_pickles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"\.bin file"), artefacts.publish(tmp_path / "a", {}) as temporary:
        (temporary / "weights.bin").write_bytes(b"")
    assert not (tmp_path / "a").exists()


def test_a_manifest_is_plain_json(tmp_path: Path) -> None:
    _publish(tmp_path / "a")
    assert json.loads((tmp_path / "a" / "manifest.json").read_text())["kind"] == "test"
