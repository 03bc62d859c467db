"""Until when a service will serve a model that is tuned from one of its own."""

import datetime

import streamlit as st

from components.text import plain, t
from finetune_core.workspace import providers


def train_shutdown(service: str, model: str, *, key: str) -> None:
    """What the service's list of models says of the end of `model`; nothing where it says nothing."""
    ends = _shutdown_date(service, model) if service and model else None
    if ends is None:
        return
    said = {"model": plain(model), "day": f"{ends:%d %B %Y}"}
    with st.container(key=key):
        if ends <= datetime.datetime.now(datetime.UTC).date():
            st.error(t("The service shut {model} down on {day}. Choose another base model.", **said))
            return
        st.warning(
            t(
                "The service will shut {model} down on {day}, and models tuned from it may end with it: plan for another one, "
                "or tune on this machine.",
                **said,
            ),
            icon=":material/event_busy:",
        )


@st.cache_data(ttl=600, max_entries=100, show_spinner=False)
def _shutdown_date(service: str, model: str) -> datetime.date | None:
    """Kept for ten minutes: the page runs again at every change."""
    return providers.shutdown_date(service, model)
