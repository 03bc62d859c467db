"""What to do where the models that come with Ayar were not installed; nothing where they were."""

import streamlit as st

from components.text import plain, t
from finetune_core.workspace import installation


def missing_models(*, key: str) -> None:
    """One box with the command, above whatever page is open."""
    if (missing := installation.missing_models()) is None:
        return
    with st.container(key=key, gap="xsmall"):
        st.info(
            t(
                "Not installed: {names}. Without them, choose a model of your own as the base model. This adds them:",
                names=plain(", ".join(missing.names)),
            ),
            icon=":material/download:",
        )
        st.code(missing.command, language=None, wrap_lines=True)
