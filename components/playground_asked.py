"""What language models say to one example, next to each other, growing while they say it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import streamlit as st

from components.playground_said import Fill, playground_said
from components.text import plain, t
from finetune_core.errors import FinetuneError
from finetune_core.workspace import playground
from finetune_core.workspace.playground import Contender


def playground_asked(
    project_id: str, contenders: Sequence[Contender], kind: str, texts: dict[str, str], expected: str, *, key: str
) -> None:
    """Ask, once for the same example and models, and show what each says while it says it, beside what is right ("" for none)."""
    ids = tuple(contender.id for contender in contenders)
    if expected:
        st.caption(t("Right"))
        st.code(expected, language=None, wrap_lines=True)
    places: dict[str, Fill] = {}
    for column, contender in zip(st.columns(len(contenders)), contenders, strict=True):
        with column:
            places[contender.id] = playground_said(contender.name, key=f"{key}_{contender.id}")
    if st.session_state.get(f"{key}_for") != (project_id, ids, texts):
        slot = st.empty()  # below the answers, so that nothing moves when it goes
        with slot.container(), st.spinner(t("Asking …"), show_time=True), _cleared_if_it_fails(places):
            bar = st.empty()
            answers = playground.ask(
                project_id, ids, kind, texts, lambda done, text: bar.progress(done, plain(text)) and None,
                lambda contender_id, text: places[contender_id](text),
            )  # fmt: skip
        slot.empty()
        st.session_state[f"{key}_answers"], st.session_state[f"{key}_for"] = answers, (project_id, ids, texts)
    for answer in st.session_state[f"{key}_answers"]:
        places[answer.id](answer)


@contextmanager
def _cleared_if_it_fails(places: Mapping[str, Fill]) -> Iterator[None]:
    """What was said until then is not an answer, and does not stay."""
    try:
        yield
    except FinetuneError:
        for fill in places.values():
            fill("")
        raise
