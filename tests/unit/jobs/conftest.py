"""The kind of job `probe`, known to this process and to the processes it starts."""

import os
from pathlib import Path

import pytest

from finetune_core.jobs import executors
from finetune_core.workspace import projects

EXECUTORS = Path(__file__).parents[2] / "executors"


@pytest.fixture(autouse=True)
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Child processes learn of it through a `sitecustomize` on their path."""
    monkeypatch.setattr(executors, "__path__", [*executors.__path__, str(EXECUTORS)])
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        f"from finetune_core.jobs import executors\nexecutors.__path__.append({str(EXECUTORS)!r})\n"
    )
    root = Path(__file__).parents[3]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), str(root)]))


@pytest.fixture
def project_id() -> str:
    return projects.create("Library").id
