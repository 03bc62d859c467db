"""The settings form: every kind of field, its bounds, and where a problem is shown."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator, model_validator
from streamlit.testing.v1 import AppTest


class Colour(StrEnum):
    """A choice."""

    RED = "red"
    DARK_BLUE = "dark_blue"


class Sample(BaseModel):
    """One field of each kind."""

    epochs: int = Field(3, ge=1, le=10, title="Epochs", description="How often all pairs are seen.")
    seed: int = Field(0, gt=-1, lt=100)
    learning_rate: float = Field(5e-5, gt=0, le=1, title="Learning rate")
    margin: float = Field(0.05, ge=0, le=0.5)
    loss: Literal["contrastive", "cosine"] = "cosine"
    colour: Colour = Colour.DARK_BLUE
    shuffle: bool = True
    prefix: str = ""
    limit: Annotated[int, Field(ge=5)] | None = None
    note: str | None = Field(None, json_schema_extra={"multiline": True})
    kind: Literal["a", "b"] | None = None
    sizes: list[int] = [256, 128]
    tags: list[Literal["x", "y"]] = []
    patience: int = Field(2, ge=1, json_schema_extra={"advanced": True}, title="Patience")
    hidden: str = "kept"

    @field_validator("prefix")
    @classmethod
    def _no_newline(cls, value: str) -> str:
        if "#" in value:
            raise ValueError("A prefix has no hash.")
        return value

    @field_validator("patience")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("Patience is even.")
        return value

    @model_validator(mode="after")
    def _together(self) -> "Sample":
        if self.epochs == 9 and self.shuffle:
            raise ValueError("Nine epochs cannot be shuffled.")
        return self


def _page() -> None:
    import streamlit as st

    from components.config_form import config_form
    from tests.ui.test_config_form import Sample

    config = config_form(Sample, key="f", values={"hidden": "given", "epochs": 4}, skip={"hidden"})
    st.session_state.config = config


def _open() -> AppTest:
    app = AppTest.from_function(_page, default_timeout=120).run()
    assert not app.exception
    return app


def test_untouched_form_gives_defaults_and_given_values() -> None:
    assert _open().session_state.config == Sample(hidden="given", epochs=4)


def test_titles_descriptions_and_bounds_reach_the_widgets() -> None:
    app = _open()
    epochs = app.number_input(key="f.epochs")
    assert (epochs.label, epochs.help, epochs.min, epochs.max) == ("Epochs", "How often all pairs are seen.", 1, 10)
    seed = app.number_input(key="f.seed")
    assert (seed.label, seed.min, seed.max) == ("Seed", 0, 99)
    assert app.number_input(key="f.learning_rate").proto.format == "%.1e"
    assert (app.slider(key="f.margin").min, app.slider(key="f.margin").max) == (0.0, 0.5)
    assert app.selectbox(key="f.colour").options == ["red", "dark blue"]
    assert app.text_area(key="f.note").value == ""
    assert [w.key for w in app.expander[0].number_input] == ["f.patience"]
    assert not [w for w in app.text_input if w.key == "f.hidden"]


def test_what_is_entered_comes_back_with_its_type() -> None:
    app = _open()
    app.number_input(key="f.learning_rate").set_value(1e-4)
    app.selectbox(key="f.loss").select("contrastive")
    app.selectbox(key="f.kind").select("b")
    app.toggle(key="f.shuffle").set_value(False)
    app.text_input(key="f.sizes").input("64, 32,")
    app.multiselect(key="f.tags").select("y")
    app.number_input(key="f.limit").set_value(7)
    app.text_area(key="f.note").input("two\nlines")
    app.run()
    config = app.session_state.config
    assert (config.learning_rate, config.loss, config.kind, config.shuffle) == (1e-4, "contrastive", "b", False)
    assert (config.sizes, config.tags, config.limit, config.note) == ([64, 32], ["y"], 7, "two\nlines")


def test_a_problem_is_shown_below_its_field_and_no_config_is_returned() -> None:
    app = _open()
    app.text_input(key="f.prefix").input("#1").run()
    assert app.session_state.config is None
    assert [error.value for error in app.error] == ["A prefix has no hash\\."]
    order = [element.key if element.type == "text_input" else element.type for element in app.main]
    assert order[order.index("f.prefix") :].index("error") < order[order.index("f.prefix") :].index("f.sizes")
    order = [
        child.key if hasattr(child, "key") else child.type
        for child in app.main
        if child.type in ("text_input", "error")
    ]
    assert order.index("f.prefix") < len(order)


def test_a_wrong_item_of_a_list_is_named() -> None:
    app = _open()
    app.text_input(key="f.sizes").input("64, many").run()
    assert app.session_state.config is None
    assert "valid integer" in app.error[0].value


def test_a_problem_behind_the_expander_is_shown_outside_too() -> None:
    app = _open()
    app.number_input(key="f.patience").set_value(3).run()
    assert app.session_state.config is None
    assert [error.value for error in app.error if "Patience:" in error.value] == ["Patience: Patience is even\\."]
    assert len(app.expander[0].error) == 1


def test_a_rule_over_several_fields_is_shown_below_the_form() -> None:
    app = _open()
    app.number_input(key="f.epochs").set_value(9).run()
    assert app.session_state.config is None
    assert [error.value for error in app.error] == ["Nine epochs cannot be shuffled\\."]
    app.toggle(key="f.shuffle").set_value(False).run()
    assert app.session_state.config.epochs == 9
