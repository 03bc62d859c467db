"""Which language model answers or judges: none, a model service, a model file on this machine, or a judge tuned here."""

from collections.abc import Sequence

import streamlit as st

from components.project import project_query
from components.text import plain, t
from finetune_core.workspace import panels, providers
from finetune_core.workspace.panels import JudgeOffer


def chat_choice(title: str, kinds: Sequence[str], judges: Sequence[JudgeOffer] = (), *, key: str) -> str | None:
    """The reference of what was chosen among `kinds` (none, service, bundled, file, tuned), "" for none; None while a choice
    is incomplete or cannot work, which is said.
    """
    names = {
        "none": t("Nobody"),
        "service": t("A service"),
        "bundled": t("Bundled model"),
        "file": t("A model file"),
        "tuned": t("A judge tuned here"),
    }
    kind = st.segmented_control(
        title, kinds, format_func=names.__getitem__, default=kinds[0], required=True, key=f"{key}_kind"
    )
    if kind == "service":
        return _service(key)
    if kind == "file":
        path = st.text_input(t("Model file"), key=f"{key}_gguf", placeholder="/models/model.gguf").strip()
        if path and not path.lower().endswith(".gguf"):
            st.warning(t("Give the path of a GGUF file; they end in .gguf."))
            return None
        return path or None
    if kind == "tuned":
        return _tuned(judges, key)
    return panels.BUNDLED_CHAT if kind == "bundled" else ""


def _service(key: str) -> str | None:
    known = {view.provider.name: view for view in providers.listing() if view.provider.kind == "openai"}
    if not known:
        st.info(t("No provider yet. Add one on Settings: its address, its model, and where its key is."))
        st.page_link(
            "../pages/settings.py", label=t("Go to Settings"), icon=":material/settings:", query_params=project_query()
        )
        return None
    name = st.selectbox(
        t("Provider"), list(known), format_func=lambda one: f"{one} ({known[one].provider.model})" if one in known else one,
        key=f"{key}_provider", label_visibility="collapsed",
    )  # fmt: skip
    if known[name].env_line:
        st.warning(t("Its key is missing. Add this line to the file .env, then go on; no restart is needed:"))
        st.code(known[name].env_line, language=None)
    return f"service:{name}"


def _tuned(judges: Sequence[JudgeOffer], key: str) -> str | None:
    known = {one.reference: one for one in judges}
    if not known:
        st.info(t("No correctness judge was tuned in this project yet."))
        return None
    chosen = known[
        st.selectbox(
            t("Judge"), list(known), format_func=lambda reference: known[reference].title if reference in known else reference,
            key=f"{key}_judge", label_visibility="collapsed",
        )
    ]  # fmt: skip
    if chosen.problem:
        st.warning(plain(chosen.problem))
        return None
    st.caption(t("It gives each answer one grade for correctness, on the scale it learned."))
    return chosen.reference
