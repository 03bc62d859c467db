"""Which chat model to start from: the bundled one, a name on the model hub, a folder, or a model of the service that tunes."""

import streamlit as st
from pydantic.fields import FieldInfo

from components.text import plain, t


def train_chat_base(field: FieldInfo, value: str, *, is_at_service: bool, key: str) -> str:
    """What was chosen; "" while nothing is. A service that tunes has names of its own for its models."""
    bundled = str(field.default)
    if is_at_service:
        given = "" if value == bundled else value
        return st.text_input(
            t("Model at the service"), given, key=f"{key}.at_service", placeholder=t("as the service calls it")
        ).strip()
    kinds = {"bundled": t("Bundled"), "hub": t("From the hub"), "folder": t("From a folder")}
    start = "bundled" if value == bundled else "folder" if value.startswith(("/", "~", ".")) else "hub"
    kind = st.segmented_control(
        t(field.title or "Base model"), list(kinds), default=start, required=True, format_func=kinds.__getitem__,
        key=f"{key}.kind", help=t(field.description or ""),
    )  # fmt: skip
    if kind == "bundled":
        st.caption(plain(bundled))
        return bundled
    label, example = {
        "hub": (t("Name on the hub"), "HuggingFaceTB/SmolLM2-1.7B-Instruct"),
        "folder": (t("Folder on this machine"), "/models/my-chat-model"),
    }[str(kind)]
    return st.text_input(label, value if kind == start else "", key=f"{key}.{kind}", placeholder=example).strip()
