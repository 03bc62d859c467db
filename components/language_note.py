"""A warning where the base model has not learned the language of the documents."""

import streamlit as st

from components.text import plain, t, tn
from finetune_core.workspace import corpus


def language_note(project_id: str, base_model: str, *, key: str) -> None:
    """Which languages it does not know, and how many documents are in them; nothing where all is well or nobody knows."""
    names = {
        "en": t("English"), "tr": t("Turkish"), "de": t("German"), "fr": t("French"), "es": t("Spanish"),
        "it": t("Italian"), "pt": t("Portuguese"), "nl": t("Dutch"),
    }  # fmt: skip
    for language, num in corpus.unknown_languages(project_id, base_model).items():
        with st.container(key=f"{key}_{language}"):
            st.warning(
                tn(
                    "{num} document is in {language}, which {model} has not learned. Tuning helps, but a multilingual "
                    "model starts higher: intfloat/multilingual-e5-small from the hub, for instance.",
                    "{num} documents are in {language}, which {model} has not learned. Tuning helps, but a multilingual "
                    "model starts higher: intfloat/multilingual-e5-small from the hub, for instance.",
                    num, language=names.get(language, language), model=plain(base_model),
                ),
                icon=":material/translate:",
            )  # fmt: skip
