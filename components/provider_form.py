"""Providers: named endpoints, whether their key is there, a test, and a form to add or change one."""

import streamlit as st

from components.errors import kept_errors, show_kept_error, shown_errors
from components.text import duration_text, plain, t
from finetune_core.workspace import providers


@shown_errors()
def provider_form(*, key: str) -> None:
    """Draw the providers there are, each with its state and buttons, and the form for a new one."""
    known = providers.listing()
    st.caption(
        t(
            "Any OpenAI-compatible service. Keys stay in the environment or in the file .env; only the variable's name is kept."
        )
    )
    for view in known:
        _card(view, key)
    if not known:
        st.info(t("None yet. Without one, the local model and the extractive generator still write questions."))
    with st.expander(t("Add a provider"), expanded=not known, icon=":material/add:", key=f"{key}_new"):
        _fields(None, f"{key}_new")


def _card(view: providers.ProviderView, key: str) -> None:
    one, mine = view.provider, f"{key}_{view.provider.id}"
    with st.container(border=True, key=mine):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{plain(one.name)}**", width="content")
            if not one.key_variable:
                st.badge(t("no key needed"), color="gray")
            elif view.is_key_set:
                st.badge(t("key set"), color="green", icon=":material/key:")
            else:
                st.badge(t("key missing"), color="red", icon=":material/key_off:")
        st.text(f"{one.model}\n{one.base_url}")
        st.caption(_price_text(one.prices))
        if view.env_line:
            st.caption(t("Add this line to the file .env; it is read again by each job:"))
            st.code(view.env_line, language=None)
        with st.container(horizontal=True):
            if st.button(t("Test"), icon=":material/network_check:", key=f"{mine}_test"):
                _probe(one.name)
            st.button(t("Delete"), icon=":material/delete:", type="tertiary", key=f"{mine}_delete",
                      on_click=providers.delete, args=(one.id,))  # fmt: skip
        with st.expander(t("Change"), key=f"{mine}_change"):
            _fields(one, mine)


def _probe(name: str) -> None:
    """Ask for one word, and show what came back."""
    with st.spinner(t("Asking for one word")), shown_errors():
        outcome = providers.probe(name)
        took = duration_text(outcome.seconds)
        st.success(t("It answered in {took}, with {num} tokens:", took=took, num=outcome.output_tokens))
        st.text(outcome.answer[:200] or t("(nothing)"))


def _fields(one: providers.Provider | None, key: str) -> None:
    prices = one.prices if one else providers.Prices()
    with st.form(f"{key}_form", border=False):
        left, right = st.columns(2)
        left.text_input(t("Name"), one.name if one else "", key=f"{key}_name", max_chars=120)
        right.text_input(t("Model"), one.model if one else "", key=f"{key}_model", placeholder="gpt-5-mini")
        left.text_input(
            t("Base URL"), one.base_url if one else "", key=f"{key}_base_url", placeholder="https://api.openai.com/v1"
        )
        right.text_input(
            t("Variable that holds the key"), one.key_variable if one else "", key=f"{key}_key_variable",
            placeholder="OPENAI_API_KEY", help=t("The variable's name, not the key. Empty for a service without keys."),
        )  # fmt: skip
        left.number_input(
            t("Dollars for a million input tokens"), 0.0, None, prices.input_usd_per_million, key=f"{key}_input_usd"
        )
        right.number_input(
            t("Dollars for a million output tokens"), 0.0, None, prices.output_usd_per_million, key=f"{key}_output_usd"
        )
        st.text_input(
            t("Prices looked up on"), prices.on, key=f"{key}_prices_on", placeholder=t("today"),
            help=t("Prices change; this date is shown wherever a cost is."),
        )  # fmt: skip
        st.form_submit_button(t("Save"), type="primary", on_click=_save, args=(one.id if one else "", key))
    show_kept_error(key)


def _save(provider_id: str, key: str) -> None:
    values = {
        name: st.session_state[f"{key}_{name}"] for name in ("name", "base_url", "model", "key_variable", "prices_on")
    }
    input_usd, output_usd = st.session_state[f"{key}_input_usd"], st.session_state[f"{key}_output_usd"]
    with kept_errors(key):
        providers.save(
            **values, input_usd_per_million=input_usd, output_usd_per_million=output_usd, provider_id=provider_id
        )
        if not provider_id:  # the form is for the next one now
            for name in (*values, "input_usd", "output_usd"):
                st.session_state.pop(f"{key}_{name}", None)


def _price_text(prices: providers.Prices) -> str:
    if not prices.are_known:
        return t("No prices entered: costs cannot be estimated or capped in dollars.")
    return t(
        "\\${given:g} in, \\${taken:g} out for a million tokens, looked up on {day}.",
        given=prices.input_usd_per_million,
        taken=prices.output_usd_per_million,
        day=prices.on,
    )
