"""One example at a time, by single keys: the card, what comes next, how far it is."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from components.errors import shown_errors
from components.review_deck import Deck
from components.text import t
from finetune_core.errors import FinetuneError
from finetune_core.workspace.pairs import PairState
from finetune_core.workspace.reviewing import Progress

_HERE = Path(__file__)
_component = st.components.v2.component(
    "ayar_review_card",
    html='<div class="ayar-review"></div>\n',
    js=_HERE.with_suffix(".js").read_text(encoding="utf-8"),
    css=_HERE.with_suffix(".css").read_text(encoding="utf-8"),
)
_AHEAD = 8
"""Examples sent along: a fast reader presses again before the server has answered."""


@st.fragment
def review_card(deck: Deck, *, key: str) -> None:
    """Draw the next example of the deck; decisions, edits, skips and undos are written as the keys are pressed."""
    memory = _memory(deck, key)
    with shown_errors():
        data = _data(deck, memory, key)
        _component(key=key, data=data, on_outbox_change=lambda: _work_through(deck, key))
        if not data["cards"]:
            deck.onwards()
    if memory["alike"] and deck.alike and deck.alike(memory["alike"], f"{key}_alike"):
        memory |= {"alike": "", "first": ""}
        st.rerun(scope="fragment")


def _data(deck: Deck, memory: Mapping[str, Any], key: str) -> dict[str, Any]:
    """What the browser draws: the next examples, how far the review is, and what became of its presses."""
    progress = deck.progress()
    cards = list(deck.upcoming(memory["after"], _AHEAD))
    if memory["first"]:
        first = deck.get(memory["first"])
        cards = [first, *(card for card in cards if card["id"] != first["id"])]
    return {
        "project": deck.project_id,
        "deck": f"{deck.project_id} {key}",
        "filter": deck.place,
        "session": memory["session"],
        "acked": memory["acked"],
        "failed": memory["failed"],
        "cards": cards,
        "can_undo": progress.can_undo,
        "can_alike": deck.alike is not None,
        "done": progress.num_done,
        "total": progress.num_done + progress.counts[PairState.PENDING],
        "progress": _progress_text(progress),
        "pace": deck.pace(progress),
        "labels": _labels() | dict(deck.labels),
    }


def _memory(deck: Deck, key: str) -> dict[str, Any]:
    """Where this session is under this filter: the place in the order, and what the browser was told."""
    # The session's own name tells presses of this session from those a reconnected tab repeats after a restart.
    new = {"session": uuid.uuid4().hex, "acked": 0, "failed": [], "place": None, "alike": ""}
    memory = st.session_state.setdefault(f"{key}_memory", new)
    place = (deck.project_id, deck.place)
    if memory["place"] != place:
        memory |= {"place": place, "after": 0, "first": "", "failed": [], "alike": ""}
    return memory


def _work_through(deck: Deck, key: str) -> None:
    """Do what the browser has asked since the last time, in order; each once, however often it is sent."""
    memory = _memory(deck, key)
    memory["failed"] = []
    for sent in st.session_state[key].get("outbox") or []:
        if sent["session"] != memory["session"] or sent["n"] <= memory["acked"]:
            continue
        memory |= {"first": "", "alike": ""}
        try:
            _do(deck, sent, memory)
        except FinetuneError as error:
            memory["failed"].append({"n": sent["n"], "message": f"{error.message} {error.hint}"})
            memory["first"] = sent.get("id", "")
        memory["acked"] = sent["n"]


def _do(deck: Deck, sent: Mapping[str, Any], memory: dict[str, Any]) -> None:
    if sent["action"] == "undo":
        if back := deck.undo():
            memory |= {"after": back[0] - 1, "first": back[1]}
        return
    if sent["action"] == "alike":
        memory |= {"alike": sent["id"], "first": sent["id"]}
        return
    if sent["action"] != "skip":
        state = PairState.ACCEPTED if sent["action"] == "accept" else PairState.REJECTED
        deck.decide(sent["id"], int(sent["version"]), state, sent["values"])
    memory["after"] = int(sent["seq"])


def _progress_text(progress: Progress) -> str:
    total = progress.num_done + progress.counts[PairState.PENDING]
    return t("{done} of {total} reviewed", done=f"{progress.num_done:,}", total=f"{total:,}")


def _labels() -> dict[str, str]:
    return {
        "accept": t("Accept"), "reject": t("Reject"), "edit": t("Edit"), "skip": t("Skip"), "undo": t("Undo"),
        "passage": t("Passage"), "evidence": t("The quote that answers"), "quote": t("Quote"), "key": t("key"),
        "alike": t("Reject all like this one…"),
        "draft": t("Edited, not saved yet: Accept or Ctrl+Enter saves it, Reject too."),
        "hint": t("In a box: Ctrl+Enter accepts, Esc leaves the box, so that the keys work again."),
    }  # fmt: skip
