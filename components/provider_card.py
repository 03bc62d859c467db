"""A provider there is: its state, its prices, a test, and the form to change it."""

import streamlit as st

from components.errors import shown_errors
from components.provider_fields import provider_fields
from components.provider_kinds import provider_kinds
from components.text import duration_text, plain, t
from finetune_core.workspace import providers


def provider_card(view: providers.ProviderView, *, key: str) -> None:
    """Draw one provider; the form to change it is folded away."""
    one = view.provider
    with st.container(border=True, key=key):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{plain(one.name)}**", width="content")
            st.badge(provider_kinds()[one.kind].title, color="blue")
            if not one.key_variable:
                st.badge(t("no key needed"), color="gray")
            elif view.is_key_set:
                st.badge(t("key set"), color="green", icon=":material/key:")
            else:
                st.badge(t("key missing"), color="red", icon=":material/key_off:")
        st.text(f"{one.model}\n{one.base_url}")
        st.caption(_price_text(one.prices))
        if training := one.prices.training_usd_per_million:
            each = ", ".join(f"{plain(model)} \\${price:g}" for model, price in training.items())
            st.caption(t("For a million training tokens: {each}, looked up on {day}.", each=each, day=one.prices.on))
        if view.env_line:
            st.caption(t("Add this line to the file .env; it is read again by each job:"))
            st.code(view.env_line, language=None)
        with st.container(horizontal=True):
            is_tested = st.button(t("Test"), icon=":material/network_check:", key=f"{key}_test")
            st.button(t("Delete"), icon=":material/delete:", type="tertiary", key=f"{key}_delete",
                      on_click=providers.delete, args=(one.id,))  # fmt: skip
        if is_tested:
            _probe(one.name)
        with st.expander(t("Change"), key=f"{key}_change"):
            provider_fields(one, key=key)


def _probe(name: str) -> None:
    """Ask for something small, and show what came back."""
    with st.spinner(t("Asking for something small")), shown_errors():
        outcome = providers.probe(name)
        took = duration_text(outcome.seconds)
        if outcome.output_tokens:
            st.success(t("It answered in {took}, with {num} tokens:", took=took, num=outcome.output_tokens))
        else:
            st.success(t("It answered in {took}:", took=took))
        st.text(outcome.answer[:200] or t("(nothing)"))


def _price_text(prices: providers.Prices) -> str:
    if prices.usd_per_thousand_searches is not None:
        each = prices.usd_per_thousand_searches
        return t("\\${each:g} for a thousand searches, looked up on {day}.", each=each, day=prices.on)
    if prices.input_usd_per_million is not None and not prices.are_known:
        return t(
            "\\${given:g} for a million input tokens, looked up on {day}.",
            given=prices.input_usd_per_million,
            day=prices.on,
        )
    if not prices.are_known:
        return t("No prices entered: costs cannot be estimated or capped in dollars.")
    return t(
        "\\${given:g} in, \\${taken:g} out for a million tokens, looked up on {day}.",
        given=prices.input_usd_per_million,
        taken=prices.output_usd_per_million,
        day=prices.on,
    )
