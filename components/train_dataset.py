"""Which frozen dataset version to train on, and the way to freeze one."""

import streamlit as st

from components.dataset_card import dataset_card
from components.dataset_freeze import dataset_freeze
from components.kind_words import kind_words
from components.text import t
from components.url_state import url_state
from finetune_core.workspace import datasets
from finetune_core.workspace.datasets import DatasetView


def train_dataset(project_id: str, record: str, *, key: str) -> DatasetView | None:
    """The chosen version of that kind of example, as a card; None while none was frozen. The choice stands in the URL."""
    known = {view.name: view for view in datasets.listing(project_id) if view.record == record}
    if not known:
        st.caption(kind_words(record).frozen)
        dataset_freeze(project_id, record, key=f"{key}_freeze")
        return None
    if st.session_state.get(key) not in known:
        st.session_state.pop(key, None)
    url_state(key, {name: name for name in known})
    chosen = st.selectbox(t("Dataset"), list(known), key=key, bind="query-params")
    dataset_card(known[chosen], key=f"{key}_card")
    with st.expander(t("Freeze a new version"), icon=":material/ac_unit:"):
        dataset_freeze(project_id, record, key=f"{key}_freeze")
    return known[chosen]
