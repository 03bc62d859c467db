"""The filters: what each looks for, how many questions it has set aside, and undo."""

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.text import t
from finetune_core.workspace import generation


def generate_filters(project_id: str, *, key: str) -> None:
    """Draw one card per filter and the button that runs the chosen ones; nothing before there are questions."""
    if not generation.counts(project_id).num_written:
        return
    st.subheader(t("Filters"), anchor=False)
    st.caption(
        t("They look at questions nobody has judged yet. Nothing is deleted: what is set aside comes back with undo.")
    )
    cards = generation.filter_cards(project_id)
    job = generation.latest_job(project_id, "filter")
    is_busy = job is not None and job.is_live
    with st.grid(3):
        chosen = [card.name for card in cards if _card(project_id, card, is_busy, key)]
    st.button(
        t("Run the chosen filters"),
        icon=":material/filter_alt:",
        key=f"{key}_run",
        disabled=not chosen or is_busy,
        on_click=_run,
        args=(project_id, chosen, key),
    )
    show_kept_error(key)


def _card(project_id: str, card: generation.FilterCard, is_busy: bool, key: str) -> bool:
    """One filter; returns whether it is chosen."""
    with st.container(border=True, height="stretch", key=f"{key}_{card.name}"):
        is_chosen = st.checkbox(f"**{t(card.title)}**", card.is_default, key=f"{key}_{card.name}_on")
        st.caption(t(card.note))
        if card.needs_embedder:
            st.caption(t("Reads every chunk with the base model once: minutes, the first time."))
        st.space("stretch")
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.badge(
                t("{num} set aside", num=f"{card.num_set_aside:,}"), color="orange" if card.num_set_aside else "gray"
            )
            st.button(
                t("Undo"), icon=":material/undo:", type="tertiary", key=f"{key}_{card.name}_undo",
                disabled=not card.num_set_aside or is_busy, on_click=_undo, args=(project_id, card.name, key),
                help=t("Brings back what this filter set aside, unless another one objects too."),
            )  # fmt: skip
    return is_chosen


def _run(project_id: str, names: list[str], key: str) -> None:
    with kept_errors(key):
        generation.start_filters(project_id, names)


def _undo(project_id: str, name: str, key: str) -> None:
    with kept_errors(key):
        generation.undo_filter(project_id, name)
