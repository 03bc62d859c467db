"""Set bad questions aside, filter by filter; nothing is deleted, and each filter can be undone."""

from typing import Any

from pydantic import BaseModel, Field, field_validator

from finetune_core.jobs.filtering import run_filters
from finetune_core.jobs.run import JobRun
from finetune_core.synthesis.question_filters import FILTERS

HEAVY = True


class Params(BaseModel):
    """The filters to run, by name."""

    names: list[str] = Field(min_length=1)

    @field_validator("names")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        if unknown := set(names) - FILTERS.keys():
            raise ValueError(f"there is no filter {', '.join(sorted(unknown))}; there are {', '.join(FILTERS)}")
        return names


def is_heavy(params: Params) -> bool:
    """Only filters that encode every chunk need the machine to themselves."""
    return any(FILTERS[name].needs_embedder for name in params.names)


def execute(run: JobRun, params: Params) -> dict[str, Any]:
    """Run them; the result counts what each set aside."""
    return {"set_aside": run_filters(run, params.names)}
