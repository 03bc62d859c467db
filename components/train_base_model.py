"""Which model to start from: the bundled one, a name on the model hub, or a folder; and whether it can read the chunks."""

import streamlit as st
from pydantic.fields import FieldInfo

from components.errors import show_error
from components.text import plain, t
from finetune_core.errors import FinetuneError
from finetune_core.workspace import corpus
from finetune_core.workspace.corpus import Exceeding


def train_base_model(project_id: str, field: FieldInfo, value: str, *, key: str) -> str:
    """The name or path entered; "" while the text field is empty. Warns when chunks exceed what the model can read."""
    bundled = str(field.default)
    kinds = {"bundled": t("Bundled"), "hub": t("From the hub"), "folder": t("From a folder")}
    start = "bundled" if value == bundled else "folder" if value.startswith(("/", "~", ".")) else "hub"
    kind = st.segmented_control(
        t(field.title or "Base model"),
        list(kinds),
        default=start,
        required=True,
        format_func=kinds.__getitem__,
        key=f"{key}.kind",
        help=t(field.description or ""),
    )
    if kind == "bundled":
        chosen = bundled
        st.caption(plain(bundled))
    else:
        label, example = {
            "hub": (t("Name on the hub"), "sentence-transformers/all-mpnet-base-v2"),
            "folder": (t("Folder on this machine"), "/models/my-embedder"),
        }[kind]
        given = value if kind == start else ""
        chosen = st.text_input(label, given, key=f"{key}.{kind}", placeholder=example).strip()
    if chosen:
        _fit(project_id, chosen)
    return chosen


def _fit(project_id: str, chosen: str) -> None:
    try:
        found = _exceeding(project_id, chosen)
    except FinetuneError as error:
        show_error(error.message, error.hint)
        return
    if found.num_exceeding:
        num = f"{found.num_exceeding:,}"
        num = t("About {num}", num=num) if found.is_estimate else num
        st.warning(
            t(
                "{num} of {total} chunks are longer than the {window} tokens this model reads; it never sees their "
                "ends. Make chunks smaller on the Corpus page, or choose a model with a longer window.",
                num=num, total=f"{found.num_chunks:,}", window=f"{found.window:,}",
            ),
            icon=":material/content_cut:",
        )  # fmt: skip
    elif found.num_chunks:
        st.caption(
            t(
                "Reads {window} tokens at once: all {total} chunks fit.",
                window=f"{found.window:,}",
                total=f"{found.num_chunks:,}",
            )
        )


@st.cache_data(ttl=60, max_entries=50, show_spinner=False)
def _exceeding(project_id: str, base_model: str) -> Exceeding:
    """Kept for a minute: every change of any setting runs the page again."""
    return corpus.exceeding(project_id, base_model)
