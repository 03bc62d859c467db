"""The form to add or change a provider; its fields follow the interface that is chosen."""

import streamlit as st

from components.errors import kept_errors, show_kept_error
from components.provider_kinds import provider_kinds
from components.text import t
from finetune_core.workspace import providers


def provider_fields(one: providers.Provider | None, *, key: str) -> None:
    """Draw the form for `one`, or for a new provider."""
    prices = one.prices if one else providers.Prices()
    kinds = provider_kinds()
    chosen = st.segmented_control(
        t("Interface"), list(kinds), format_func=lambda kind: kinds[kind].title, default=one.kind if one else "openai",
        required=True, key=f"{key}_kind",
    )  # fmt: skip
    kind = kinds[chosen]
    with st.form(f"{key}_form", border=False):
        left, right = st.columns(2)
        left.text_input(t("Name"), one.name if one else "", key=f"{key}_name", max_chars=120)
        right.text_input(t("Model"), one.model if one else "", key=f"{key}_model", placeholder=kind.model)
        left, right = st.columns(2)  # a row each, so that a narrow screen, which stacks them, keeps the order
        left.text_input(
            t("Base URL"),
            one.base_url if one else kind.default_url,
            key=f"{key}_{chosen}_base_url",
            placeholder=kind.example_url,
        )
        right.text_input(
            t("Variable that holds the key"), one.key_variable if one else kind.default_variable,
            key=f"{key}_{chosen}_key_variable", placeholder=kind.example_variable,
            help=t("The variable's name, not the key. Empty for a service without keys."),
        )  # fmt: skip
        _prices(prices, chosen, key)
        st.form_submit_button(t("Save"), type="primary", on_click=_save, args=(one.id if one else "", key))
    show_kept_error(key)


def _prices(prices: providers.Prices, kind: str, key: str) -> None:
    left, right = st.columns(2)
    left.number_input(
        t("Dollars for a million input tokens"), 0.0, None, prices.input_usd_per_million, key=f"{key}_input_usd"
    )
    if kind == "cohere":
        right.number_input(
            t("Dollars for a thousand searches"), 0.0, None, prices.usd_per_thousand_searches,
            key=f"{key}_searches_usd", help=t("A search is a question ranked against up to a hundred passages."),
        )  # fmt: skip
    else:
        right.number_input(
            t("Dollars for a million output tokens"), 0.0, None, prices.output_usd_per_million,
            key=f"{key}_output_usd",
        )  # fmt: skip
    if kind == "openai":
        st.text_area(
            t("Dollars for a million training tokens, a model a line"), providers.training_prices_text(prices),
            key=f"{key}_training_usd", placeholder=t("gpt-4.1-mini-2025-04-14 5.00"), height=90,
            help=t("Only for a service that tunes models: what training each one costs there. The name is the service's own."),
        )  # fmt: skip
    st.text_input(
        t("Prices looked up on"), prices.on, key=f"{key}_prices_on", placeholder=t("today"),
        help=t("Prices change; this date is shown wherever a cost is."),
    )  # fmt: skip


def _save(provider_id: str, key: str) -> None:
    entered = st.session_state
    kind = entered[f"{key}_kind"]
    keys = {name: f"{key}_{name}" for name in ("name", "model", "prices_on")}
    keys |= {name: f"{key}_{kind}_{name}" for name in ("base_url", "key_variable")}
    prices = {"input_usd_per_million": f"{key}_input_usd"}
    prices |= (
        {"usd_per_thousand_searches": f"{key}_searches_usd"}
        if kind == "cohere"
        else {"output_usd_per_million": f"{key}_output_usd"}
    )
    with kept_errors(key):
        values = {name: entered[widget] for name, widget in (keys | prices).items()}
        training = f"{key}_training_usd"
        values["training_usd_per_million"] = providers.training_prices(entered.get(training, ""))
        providers.save(**values, kind=kind, provider_id=provider_id)
        if not provider_id:  # the form is for the next one now
            for widget in (*(keys | prices).values(), training):
                entered.pop(widget, None)
