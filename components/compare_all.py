"""Everything on one dataset version at once, with one press: what was not tried there is trained, then all is compared."""

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.text import duration_text, plain, t, tn
from finetune_core.workspace import contenders
from finetune_core.workspace.contenders import Contenders, Foreseen
from finetune_core.workspace.out_of_domain import Choice


def compare_all(project_id: str, dataset_id: str, foreign: Choice | None, *, key: str) -> None:
    """The button with what it would do and take; draws nothing for a version that nothing can learn from.

    `foreign` are questions to score besides.
    """
    found = contenders.contenders(project_id, dataset_id)
    if not (found.model_ids or found.run_ids or found.missing):
        return
    show_kept_error(key)
    foreseen = contenders.foresee(project_id, dataset_id)
    st.button(
        t("Train what is missing and compare all") if found.missing else t("Compare all on this version"),
        icon=":material/leaderboard:", key=f"{key}_start", on_click=_start,
        args=(project_id, dataset_id, foreign, key),
    )  # fmt: skip
    st.caption(" ".join(_summary(found, foreseen)))
    for one in foreseen:
        st.caption(f"- {plain(t(one.recipe.title))} · {_time(one)}")


def _summary(found: Contenders, foreseen: tuple[Foreseen, ...]) -> list[str]:
    said = []
    if found.model_ids:
        said.append(tn("{num} model is there already.", "{num} models are there already.", len(found.model_ids)))
    if found.run_ids:
        said.append(
            tn("{num} run under way is waited for.", "{num} runs under way are waited for.", len(found.run_ids))
        )
    if foreseen:
        known = sum(one.seconds or 0.0 for one in foreseen)
        said.append(
            t("Trained first, with default settings, in about {time}:", time=duration_text(known))
            if all(one.seconds is not None for one in foreseen)
            else t(
                "Trained first, with default settings, in {time} and what nobody can foresee:",
                time=duration_text(known),
            )
            if known
            else t("Trained first, with default settings, in a time nobody can foresee:")
        )
    else:
        said.append(t("Everything that finds passages is also tried with the reranker, if there is one."))
    return said


def _time(one: Foreseen) -> str:
    if one.problem:
        return plain(one.problem)
    return t("time unknown") if one.seconds is None else t("about {time}", time=duration_text(one.seconds))


def _start(project_id: str, dataset_id: str, foreign: Choice | None, key: str) -> None:
    with kept_errors(key):
        launched = contenders.compare_all(project_id, dataset_id, foreign)
        st.query_params.pop("comparison", None)  # the newest is shown, which this one will be
        if launched.is_finished:
            st.query_params["comparison"] = launched.comparison_id
