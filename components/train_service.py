"""Which service does the tuning: one of the providers of the kind that the recipe works with."""

import streamlit as st
from pydantic.fields import FieldInfo

from components.project import project_query
from components.text import plain, t
from finetune_core.workspace import providers

_TITLES = {"cohere": "Cohere", "openai": "OpenAI"}


def train_service(field: FieldInfo, value: str, *, kind: str, key: str) -> str:
    """The chosen provider's name, "" while there is none of the kind ("cohere", "openai"); says what is missing or ends."""
    known = {view.provider.name: view for view in providers.listing() if view.provider.kind == kind}
    if not known:
        st.info(
            t(
                "No provider of kind {kind} yet. Add one on Settings: its address, and where its key is.",
                kind=_TITLES[kind],
            )
        )
        st.page_link(
            "../pages/settings.py", label=t("Go to Settings"), icon=":material/settings:", query_params=project_query()
        )
        return ""
    names = list(known)
    chosen = st.selectbox(
        t(field.title or "Service"), names, index=names.index(value) if value in known else 0, key=key,
        help=t(field.description or ""),
    )  # fmt: skip
    st.caption(plain(known[chosen].provider.base_url))
    if known[chosen].env_line:
        st.warning(t("Its key is missing. Add this line to the file .env, then go on; no restart is needed:"))
        st.code(known[chosen].env_line, language=None)
    if ending := providers.ending(known[chosen].provider):
        st.warning(plain(t(ending)), icon=":material/event_busy:")
    return chosen
