"""Setting up a panel: two systems, who answers, who judges, how many questions, what it may cost; and starting it."""

import streamlit as st

from components.chat_choice import chat_choice
from components.errors import kept_errors, show_error, show_kept_error
from components.generate_cap import generate_cap
from components.panel_estimate import panel_estimate
from components.text import t
from finetune_core.errors import FinetuneError
from finetune_core.workspace import panels
from finetune_core.workspace.comparisons import ComparisonView
from finetune_core.workspace.panels import PanelParams


def panel_form(view: ComparisonView, system: str, *, is_busy: bool, key: str) -> None:
    """The form; the base and the tuned `system` are chosen at first. `is_busy` while a panel of the comparison is at work."""
    names = panels.systems(view)
    keys = list(names)
    left, right = st.columns(2)
    first = left.selectbox(
        t("First system"), keys, index=keys.index(view.difference(system)["against"]),
        format_func=lambda one: names.get(one, one), key=f"{key}_before_{view.id}",
    )  # fmt: skip
    second = right.selectbox(
        t("Second system"), keys, index=keys.index(system), format_func=lambda one: names.get(one, one),
        key=f"{key}_after_{view.id}_{system}",
    )  # fmt: skip
    chat = chat_choice(t("Who answers"), ["service", "bundled", "file"], key=f"{key}_chat")
    judge = chat_choice(
        t("Who judges"), ["none", "service", "file", "tuned"], panels.tuned_judges(view.project_id), key=f"{key}_judge"
    )
    left, right = st.columns(2)
    num = view.result["num_questions"]
    num_questions = left.number_input(t("Questions"), 1, num, min(50, num), key=f"{key}_questions_{view.id}")
    top_k = right.number_input(t("Passages for each answer"), 1, 10, 5, key=f"{key}_top_k")
    caps = generate_cap(key=f"{key}_cap")
    show_kept_error(key)
    if chat is None or judge is None:
        return
    values = {
        "before": first,
        "after": second,
        "chat": chat,
        "judge": judge,
        "num_questions": num_questions,
        "top_k": top_k,
    }
    try:
        params = panels.params_from({"comparison_id": view.id, **values, **caps})
        panel_estimate(panels.estimate(view.project_id, params), params)
    except FinetuneError as error:
        show_error(error.message, error.hint)
        return
    st.button(
        t("Answer and compare"), type="primary", icon=":material/play_arrow:", key=f"{key}_go", disabled=is_busy,
        on_click=_start, args=(view.project_id, params, key),
    )  # fmt: skip


def _start(project_id: str, params: PanelParams, key: str) -> None:
    with kept_errors(key):
        panels.launch(project_id, params)
