"""Streamlit's own OpenID Connect sign-in, where `.streamlit/secrets.toml` has an [auth] section."""

import streamlit as st

from components.text import t


def sign_in() -> None:
    """Let a signed-in reader through; show everyone else the way in, and nothing more."""
    if not is_oidc_configured() or st.user.is_logged_in:
        return
    _, middle, _ = st.columns([1, 2, 1])
    with middle, st.container(border=True, gap="medium"):
        st.title("Ayar", anchor=False)
        st.text(t("Sign in to see this dashboard."))
        st.button(t("Sign in"), type="primary", icon=":material/login:", on_click=st.login, key="sign_in")
    st.stop()


def is_oidc_configured() -> bool:
    """Whether the secrets have an [auth] section."""
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets
