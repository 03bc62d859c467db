"""Filters over generated queries that nobody has touched: what is no query, and what was nearly there already."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from finetune_core.jobs.filtering import NEAR_THRESHOLD
from finetune_core.storage import database, labelled
from finetune_core.storage.labelled import Query
from finetune_core.storage.pairs import PairSource, PairState
from finetune_core.synthesis import question_filters
from finetune_core.synthesis.question_filters import FILTERS, Candidate, Outcome

if TYPE_CHECKING:
    from finetune_core.jobs.run import JobRun


def run_filters(run: "JobRun", names: Sequence[str]) -> dict[str, int]:
    """Apply `form` and `duplicate` in this order; filter name to the number of queries it set aside now.

    Pending generated queries are judged, beside those that are accepted. What a person has changed or brought back is judged
    no more, so that running the filters again changes nothing.
    """
    set_aside = {}
    for name in (name for name in FILTERS if name in names):
        run.progress(1.0, FILTERS[name].title)
        with database.reading() as connection:
            found = labelled.in_states(connection, run.project_id, (PairState.ACCEPTED, PairState.PENDING))
        outcomes = _outcomes(name, run, found)
        why = {
            one.id: outcome.detail
            for one, outcome in zip(found, outcomes, strict=True)
            if not outcome.passed and _may_judge(one)
        }
        with run.writing() as connection:
            set_aside[name] = labelled.set_aside(connection, run.project_id, name, why)
        run.say(f"{FILTERS[name].title}: {set_aside[name]} of {sum(map(_may_judge, found))} set aside.")
    return set_aside


def _may_judge(one: Query) -> bool:
    return one.state is PairState.PENDING and one.source == PairSource.GENERATED and one.version == 1


def _outcomes(name: str, run: "JobRun", found: Sequence[Query]) -> list[Outcome]:
    candidates = [Candidate(one.query, "", "", one.label) for one in found]
    if name == "form":
        return question_filters.form(candidates)
    from finetune_core.corpus.near_duplicates import find_near_duplicates

    near = functools.partial(find_near_duplicates, threshold=NEAR_THRESHOLD, checkpoint=run.checkpoint)
    return question_filters.duplicate(candidates, near)
