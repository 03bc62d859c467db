"""How to take a model away: a zip, and code to paste for each framework."""

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.job_card import job_card
from components.text import size_text, t
from finetune_core.workspace import jobs, models
from finetune_core.workspace.models import ModelView


def model_use(model: ModelView, *, key: str) -> None:
    """The download, then the snippets, for the folder inside Ayar or wherever the person put it."""
    left, right = st.columns([2, 3])
    with left, st.container(border=True):
        st.subheader(t("Download"), anchor=False)
        _download(model, key)
    with right:
        at = st.text_input(
            t("Folder of the model"), str(models.folder(model.id)), key=f"{key}.at.{model.id}",
            help=t("Where the unpacked zip lies on the machine that uses it. It goes into the code below."),
        ).strip()  # fmt: skip
        snippets = models.snippets(model.id, at)
        tabs = st.tabs([snippet.framework for snippet in snippets]) if snippets else []
        for tab, snippet in zip(tabs, snippets, strict=True):
            with tab:
                st.code(snippet.code, language="python", wrap_lines=True)
        if snippets:
            st.caption(t("None of this needs Ayar."))
        else:
            st.info(t("No code to paste: it stands on a service, on another tuned model or on a class of your own."))


def _download(model: ModelView, key: str) -> None:
    st.caption(t("All files of the model, its card and manifest; {size}.", size=size_text(model.size_bytes)))
    exports = [job for job in jobs.listing(model.project_id, ("export",), 20) if job.params["model_id"] == model.id]
    if (exports and exports[0].is_live) or (exports and exports[0].error):
        job_card(exports[0].id, key=f"{key}.job", show_log=False)
    path = models.exported_zip(model.id)
    if path is not None:
        st.link_button(
            t("Download the zip ({size})", size=size_text(path.stat().st_size)),
            f"/api/models/{model.id}.zip", type="primary", icon=":material/download:",
        )  # fmt: skip
        st.caption(t("Every file in it was read back and compared."))
    elif not (exports and exports[0].is_live):
        st.button(
            t("Make a zip"), icon=":material/folder_zip:", key=f"{key}.zip", on_click=_export, args=(model.id, key)
        )
    show_kept_error(key)


def _export(model_id: str, key: str) -> None:
    with kept_errors(key):
        models.export(model_id)
