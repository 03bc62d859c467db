"""Who writes: a service, a local model, or no model at all."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from components.project import project_query
from components.text import plain, t
from finetune_core.workspace import generation, providers


def generate_writer(views: Sequence[generation.GeneratorView], default: str, *, key: str) -> dict[str, Any]:
    """Draw the choice among the views; returns `generator`, and `provider`, `num_parallel` or `gguf_path` where needed."""
    offered: dict[str, generation.GeneratorView] = {view.kind: view for view in views}
    kinds = list(offered)
    st.subheader(t("Who writes"), anchor=False)
    kind = st.segmented_control(
        t("Generator"),
        kinds,
        format_func=lambda name: t(offered[name].title),
        default=default,
        required=True,
        key=f"{key}_kind",
        label_visibility="collapsed",
        persist_state="session",
    )
    view = offered[kind]
    st.caption(t(view.summary))
    if kind == "endpoint":
        return {"generator": kind, **_service(key)}
    if kind == "gguf":
        path = st.text_input(
            t("Model file"),
            key=f"{key}_gguf",
            placeholder=t("Empty for the bundled SmolLM2, or the path of any GGUF file on this machine"),
            persist_state="session",
        )
        if view.missing and not path:
            st.warning(plain(view.missing), icon=":material/download:")
        return {"generator": kind, "gguf_path": path.strip()}
    return {"generator": kind}


def _service(key: str) -> dict[str, Any]:
    known = {view.provider.name: view for view in providers.listing() if view.provider.kind == "openai"}
    if not known:
        st.info(t("No provider yet. Add one on Settings: its address, its model, and where its key is."))
        st.page_link(
            "../pages/settings.py", label=t("Go to Settings"), icon=":material/settings:", query_params=project_query()
        )
        return {"provider": ""}
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    name = left.selectbox(
        t("Provider"),
        list(known),
        format_func=lambda one: f"{one} ({known[one].provider.model})",
        key=f"{key}_provider",
    )
    parallel = right.number_input(t("Calls at once"), 1, 64, 4, key=f"{key}_parallel")
    if known[name].env_line:
        st.warning(t("Its key is missing. Add this line to the file .env, then go on; no restart is needed:"))
        st.code(known[name].env_line, language=None)
    return {"provider": name, "num_parallel": parallel}
