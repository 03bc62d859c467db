"""The README says what the code does: each setting and command is there, once, and nothing else."""

import re

import pytest

from finetune_core import recipes
from finetune_core.settings import Settings
from tests.readme_tables import README, TABLES, commands, section

ROOT = README.parent
SOURCES = ("app.py", "components", "pages", "finetune_core", "tests", "Makefile", ".ci", "README.md", "CONTRIBUTING.md")


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_the_one_made_from_code(name: str) -> None:
    told = "run: python -m tests.readme_tables"
    assert section(README.read_text(encoding="utf-8"), name) == TABLES[name](), told


def test_every_setting_is_described_once() -> None:
    table = section(README.read_text(encoding="utf-8"), "settings")
    for name, field in Settings.model_fields.items():
        assert field.description, f"{name} has no description"
        assert table.count(f"| `AYAR_{name.upper()}` |") == 1


def test_every_variable_that_is_used_is_a_setting() -> None:
    declared = {f"AYAR_{name.upper()}" for name in Settings.model_fields}
    files = [path for source in SOURCES for path in ([ROOT / source] if (ROOT / source).is_file() else _texts(source))]
    assert len(files) > 100
    for path in files:
        used = set(re.findall(r"\bAYAR_[A-Z][A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")))
        assert used <= declared, f"{path.relative_to(ROOT)} uses {used - declared}"


def test_every_command_in_the_text_exists() -> None:
    called = re.findall(
        r"^ *(?:\S+/)?python3? -m finetune_core +(\S+)(.*)$", README.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {"import", "freeze", "train", "compare"} <= {name for name, _ in called}
    for name, rest in called:
        assert name in commands(), f"README calls {name!r}"
        known = {option for parameter in commands()[name].params for option in parameter.opts}
        unknown = set(re.findall(r"(?<!\S)--[a-z][a-z-]*", rest)) - known
        assert not unknown, f"README calls {name!r} with {unknown}"


def test_every_recipe_has_its_call() -> None:
    table = section(README.read_text(encoding="utf-8"), "recipes")
    for name, recipe in recipes.discover().items():
        (row,) = [row for row in table.splitlines() if row.startswith(f"| `{name}` |")]
        assert f"--recipe {name} " in row
        for field in re.findall(r"--set (\w+)=", row):
            assert field in recipe.config.model_fields


def test_files_and_modules_it_names_exist() -> None:
    text = README.read_text(encoding="utf-8")
    for module in re.findall(r"python3? -m (tests\.[\w.]+)", text):
        assert (ROOT / (module.replace(".", "/") + ".py")).is_file(), f"README runs {module}"
    for path in re.findall(r"!?\[[^\]]*\]\((?!https?:|#)([^)]+)\)", text):
        assert (ROOT / path).exists(), f"README links to {path}"
    for target in re.findall(r"^ *make ([a-z]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE), (
            f"make {target}"
        )


def _texts(folder: str) -> list:
    kinds = {".py", ".js", ".toml", ".html", ".jinja", ""}
    return [path for path in sorted((ROOT / folder).rglob("*")) if path.is_file() and path.suffix in kinds]
