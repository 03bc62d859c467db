"""The README's tables that are made from code: recipes, commands, settings. `python -m tests.readme_tables` writes them anew."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from finetune_core import recipes
from finetune_core.commands import build
from finetune_core.settings import Settings

README = Path(__file__).resolve().parents[1] / "README.md"


def settings_table() -> str:
    """One row for each AYAR_* variable: name, default, documentation."""
    rows = ["| variable | default | what it does |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `AYAR_{name.upper()}` | {_default(field)} | {field.description} |")
    return "\n".join(rows)


def commands_table() -> str:
    """One row for each command: name, documentation, options."""
    rows = ["| command | what it does | takes |", "| --- | --- | --- |"]
    for name, command in sorted(commands().items()):
        takes = " ".join(f"`{_shown(parameter)}`" for parameter in command.params if parameter.name != "help")
        rows.append(f"| `{name}` | {' '.join((command.help or '').split())} | {takes} |")
    return "\n".join(rows)


def recipes_table() -> str:
    """One row for each recipe: what it tunes, the examples it eats, the metric of the verdict, how to call it."""
    rows = ["| recipe | what it tunes | eats | headline metric | call |", "| --- | --- | --- | --- | --- |"]
    for name, recipe in recipes.discover().items():
        settings = (
            " --set service=SERVICE" if recipe.config.model_fields.keys() & {"service", "tuner"} == {"service"} else ""
        )
        call = f"python -m finetune_core train --project P --dataset v1 --recipe {name}{settings} --wait"
        said = f"{recipe.summary} **{recipe.notice}**" if recipe.notice else recipe.summary
        rows.append(
            f"| `{name}` | {' '.join(said.split())} | `{recipe.record.__name__}` | {recipe.headline} | `{call}` |"
        )
    return "\n".join(rows)


def commands() -> dict[str, Any]:
    """Every command by its name."""
    group = typer.main.get_command(build())
    return dict(group.commands)


TABLES: dict[str, Callable[[], str]] = {
    "recipes": recipes_table,
    "commands": commands_table,
    "settings": settings_table,
}


def section(text: str, name: str) -> str:
    """What stands between the marker `name` and its end. Raises ValueError where the markers are not there once."""
    found = re.findall(rf"<!-- {name} -->\n(.*?)<!-- end of {name} -->", text, re.DOTALL)
    if len(found) != 1:
        raise ValueError(f"README.md has {len(found)} sections <!-- {name} --> … <!-- end of {name} -->; it needs one.")
    return found[0].strip()


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined or field.default == "":
        return "–"
    return f"`{field.default}`"


def _shown(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.name).upper()
    name = max(parameter.opts, key=len)
    return name if parameter.required else f"[{name}]"


def main() -> None:
    """Write the tables into the README."""
    text = README.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        old = section(text, name)
        text = text.replace(f"<!-- {name} -->\n{old}".rstrip("\n") + "\n", f"<!-- {name} -->\n{table()}\n")
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
