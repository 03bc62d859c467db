"""Settings: providers, disk, processes, spend, and the settings in force."""

import streamlit as st

from components.processes import processes
from components.provider_form import provider_form
from components.settings_table import settings_table
from components.sign_out import sign_out
from components.spend_table import spend_table
from components.storage_table import storage_table
from components.text import t
from components.url_state import url_state


def page() -> None:
    """Draw the page; only the open section does its work."""
    st.title(t("Settings"), anchor=False)
    sections = {
        t("Providers"): provider_form,
        t("Storage"): storage_table,
        t("Processes"): processes,
        t("Spend"): spend_table,
        t("Variables"): settings_table,
    }
    url_state("section", {title: title for title in sections})
    tabs = st.tabs(list(sections), key="section", on_change="rerun", bind="query-params")
    for tab, (title, draw) in zip(tabs, sections.items(), strict=True):
        with tab:
            if tab.open:
                draw(key=title)
    sign_out(key="sign_out")


page()
