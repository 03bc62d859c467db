"""Which model to start from, and whether it can read the chunks.

The bundled one, a name on the model hub, or a folder; another tuned model or a model service where the recipe takes those.
"""

import streamlit as st
from pydantic.fields import FieldInfo

from components.errors import show_error
from components.language_note import language_note
from components.text import plain, t
from finetune_core.errors import FinetuneError
from finetune_core.workspace import corpus, models, providers
from finetune_core.workspace.corpus import Exceeding

_TUNED, _SERVICE = "model:", "service:"  # how settings name them
_EMBEDDERS = ("embedding", "embedding_adapter")  # recipes whose models turn texts into vectors


def train_base_model(project_id: str, field: FieldInfo, value: str, *, key: str) -> str:
    """What was chosen; "" while nothing is. Warns when chunks exceed what the model can read or are in another language."""
    bundled = str(field.default)
    kinds = {"bundled": t("Bundled"), "hub": t("From the hub"), "folder": t("From a folder")}
    if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("reference"):
        kinds |= {"tuned": t("Tuned here"), "service": t("A service")}
    start = _kind(value, bundled)
    kind = st.segmented_control(
        t(field.title or "Base model"),
        list(kinds),
        default=start if start in kinds else "bundled",
        required=True,
        format_func=kinds.__getitem__,
        key=f"{key}.kind",
        help=t(field.description or ""),
    )
    if kind == "bundled":
        st.caption(plain(bundled))
        chosen = bundled
    elif kind == "tuned":
        return _tuned(project_id, value, key)
    elif kind == "service":
        return _service(value, key)
    else:
        label, example = {
            "hub": (t("Name on the hub"), "sentence-transformers/all-mpnet-base-v2"),
            "folder": (t("Folder on this machine"), "/models/my-embedder"),
        }[str(kind)]
        given = value if kind == start else ""
        chosen = st.text_input(label, given, key=f"{key}.{kind}", placeholder=example).strip()
    if chosen:
        _fit(project_id, chosen)
        language_note(project_id, chosen, key=f"{key}.language")
    return chosen


def _kind(value: str, bundled: str) -> str:
    if value.startswith((_TUNED, _SERVICE)):
        return "tuned" if value.startswith(_TUNED) else "service"
    return "bundled" if value == bundled else "folder" if value.startswith(("/", "~", ".")) else "hub"


def _tuned(project_id: str, value: str, key: str) -> str:
    names = {_TUNED + view.id: view.name for view in models.listing(project_id) if view.recipe in _EMBEDDERS}
    return _choice(
        t("Tuned model"), names, value, t("No embedding model or adapter was tuned in this project."), f"{key}.tuned"
    )


def _service(value: str, key: str) -> str:
    names = {_SERVICE + view.provider.name: view.provider.name for view in providers.listing()}
    none = t("There is no service yet; add one on the Settings page.")
    chosen = _choice(t("Embedding service"), names, value, none, f"{key}.service")
    st.caption(
        t("Every text is sent there once and its vector kept. The model named on Settings must be one that embeds.")
    )
    return chosen


def _choice(label: str, names: dict[str, str], value: str, none: str, key: str) -> str:
    if not names:
        st.info(none, icon=":material/info:")
        return ""
    known = list(names)
    index = known.index(value) if value in names else 0
    return str(st.selectbox(label, known, index=index, format_func=names.__getitem__, key=key))


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
