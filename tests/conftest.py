"""What every test starts from: a home of its own, and no settings or keys of the machine it runs on."""

import os
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty AYAR_HOME; no `.env` and no AYAR_* or key variable leaks in."""
    for variable in list(os.environ):
        if variable.startswith("AYAR_") or variable.endswith("_API_KEY"):
            monkeypatch.delenv(variable)
    monkeypatch.setattr("finetune_core.settings.ENV_FILE", tmp_path / "no.env")
    monkeypatch.setenv("AYAR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "home"


@pytest.fixture
def shared_data() -> Path:
    """Real labelled data beside the checkout; tests that use it are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{SHARED_DATA} is absent")
    return SHARED_DATA
