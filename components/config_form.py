"""A recipe's settings as a form: every field of a pydantic model becomes a widget, and its checks become messages.

A field's `title` is the label, its `description` the help, its bounds the widget's bounds. Its `json_schema_extra` may
say `"advanced": True` (behind an expander) or `"multiline": True` (a text area).
"""

import types
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import annotated_types
import streamlit as st
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from streamlit.delta_generator import DeltaGenerator

from components.text import plain, t

Config = TypeVar("Config", bound=BaseModel)
Widget = Callable[[FieldInfo, Any, str], Any]
"""A widget of one's own for a field: takes the field, its present value and a key, returns what was entered."""


def config_form(
    model: type[Config],
    *,
    key: str,
    values: Mapping[str, Any] | None = None,
    skip: Collection[str] = (),
    widgets: Mapping[str, Widget] | None = None,
) -> Config | None:
    """Ask for the fields of `model`; the validated config, or None while something entered is not allowed.

    `values` replaces defaults (those of an earlier run, say) and gives the fields in `skip`, which are not shown;
    `widgets` has widgets of one's own by field name. What is wrong stands below the field it is about.
    """
    start = dict(values or {})
    shown = {name: field for name, field in model.model_fields.items() if name not in skip}
    entered = {name: start[name] for name in skip if name in start}
    slots: dict[str, DeltaGenerator] = {}

    def ask(names: list[str]) -> None:
        for name in names:
            widget = (widgets or {}).get(name, field_widget)
            entered[name] = widget(shown[name], start.get(name, _default(shown[name])), f"{key}.{name}")
            slots[name] = st.container()

    ask([name for name, field in shown.items() if not _extra(field, "advanced")])
    if advanced := [name for name, field in shown.items() if _extra(field, "advanced")]:
        with st.expander(t("Advanced settings"), icon=":material/tune:"):
            ask(advanced)
    try:
        return model.model_validate(entered)
    except ValidationError as error:
        _show(error, slots, {name: _title(name, field) for name, field in shown.items()}, set(advanced))
        return None


def _show(
    error: ValidationError, slots: Mapping[str, DeltaGenerator], titles: Mapping[str, str], hidden: set[str]
) -> None:
    """Each problem below its field; those that are about no field, or lie behind the expander, below the form too."""
    for problem in error.errors():
        name = str(problem["loc"][0]) if problem["loc"] else ""
        message = plain(problem["msg"].removeprefix("Value error, "))
        if name in slots:
            slots[name].error(message, icon=":material/error:")
        if name not in slots or name in hidden:
            st.error(f"{plain(titles.get(name, name))}: {message}" if name else message, icon=":material/error:")


def field_widget(field: FieldInfo, value: Any, key: str) -> Any:
    """The widget that fits the field's type; for texts, "" where the person left an optional one empty becomes None."""
    kind, optional = _kind(field.annotation)
    label, help_text = t(_title(key.rpartition(".")[2], field)), t(field.description) if field.description else None
    choices = _choices(kind)
    if choices and not optional:
        index = choices.index(value) if value in choices else 0
        return st.selectbox(label, choices, index=index, key=key, help=help_text, format_func=_choice_text)
    if choices:
        index = choices.index(value) if value in choices else None
        return st.selectbox(
            label, choices, index=index, key=key, help=help_text, format_func=_choice_text, placeholder=t("None")
        )
    if kind is bool:
        return st.toggle(label, bool(value), key=key, help=help_text)
    if kind in (int, float):
        return _number(kind, field, value, label, help_text, key, optional=optional)
    if get_origin(kind) in (list, tuple, set, frozenset):
        return _many(kind, value, label, help_text, key)
    ask = st.text_area if _extra(field, "multiline") else st.text_input
    text = ask(label, "" if value is None else str(value), key=key, help=help_text)
    return None if optional and not text else text


def _number(
    kind: type, field: FieldInfo, value: Any, label: str, help_text: str | None, key: str, *, optional: bool
) -> Any:
    low, high = _bounds(field)
    start = None if value is None else kind(value)
    is_share = kind is float and low is not None and high is not None and 0.1 <= high - low <= 1 and not optional
    # A learning rate lies far below a slider's step.
    if is_share and (field.is_required() or field.default == round(float(field.default), 2)):
        return st.slider(label, float(low), float(high), start, step=0.01, key=key, help=help_text)
    options: dict[str, Any] = {"key": key, "help": help_text, "placeholder": t("Not set") if optional else None}
    options |= {"min_value": None if low is None else kind(low), "max_value": None if high is None else kind(high)}
    if kind is int:
        return st.number_input(label, value=start, step=1, **options)
    size = abs(start) if start else 1.0
    small = size < 0.01
    return st.number_input(
        label, value=start, step=size / 10 if small else 0.01, format="%.1e" if small else "%g", **options
    )


def _many(kind: Any, value: Any, label: str, help_text: str | None, key: str) -> list[Any]:
    """Several values: chosen where the type lists them, else typed with commas between; pydantic converts them."""
    items = [part for part in get_args(kind) if part is not Ellipsis]
    if choices := _choices(items[0]) if items else []:
        return st.multiselect(label, choices, list(value or []), key=key, help=help_text, format_func=_choice_text)
    text = st.text_input(
        label, ", ".join(map(str, value or [])), key=key, help=help_text, placeholder=t("Values with commas between")
    )
    return [part.strip() for part in text.split(",") if part.strip()]


def _kind(annotation: Any) -> tuple[Any, bool]:
    """The type without `| None` and `Annotated`, and whether None is allowed."""
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [part for part in get_args(annotation) if part is not type(None)]
        return _kind(parts[0])[0], len(parts) < len(get_args(annotation))
    if hasattr(annotation, "__metadata__"):
        return _kind(annotation.__origin__)
    return annotation, False


def _choices(kind: Any) -> list[Any]:
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return list(kind) if isinstance(kind, type) and issubclass(kind, Enum) else []


def _choice_text(choice: Any) -> str:
    text = str(choice.value if isinstance(choice, Enum) else choice)
    return t(text.replace("_", " "))


def _bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    """The least and greatest value; exclusive bounds of whole numbers are moved by one, others are left to pydantic."""
    low = high = None
    whole = _kind(field.annotation)[0] is int
    for rule in field.metadata:
        if isinstance(rule, annotated_types.Ge):
            low = rule.ge
        elif isinstance(rule, annotated_types.Gt):
            low = rule.gt + 1 if whole else rule.gt  # type: ignore[operator]
        elif isinstance(rule, annotated_types.Le):
            high = rule.le
        elif isinstance(rule, annotated_types.Lt):
            high = rule.lt - 1 if whole else rule.lt  # type: ignore[operator]
    return low, high  # type: ignore[return-value]


def _default(field: FieldInfo) -> Any:
    value = field.get_default(call_default_factory=True)
    return None if value is PydanticUndefined else value


def _title(name: str, field: FieldInfo) -> str:
    return field.title or name.replace("_", " ").capitalize()


def _extra(field: FieldInfo, name: str) -> bool:
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get(name))
