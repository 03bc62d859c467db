"""Taking the numbers elsewhere."""

import streamlit as st

from components.text import t
from finetune_core.workspace import comparisons
from finetune_core.workspace.comparisons import ComparisonView


def compare_downloads(view: ComparisonView, *, key: str) -> None:
    """Every row as CSV or JSON, made when asked for, and a way to delete the comparison."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            t("Rows as CSV"), data=lambda: comparisons.as_csv(view), file_name=f"comparison-{view.id}.csv", mime="text/csv",
            icon=":material/download:", on_click="ignore", key=f"{key}_csv",
        )  # fmt: skip
        st.download_button(
            t("Everything as JSON"), data=lambda: comparisons.as_json(view), file_name=f"comparison-{view.id}.json",
            mime="application/json", icon=":material/download:", on_click="ignore", key=f"{key}_json",
        )  # fmt: skip
        with st.popover(t("Delete"), icon=":material/delete:", type="tertiary", key=f"{key}_delete"):
            st.markdown(t("Deletes this comparison. Models and datasets stay; it can be run again."))
            st.button(t("Delete the comparison"), type="primary", key=f"{key}_sure", on_click=_delete, args=(view,))


def _delete(view: ComparisonView) -> None:
    comparisons.delete(view.project_id, view.id)
    st.query_params.pop("comparison", None)
