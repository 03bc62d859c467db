"""Settings come from the environment and `.env`, and say what is wrong with them."""

import os
from pathlib import Path

import pytest

from finetune_core import settings
from finetune_core.errors import SettingsError


def test_defaults_need_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AYAR_HOME")
    found = settings.current()
    assert (found.home, found.password, found.import_roots, found.heavy_jobs) == (Path(".ayar"), "", [], 1)


def test_import_roots_are_split_like_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AYAR_IMPORT_ROOTS", os.pathsep.join(["/a", "/b c"]))
    assert settings.current().import_roots == [Path("/a"), Path("/b c")]


def test_a_bad_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AYAR_HEAVY_JOBS", "many")
    with pytest.raises(SettingsError, match="AYAR_HEAVY_JOBS is 'many'") as caught:
        settings.current()
    assert "AYAR_HEAVY_JOBS" in caught.value.hint


def test_the_env_file_is_read_anew_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    monkeypatch.setattr(settings, "ENV_FILE", file)
    assert settings.secret("SOME_KEY") == ""
    file.write_text("SOME_KEY=from-file\nAYAR_HEAVY_JOBS=3\n")
    assert settings.secret("SOME_KEY") == "from-file"
    assert settings.current().heavy_jobs == 3
    monkeypatch.setenv("SOME_KEY", "from-environment")
    assert settings.secret("SOME_KEY") == "from-environment"
