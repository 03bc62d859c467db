"""One pair at a time, by single keys: the card, what comes next, how far it is."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from components.errors import shown_errors
from components.review_alike import review_alike
from components.text import t
from finetune_core.errors import FinetuneError
from finetune_core.workspace import pairs
from finetune_core.workspace.pairs import PairFilter, PairState, PairView

_HERE = Path(__file__)
_component = st.components.v2.component(
    "ayar_review_card",
    html='<div class="ayar-review"></div>\n',
    js=_HERE.with_suffix(".js").read_text(encoding="utf-8"),
    css=_HERE.with_suffix(".css").read_text(encoding="utf-8"),
)
_AHEAD = 8
"""Pairs sent along: a fast reader presses again before the server has answered."""


@st.fragment
def review_card(project_id: str, chosen: PairFilter, *, key: str) -> None:
    """Draw the next pair of the filter; decisions, edits, skips and undos are written as the keys are pressed."""
    memory = _memory(project_id, chosen, key)
    with shown_errors():
        data = _data(project_id, chosen, memory)
        _component(key=key, data=data, on_outbox_change=lambda: _work_through(project_id, chosen, key))
        if not data["cards"]:
            _onwards(project_id)
    if memory["alike"] and review_alike(project_id, memory["alike"], key=f"{key}_alike"):
        memory |= {"alike": "", "first": ""}
        st.rerun(scope="fragment")


def _onwards(project_id: str) -> None:
    """Where to go once nothing waits any more, under whatever filter."""
    counts = pairs.progress(project_id).counts
    if counts[PairState.ACCEPTED] and not counts[PairState.PENDING]:
        st.page_link(
            "../pages/train.py", label=t("Freeze them and train"), icon=":material/arrow_forward:",
            icon_position="right", query_params={"project": project_id},
        )  # fmt: skip


def _data(project_id: str, chosen: PairFilter, memory: Mapping[str, Any]) -> dict[str, Any]:
    """What the browser draws: the next pairs, how far the review is, and what became of its presses."""
    progress = pairs.progress(project_id, chosen)
    cards = pairs.upcoming(project_id, chosen, memory["after"], _AHEAD)
    if memory["first"]:
        first = pairs.get(project_id, memory["first"])
        cards = [first, *(card for card in cards if card.pair.id != first.pair.id)]
    return {
        "project": project_id,
        "filter": repr(chosen),
        "session": memory["session"],
        "acked": memory["acked"],
        "failed": memory["failed"],
        "cards": [_card(card) for card in cards],
        "can_undo": progress.can_undo,
        "done": progress.num_done,
        "total": progress.num_done + progress.counts[PairState.PENDING],
        "progress": _progress_text(progress),
        "pace": _pace_text(progress),
        "empty": t("No pair is left under this filter. Undo brings the last one back; another filter shows others."),
        "labels": _labels(),
    }


def _memory(project_id: str, chosen: PairFilter, key: str) -> dict[str, Any]:
    """Where this session is under this filter: the place in the order, and what the browser was told."""
    # The session's own name tells presses of this session from those a reconnected tab repeats after a restart.
    new = {"session": uuid.uuid4().hex, "acked": 0, "failed": [], "place": None, "alike": ""}
    memory = st.session_state.setdefault(f"{key}_memory", new)
    place = (project_id, chosen)
    if memory["place"] != place:
        memory |= {"place": place, "after": 0, "first": "", "failed": [], "alike": ""}
    return memory


def _work_through(project_id: str, chosen: PairFilter, key: str) -> None:
    """Do what the browser has asked since the last time, in order; each once, however often it is sent."""
    memory = _memory(project_id, chosen, key)
    memory["failed"] = []
    for sent in st.session_state[key].get("outbox") or []:
        if sent["session"] != memory["session"] or sent["n"] <= memory["acked"]:
            continue
        memory |= {"first": "", "alike": ""}
        try:
            _do(project_id, sent, memory)
        except FinetuneError as error:
            memory["failed"].append({"n": sent["n"], "message": f"{error.message} {error.hint}"})
            memory["first"] = sent.get("id", "")
        memory["acked"] = sent["n"]


def _do(project_id: str, sent: Mapping[str, Any], memory: dict[str, Any]) -> None:
    if sent["action"] == "undo":
        if step := pairs.undo(project_id):
            memory |= {"after": step.pairs[0].seq - 1, "first": step.pairs[0].id}
        return
    if sent["action"] == "alike":
        memory |= {"alike": sent["id"], "first": sent["id"]}
        return
    if sent["action"] != "skip":
        state = PairState.ACCEPTED if sent["action"] == "accept" else PairState.REJECTED
        pairs.decide(
            project_id, sent["id"], int(sent["version"]), state, question=sent["question"], answer=sent["answer"]
        )
    memory["after"] = int(sent["seq"])


def _card(view: PairView) -> dict[str, Any]:
    pair = view.pair
    facts = [_source(pair)]
    if pair.set_aside_by:
        detail = pair.outcomes.get(pair.set_aside_by, {}).get("detail", "")
        facts.append(t("set aside by {name}", name=pair.set_aside_by) + (f": {detail}" if detail else ""))
    if pair.split:
        facts.append(pair.split)
    if pair.original is not None:
        facts.append(t("edited"))
    return {
        "id": pair.id, "seq": pair.seq, "version": pair.version, "question": pair.question, "answer": pair.answer,
        "evidence": pair.evidence, "state": pair.state.value, "state_text": state_text(pair.state), "facts": facts,
        "passages": [_passage(one) for one in view.passages],
    }  # fmt: skip


def _passage(one: pairs.PassageView) -> dict[str, Any]:
    start, end = one.evidence or (len(one.text), len(one.text))
    shown = {"before": one.text[:start], "marked": one.text[start:end], "after": one.text[end:]}
    return shown | {"document": one.document, "heading": one.heading, "grade": one.grade}


def _source(pair: pairs.Pair) -> str:
    return {"generated": t("generated"), "imported": t("imported"), "written": t("written by hand")}[pair.source]


def state_text(state: str) -> str:
    """A state for people."""
    return {
        "": t("Any state"),
        PairState.PENDING: t("Pending"),
        PairState.ACCEPTED: t("Accepted"),
        PairState.REJECTED: t("Rejected"),
        PairState.ASIDE: t("Set aside"),
    }[state]


def _progress_text(progress: pairs.Progress) -> str:
    total = progress.num_done + progress.counts[PairState.PENDING]
    return t("{done} of {total} reviewed", done=f"{progress.num_done:,}", total=f"{total:,}")


def _pace_text(progress: pairs.Progress) -> str:
    if progress.pairs_per_hour is None or progress.hours_left is None:
        return ""
    if not progress.counts[PairState.PENDING]:
        return t("{pace} pairs an hour", pace=f"{progress.pairs_per_hour:,.0f}")
    return t(
        "{pace} pairs an hour, about {left} min left",
        pace=f"{progress.pairs_per_hour:,.0f}",
        left=f"{60 * progress.hours_left:,.0f}",
    )


def _labels() -> dict[str, str]:
    return {
        "accept": t("Accept"), "reject": t("Reject"), "edit": t("Edit"), "skip": t("Skip"), "undo": t("Undo"),
        "question": t("Question"), "answer": t("Answer"), "passage": t("Passage"), "evidence": t("The quote that answers"),
        "quote": t("Quote"), "grade": t("grade"), "key": t("key"), "alike": t("Reject all like this one…"),
        "loading": t("Loading the next pair"),
        "draft": t("Edited, not saved yet: Accept or Ctrl+Enter saves it, Reject too."),
        "stale_draft": t("This pair was changed elsewhere since you typed; your text is in the boxes."),
        "hint": t("In a box: Ctrl+Enter accepts, Esc leaves the box, so that the keys work again."),
    }  # fmt: skip
