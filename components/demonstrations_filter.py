"""Which demonstrations are meant, kept in the URL."""

import streamlit as st

from components.review_deck import source_text, state_text
from components.text import t
from components.url_state import url_state
from finetune_core.workspace.demonstrations import DemonstrationFilter, PairState

_ANY = "any"
_STATES = [_ANY, PairState.PENDING.value, PairState.ACCEPTED.value, PairState.REJECTED.value, PairState.ASIDE.value]
_SOURCES = [_ANY, "generated", "imported", "written", "recorded"]
_SPLITS = [_ANY, "train", "validation", "test"]


def demonstrations_filter(kind: str, *, state: str = "", key: str) -> DemonstrationFilter:
    """Draw the filter in a row and return what it says; `state` is what it says at first."""
    titles = {
        "state": {one: state_text("" if one == _ANY else one) for one in _STATES},
        "source": {one: t("Any source") if one == _ANY else source_text(one) for one in _SOURCES},
        "split": {_ANY: t("Any split"), "train": t("Training"), "validation": t("Validation"), "test": t("Test")},
    }
    chosen = {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for name, label in (("state", t("State")), ("source", t("Source")), ("split", t("Split"))):
            options, first = list(titles[name]), state if name == "state" and state else _ANY
            url_state(f"{key}_{name}", titles[name])
            wanted = st.selectbox(
                label, options, index=options.index(first), key=f"{key}_{name}", width=165, bind="query-params",
                format_func=titles[name].__getitem__,
            )  # fmt: skip
            chosen[name] = "" if wanted == _ANY else wanted
        text = st.text_input(
            t("Text"), key=f"{key}_text", icon=":material/search:", bind="query-params", width="stretch"
        )
    return DemonstrationFilter(kind, chosen["state"], chosen["split"], chosen["source"], (text or "").strip())
