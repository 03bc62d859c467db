"""The command line, one module for each group of commands, found by name; each has `register(app)`.

A command is a thin call into `workspace`: it parses, calls, prints.
"""

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Any

import typer


def build(only: str = "") -> typer.Typer:
    """The application with the commands of every module in this folder.

    If `only` is the name of one of them, it has that module's alone: a worker starts sooner if it need not load all.
    """
    app = typer.Typer(
        help="Ayar: fine-tune the parts of a RAG system, from the command line.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(lambda: None)  # without it typer would drop the command's name while there is only one
    known = sorted(module.name for module in pkgutil.iter_modules(__path__))
    for module in _groups([name for name in known if name == only]) or _groups(known):
        module.register(app)
    return app


def _groups(names: Sequence[str]) -> list[Any]:
    """The modules of these names that have commands."""
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return [module for module in modules if hasattr(module, "register")]
