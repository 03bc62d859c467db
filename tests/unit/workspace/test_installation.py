"""Uploads, secrets and sizes of the installation."""

import io
import re
from pathlib import Path

import pytest

from finetune_core.errors import StorageError
from finetune_core.workspace import installation


class BrokenOff(io.BytesIO):
    """A stream that ends in the middle, with an error."""

    def read(self, size: int | None = -1) -> bytes:
        raise OSError(28, "No space left on device")


def test_an_upload_is_whole_or_absent(home: Path) -> None:
    upload_id = installation.receive("Report.PDF", io.BytesIO(b"abcde"))
    assert installation.upload_path(upload_id).read_bytes() == b"abcde"
    assert re.fullmatch(r"[0-9a-f]{32}\.pdf", upload_id)
    with pytest.raises(StorageError, match="No space left"):
        installation.receive("x.txt", BrokenOff())
    assert [path.name for path in (home / "uploads").iterdir()] == [upload_id]


@pytest.mark.parametrize("name", ["../../x", "..\\..\\x", "/etc/x", "a/b/x", "x." + "y" * 300, "x.<b>"])
def test_names_cannot_leave_the_folder(home: Path, name: str) -> None:
    path = installation.upload_path(installation.receive(name, io.BytesIO(b"")))
    assert path.parent == home.resolve() / "uploads"


@pytest.mark.parametrize("wanted", ["", "nothing", "../ayar.db", "."])
def test_only_uploads_are_handed_out(home: Path, wanted: str) -> None:
    with pytest.raises(StorageError, match="not there"):
        installation.upload_path(wanted)


def test_the_cookie_secret_is_random_kept_and_private(home: Path) -> None:
    secret = installation.cookie_secret()
    assert len(secret) == 32
    assert installation.cookie_secret() == secret
    assert (home / "cookie-secret").stat().st_mode & 0o077 == 0


def test_settings_show_what_they_are_but_never_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AYAR_PASSWORD", "hunter2")
    monkeypatch.setenv("AYAR_MAX_PAGES", "7")
    found = {one.variable: one for one in installation.settings_in_force()}
    assert found["AYAR_PASSWORD"].value == "set"
    assert (found["AYAR_MAX_PAGES"].value, found["AYAR_MAX_PAGES"].is_set) == ("7", True)
    assert not found["AYAR_MAX_FILE_MB"].is_set
    assert all(one.description for one in found.values())
    assert "hunter2" not in repr(found)


def test_caches_are_counted_and_emptied_and_nothing_else(home: Path) -> None:
    for name, size in (("cache/vectors/a", 100), ("uploads/b", 20), ("projects/p/files/c", 3), ("jobs/j/log.txt", 4)):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    sizes = {part.name: part.size_bytes for part in installation.storage_use()}
    assert (sizes["vectors"], sizes["uploads"], sizes["projects"], sizes["jobs"]) == (100, 20, 3, 4)
    assert installation.clear_caches() == 120
    sizes = {part.name: part.size_bytes for part in installation.storage_use()}
    assert (sizes["vectors"], sizes["uploads"], sizes["projects"], sizes["jobs"]) == (0, 0, 3, 4)
