"""The command line, one module for each group of commands, found by name; each has `register(app)`.

A command is a thin call into `workspace`: it parses, calls, prints.
"""

import importlib
import pkgutil

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
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    for name in [only] if only in names else names:
        imported = importlib.import_module(f"{__name__}.{name}")
        if hasattr(imported, "register"):
            imported.register(app)
    return app
