"""Providers: named endpoints, whether their key is there, a test, and a form to add or change one."""

from dataclasses import dataclass

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
            "Any OpenAI-compatible service, and Cohere. Keys stay in the environment or in the file .env; "
            "only the variable's name is kept."
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
            st.badge(_kinds()[one.kind].title, color="blue")
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
            is_tested = st.button(t("Test"), icon=":material/network_check:", key=f"{mine}_test")
            st.button(t("Delete"), icon=":material/delete:", type="tertiary", key=f"{mine}_delete",
                      on_click=providers.delete, args=(one.id,))  # fmt: skip
        if is_tested:
            _probe(one.name)
        with st.expander(t("Change"), key=f"{mine}_change"):
            _fields(one, mine)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What the form offers for one kind of service; the examples are shown in empty fields."""

    title: str
    model: str
    example_url: str
    example_variable: str
    default_url: str = ""
    default_variable: str = ""


def _kinds() -> dict[str, _Kind]:
    url = "https://api.cohere.com"
    return {
        "openai": _Kind(t("OpenAI-compatible"), "gpt-5-mini", "https://api.openai.com/v1", "OPENAI_API_KEY"),
        "cohere": _Kind(t("Cohere"), "rerank-v3.5", url, "CO_API_KEY", url, "CO_API_KEY"),
    }


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


def _fields(one: providers.Provider | None, key: str) -> None:
    prices = one.prices if one else providers.Prices()
    kinds = _kinds()
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
        left, right = st.columns(2)
        left.number_input(
            t("Dollars for a million input tokens"), 0.0, None, prices.input_usd_per_million, key=f"{key}_input_usd"
        )
        if chosen == "cohere":
            right.number_input(
                t("Dollars for a thousand searches"), 0.0, None, prices.usd_per_thousand_searches,
                key=f"{key}_searches_usd", help=t("A search is a question ranked against up to a hundred passages."),
            )  # fmt: skip
        else:
            right.number_input(
                t("Dollars for a million output tokens"), 0.0, None, prices.output_usd_per_million,
                key=f"{key}_output_usd",
            )  # fmt: skip
        st.text_input(
            t("Prices looked up on"), prices.on, key=f"{key}_prices_on", placeholder=t("today"),
            help=t("Prices change; this date is shown wherever a cost is."),
        )  # fmt: skip
        st.form_submit_button(t("Save"), type="primary", on_click=_save, args=(one.id if one else "", key))
    show_kept_error(key)


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
        providers.save(**values, kind=kind, provider_id=provider_id)
        if not provider_id:  # the form is for the next one now
            for widget in (keys | prices).values():
                entered.pop(widget, None)


def _price_text(prices: providers.Prices) -> str:
    if prices.usd_per_thousand_searches is not None:
        each = prices.usd_per_thousand_searches
        return t("\\${each:g} for a thousand searches, looked up on {day}.", each=each, day=prices.on)
    if not prices.are_known:
        return t("No prices entered: costs cannot be estimated or capped in dollars.")
    return t(
        "\\${given:g} in, \\${taken:g} out for a million tokens, looked up on {day}.",
        given=prices.input_usd_per_million,
        taken=prices.output_usd_per_million,
        day=prices.on,
    )
