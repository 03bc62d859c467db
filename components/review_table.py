"""All pairs of a filter, a page at a time, with bulk actions."""

import math

import streamlit as st

from components.review_bulk import review_bulk
from components.review_deck import state_text
from components.text import t, time_text, tn
from finetune_core.workspace import pairs
from finetune_core.workspace.pairs import PairFilter, PairView

_SIZE = 50


def review_table(project_id: str, chosen: PairFilter, *, key: str) -> None:
    """Draw the page of the table that the URL names, with what can be done to all of the filter or to one row."""
    number = _page_number(key, chosen)
    rows, total = pairs.page(project_id, chosen, number, _SIZE)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(tn("**{num}** pair under this filter", "**{num}** pairs under this filter", total), width="content")
        review_bulk(project_id, chosen, total, key=f"{key}_bulk")
    slot = st.container()
    num_pages = max(1, math.ceil(total / _SIZE))
    if num_pages > 1:
        st.pagination(num_pages, key="page", bind="query-params")
    with slot:
        picked = st.dataframe(
            [_row(one) for one in rows], hide_index=True, key=f"{key}_{number}", on_select="rerun",
            selection_mode="single-row", height="content" if len(rows) < 12 else 560, alt=t("Pairs under this filter"),
        )  # fmt: skip
        chosen_rows = [at for at in picked.selection.rows if at < len(rows)]
        if chosen_rows:
            _details(pairs.get(project_id, rows[chosen_rows[0]].id))


def _page_number(key: str, chosen: PairFilter) -> int:
    """The page the URL names, from 0; another filter starts at the first."""
    if st.session_state.setdefault(f"{key}_filter", chosen) != chosen:
        st.session_state[f"{key}_filter"] = chosen
        st.session_state["page"] = 1
    wanted = st.session_state.get("page") or st.query_params.get("page", "1")
    return max(0, int(wanted) - 1) if str(wanted).isdecimal() else 0


def _row(pair: pairs.Pair) -> dict[str, str]:
    return {
        t("Question"): pair.question,
        t("Answer"): pair.answer,
        t("State"): state_text(pair.state) + (f" ({pair.set_aside_by})" if pair.set_aside_by else ""),
        t("Split"): pair.split,
        t("Source"): pair.source,
        t("Reviewed"): time_text(pair.reviewed_at) if pair.reviewed_at else "",
    }


def _details(view: PairView) -> None:
    with st.container(border=True):
        st.text(view.pair.question)
        for one in view.passages:
            st.caption(t("Passage"))
            st.code(f"{one.document}\n{one.heading}\n\n{one.text}", language=None, wrap_lines=True, height=220)
