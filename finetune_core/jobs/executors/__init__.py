"""The kinds of job, one module each, found by name: `HEAVY`, `Params` and `execute(run, params) -> dict`.

Importing an executor must be light; what it needs to work it imports inside `execute`.
"""

import importlib
import pkgutil
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from finetune_core.errors import JobError
from finetune_core.jobs.run import JobRun


class Executor(Protocol):
    """What a module in this folder offers."""

    HEAVY: bool
    Params: type[BaseModel]

    def execute(self, run: JobRun, params: Any) -> dict[str, Any]: ...


def kinds() -> list[str]:
    """The names of all kinds of job."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def executor(kind: str) -> Executor:
    """The executor of a kind. ValueError if there is none: kinds are never typed by a person."""
    if kind not in kinds():
        raise ValueError(f"no kind of job is called {kind!r}; there are {', '.join(kinds())}")
    module: Any = importlib.import_module(f"{__name__}.{kind}")
    checked: Executor = module
    return checked


def checked_params(kind: str, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters as JSON with defaults filled in. Raises JobError that names the first one that does not fit."""
    try:
        return executor(kind).Params.model_validate(params).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or kind
        raise JobError(
            f"{name} is {first['input']!r}: {first['msg']}.", hint=f"Give {name} another value and try again."
        ) from error


def is_heavy(kind: str, params: dict[str, Any]) -> bool:
    """Whether the job needs the machine to itself; a kind may decide by its parameters with a function `is_heavy`."""
    module = executor(kind)
    decide = getattr(module, "is_heavy", None)
    return bool(decide(module.Params.model_validate(params))) if decide else module.HEAVY
