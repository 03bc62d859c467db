"""A warning where the base model has not learned the language of what it shall learn from."""

import streamlit as st

from components.text import plain, t, tn
from finetune_core.workspace import languages
from finetune_core.workspace.languages import TextKind, Unknown


def language_note(project_id: str, base_model: str, *, key: str) -> None:
    """Which languages it does not know, and how many texts are in them; nothing where all is well or nobody knows."""
    names = {
        "en": t("English"), "tr": t("Turkish"), "de": t("German"), "fr": t("French"), "es": t("Spanish"),
        "it": t("Italian"), "pt": t("Portuguese"), "nl": t("Dutch"),
    }  # fmt: skip
    for one in languages.unknown(project_id, base_model):
        with st.container(key=f"{key}_{one.language}_{one.kind}"):
            st.warning(
                t(
                    "{texts} in {language}, which {model} has not learned. Tuning helps, but a multilingual model starts "
                    "higher: intfloat/multilingual-e5-small from the hub, for instance.",
                    texts=_counted(one), language=names.get(one.language, one.language), model=plain(base_model),
                ),
                icon=":material/translate:",
            )  # fmt: skip


def _counted(one: Unknown) -> str:
    if one.kind is TextKind.DOCUMENT:
        return tn("{num} document is", "{num} documents are", one.num)
    if one.kind is TextKind.PASSAGE:
        return tn("{num} imported passage is", "{num} imported passages are", one.num)
    return tn("{num} labelled query is", "{num} labelled queries are", one.num)
