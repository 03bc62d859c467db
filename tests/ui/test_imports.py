"""What the dashboard may import: the workspace, the recipes' descriptions and the errors; never a heavy library."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ui.conftest import ROOT

FILES = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py")), *sorted((ROOT / "components").rglob("*.py"))]
ALLOWED = ("finetune_core.workspace", "finetune_core.recipes", "finetune_core.errors")
HEAVY = (
    "torch", "transformers", "sentence_transformers", "datasets", "ragas", "openai", "cohere", "llama_index", "bm25s",
    "datasketch", "markitdown", "xllamacpp", "sklearn", "scipy",
)  # fmt: skip
NOT_AT_START = ("pandas", "pyarrow", "alembic", "tokenizers", "altair")


def _core_imports(source: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "finetune_core":
            found |= {f"finetune_core.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {name for name in found if name.split(".")[0] == "finetune_core"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_the_workspace_the_recipes_and_the_errors(path: Path) -> None:
    for name in _core_imports(path.read_text(encoding="utf-8")):
        assert name in ALLOWED or name.startswith(tuple(f"{door}." for door in ALLOWED)), f"imports {name}"


def test_the_rule_finds_what_it_forbids() -> None:
    assert _core_imports("from finetune_core import storage, errors") == {
        "finetune_core.storage",
        "finetune_core.errors",
    }
    assert _core_imports("def f():\n    import finetune_core.jobs.queue") == {"finetune_core.jobs.queue"}


def test_the_dashboard_never_imports_a_heavy_library() -> None:
    """Everything a page can import, in a process of its own: pages would otherwise take seconds and gigabytes."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in FILES
        if path.parts[-2] != "pages" and path.name != "shell.py"
    ]
    code = (
        f"import importlib, pkgutil, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"import finetune_core.workspace as w\n"
        f"for module in pkgutil.iter_modules(w.__path__): importlib.import_module('finetune_core.workspace.' + module.name)\n"
        f"from finetune_core import recipes\nrecipes.discover()\n"
        f"print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = set(done.stdout.split())
    assert not loaded & set(HEAVY), "heavy libraries at import"
    assert not loaded & set(NOT_AT_START), "libraries that would make the dashboard slow to start"
