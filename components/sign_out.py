"""The way out, for whoever signed in."""

import streamlit as st

from components.sign_in import is_oidc_configured
from components.text import t
from finetune_core.workspace import installation

_form = st.components.v2.component(
    "ayar_sign_out",
    html='<form method="post" action="/logout">\n<button type="submit"></button>\n</form>',
    css=(
        "button { font: inherit; color: var(--st-text-color); background: transparent; cursor: pointer; padding: .5rem 1rem;\n"
        "border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius); }\n"
        "button:hover { border-color: var(--st-primary-color); color: var(--st-primary-color); }"
    ),
    js=(
        "export default function ({ data, parentElement }) {\n"
        "  parentElement.querySelector('button').textContent = data.label;\n"
        "}"
    ),
)


def sign_out(*, key: str) -> None:
    """Draw a button, if there is a session to end."""
    if is_oidc_configured() and st.user.is_logged_in:
        st.button(t("Sign out"), icon=":material/logout:", on_click=st.logout, key=key)
    elif installation.password():
        # A form of its own: signing out is a POST, since a mere link could be planted on any site.
        _form(key=key, data={"label": t("Sign out")})
