"""What the code imports is what the requirements name: no library comes in by luck, through another one."""

import ast
import functools
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = {"app", "components", "finetune_core", "pages", "tests"}
PART_OF = {"pydantic-core": "pydantic"}  # pydantic pins it to the release
# Named although no line of ours imports them.
NEEDED_BY_OTHERS = {
    "accelerate": "the Trainer of transformers",
    "cryptography": "pypdf, for PDFs encrypted with AES",
    "instructor": "ragas; older releases make pip search for minutes",
    "langchain-community": "ragas, which cannot be imported beside a newer one",
    "gguf": "transformers, to read the bundled chat model",
    "langchain-openai": "ragas",
    "pandas": "streamlit's tables",
    "cohere": "part of the fixed stack",
}
# Imported where they are installed; where one is missing, the error says how to install it.
OPTIONAL = {"modal"}
TOOLS = {"ruff", "mypy", "import-linter", "pytest-timeout", "pytest-xdist", "types-psutil"}
# Gone from the standard library between Python 3.12 and 3.14.
REMOVED = {
    "aifc", "asynchat", "asyncore", "audioop", "cgi", "cgitb", "chunk", "crypt", "distutils", "imghdr", "imp", "lib2to3",
    "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "pipes", "smtpd", "sndhdr", "spwd", "sunau", "telnetlib", "uu",
    "xdrlib",
}  # fmt: skip


def sources(*names: str) -> list[Path]:
    return [
        path for name in names for path in ([ROOT / name] if (ROOT / name).is_file() else (ROOT / name).rglob("*.py"))
    ]


def imported(paths: list[Path]) -> set[str]:
    """Top-level names of all absolute imports, wherever in the file they stand."""
    return set().union(*map(imported_by, paths)) - OURS


@functools.cache
def imported_by(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 11))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return frozenset(found)


packages = functools.cache(packages_distributions)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required(file: str) -> set[str]:
    lines = [line.strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]
    return {normal(re.split(r"[\[=<>~ ]", line)[0]) for line in lines if line and not line.startswith("#")}


def distributions(modules: set[str]) -> dict[str, set[str]]:
    """Which packages may give each module that is not Python's own."""
    known = packages()
    return {
        module: {PART_OF.get(normal(name), normal(name)) for name in known.get(module, [module])}
        for module in modules - sys.stdlib_module_names
    }


PROJECT = sources("app.py", "components", "pages", "finetune_core")


def test_the_project_names_every_library_it_imports() -> None:
    names = required("requirements.txt") | OPTIONAL
    missing = {module for module, given in distributions(imported(PROJECT)).items() if not given & names}
    assert not missing, "add to requirements.txt"


def test_the_tests_name_every_library_they_import() -> None:
    names = required("requirements.txt") | required("requirements-dev.txt")
    missing = {module for module, given in distributions(imported(sources("tests"))).items() if not given & names}
    assert not missing, "add to requirements-dev.txt"


def test_nothing_is_required_that_nothing_uses() -> None:
    used = {name for given in distributions(imported(PROJECT)).values() for name in given}
    assert required("requirements.txt") - used - set(NEEDED_BY_OTHERS) == set()
    used = {name for given in distributions(imported(sources("tests"))).values() for name in given}
    assert required("requirements-dev.txt") - used - TOOLS == set()


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt", "requirements-models.txt"])
def test_every_release_has_a_bound(file: str) -> None:
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        assert not line.strip() or line.startswith("#") or re.search(r"(==|~=)\d", line), f"{file}: {line}"


def test_tools_and_models_are_pinned() -> None:
    for file, pattern in (
        ("requirements-dev.txt", r"^[\w.-]+(\[\w+\])?==\S+$"),
        ("requirements-models.txt", r"==\S+ --hash=sha256:[0-9a-f]{64}$"),
    ):
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
            assert not line or line.startswith("#") or re.search(pattern, line), f"{file}: {line}"


def test_no_module_is_used_that_a_later_python_lacks() -> None:
    assert not imported(sources(*sorted(OURS - {"app"}), "app.py")) & REMOVED
