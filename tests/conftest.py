"""What every test starts from: a home of its own, and no settings or keys of the machine it runs on."""

import contextlib
import functools
import os
import tempfile

if "PYTEST_XDIST_WORKER" in os.environ:  # before anything loads torch: the workers share the cores
    os.environ["OMP_NUM_THREADS"] = "1"
# Before anything loads the hub's client, which would wait for a network that is not there.
os.environ["HF_HUB_OFFLINE"] = "1"

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from finetune_core.storage import database, migrations
from tests.cohere_fixtures import trained_cohere  # noqa: F401  a fixture for every test
from tests.dashboard_server import end_detached
from tests.demonstration_data import (  # noqa: F401  fixtures for every test
    tiny_prompted_chat,
    trained_caller,
    trained_correctness,
    trained_distillation,
    trained_pairwise,
)
from tests.sql_fixtures import trained_sql  # noqa: F401
from tests.training_fixtures import (  # noqa: F401  fixtures for every test
    tiny_chat,
    tiny_transformer,
    trained,
    trained_adapter,
    trained_cross_encoder,
    trained_router,
    trained_tiny,
    tuned_chat,
)
from tests.warm_python import WarmPython, warm_python

SHARED_TRAININGS = ("trained", "tuned_chat")
"""How the names of fixtures begin that hold a training made once in each process."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a file stay in one process, and all files that share trainings in the same, so that each is made once."""
    sharing = {
        item.path
        for item in items
        if any(name.startswith(SHARED_TRAININGS) for name in getattr(item, "fixturenames", ()))
    }
    for item in items:
        item.add_marker(pytest.mark.xdist_group("trainings" if item.path in sharing else str(item.path)))


ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _migrated_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A database that is missing starts as a copy of one the migrations made: they run once here, not in every test."""
    upgrade = migrations.upgrade

    @functools.cache
    def migrated() -> bytes:
        file = tmp_path_factory.mktemp("migrated") / database.FILE_NAME
        engine = create_engine(f"sqlite:///{file}")
        upgrade(engine)
        engine.dispose()
        return file.read_bytes()

    def copy_and_upgrade(engine: Engine) -> None:
        file = Path(str(engine.url.database))
        if not file.exists():
            with tempfile.NamedTemporaryFile(dir=file.parent) as copy, contextlib.suppress(FileExistsError):
                copy.write(migrated())
                copy.flush()
                os.link(copy.name, file)  # unless another thread or process was quicker
        upgrade(engine)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrations, "upgrade", copy_and_upgrade)
        yield


@pytest.fixture(scope="session")
def bare_python() -> Iterator[WarmPython]:
    """A Python without Ayar, as people have who paste a snippet, that has loaded what the snippets import."""
    named = ("sentence_transformers", "llama_index.core", "langchain_core.vectorstores", "peft", "cohere")
    with warm_python(named, ["-I"]) as python:
        yield python


@pytest.fixture(scope="session")
def warm_ayar() -> Iterator[WarmPython]:
    """A Python that has loaded Ayar: a job in a process that dies, or is killed, does not load it again."""
    executors = ("compare", "freeze", "generate", "generate_queries", "import_pairs", "ingest", "panel", "teach")
    named = ["finetune_core.jobs.worker", *(f"finetune_core.jobs.executors.{name}" for name in executors)]
    named += ["tests.example_comparison", "tests.cohere_fixtures", "openai", "cohere.client_v2", "pyarrow.parquet"]
    with warm_python(named, folder=ROOT) as python:
        yield python


@pytest.fixture
def home_folder(tmp_path: Path) -> Path:
    """Where the test's home will be."""
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def home(home_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty AYAR_HOME; no `.env` and no AYAR_* or key variable leaks in."""
    for variable in list(os.environ):
        if variable.startswith("AYAR_") or variable.endswith("_API_KEY"):
            monkeypatch.delenv(variable)
    monkeypatch.setattr("finetune_core.settings.ENV_FILE", tmp_path / "no.env")
    monkeypatch.setenv("AYAR_HOME", str(home_folder))
    yield home_folder
    if (home_folder / "worker.log").exists():  # else nobody started one
        end_detached(home_folder)
    database._engine.cache_clear()


@pytest.fixture
def shared_data() -> Path:
    """Real labelled data beside the checkout; tests that use it are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{SHARED_DATA} is absent")
    return SHARED_DATA
