"""The review of queries, one by one: the query and its choice beside its other wordings and what the choices are for."""

from collections.abc import Mapping

import streamlit as st

from components.queries_filter import choice_names, queries_filter
from components.review_card import review_card
from components.review_deck import Card, Deck, source_text, state_text
from components.text import t
from finetune_core.workspace import labelled
from finetune_core.workspace.labelled import Choice, PairState, QueryFilter, QueryView
from finetune_core.workspace.reviewing import Progress

_SHOWN_CHOICES = 12


def queries_review(project_id: str, *, key: str) -> None:
    """Draw the filter and the next query under it."""
    chosen = queries_filter(project_id, state=PairState.PENDING, key=key)
    names, described = choice_names(project_id), labelled.choices(project_id)

    def decide(query_id: str, version: int, state: PairState, values: Mapping[str, str]) -> None:
        labelled.decide(project_id, query_id, version, text=values["query"], label=values["label"], state=state)

    def undo() -> tuple[int, str] | None:
        step = labelled.undo(project_id)
        return (step.examples[0].seq, step.examples[0].id) if step else None

    deck = Deck(
        project_id, repr(chosen), _labels(),
        progress=lambda: labelled.progress(project_id, chosen), pace=_pace_text,
        upcoming=lambda after, num: [
            _card(one, names, described) for one in labelled.upcoming(project_id, chosen, after, num)
        ],
        get=lambda query_id: _card(labelled.get(project_id, query_id), names, described),
        decide=decide, undo=undo, onwards=lambda: _onwards(project_id, chosen),
    )  # fmt: skip
    review_card(deck, key=f"{key}_card")


def _onwards(project_id: str, chosen: QueryFilter) -> None:
    """Where to go once nothing waits any more, under whatever filter."""
    counts = labelled.progress(project_id).counts
    if counts[PairState.PENDING]:
        return
    page, label = (
        ("train", t("Freeze them and train")) if counts[PairState.ACCEPTED] else ("generate", t("Write queries"))
    )
    st.page_link(
        f"../pages/{page}.py", label=label, icon=":material/arrow_forward:", icon_position="right",
        query_params={"project": project_id, "kind": "queries"},
    )  # fmt: skip


def _card(view: QueryView, names: Mapping[str, str], described: list[Choice]) -> Card:
    query = view.query
    facts = [source_text(query.source)]
    if query.set_aside_by:
        facts.append(t("set aside by {name}", name=query.set_aside_by) + f": {query.set_aside_why}".rstrip(": "))
    if query.split:
        facts.append(query.split)
    fields = [
        {"name": "query", "label": t("Query"), "value": query.query},
        {"name": "label", "label": t("Choice"), "value": query.label, "options": [list(one) for one in names.items()]},
    ]
    # The choice it is for comes first; whoever looks for a better one finds the others below.
    ordered = sorted(described, key=lambda one: one.id != query.label)[:_SHOWN_CHOICES]
    shown = [_passage(one.name, one.description, t("its choice") if one.id == query.label else "") for one in ordered]
    if view.wordings:
        said = "\n".join(f"• {one.query}  ({state_text(one.state)})" for one in view.wordings)
        shown.insert(0, _passage(t("Other wordings of the same question"), said, ""))
    return {
        "id": query.id, "seq": query.seq, "version": query.version, "state": query.state.value,
        "state_text": state_text(query.state), "facts": facts, "fields": fields, "passages": shown,
    }  # fmt: skip


def _passage(title: str, text: str, note: str) -> dict[str, str]:
    shown = text or t("no description")
    return {"document": title, "heading": "", "before": shown, "marked": "", "after": "", "note": note}


def _pace_text(progress: Progress) -> str:
    if progress.per_hour is None or progress.hours_left is None:
        return ""
    pace = f"{progress.per_hour:,.0f}"
    if not progress.counts[PairState.PENDING]:
        return t("{pace} queries an hour", pace=pace)
    return t("{pace} queries an hour, about {left} min left", pace=pace, left=f"{60 * progress.hours_left:,.0f}")


def _labels() -> dict[str, str]:
    return {
        "loading": t("Loading the next query"),
        "empty": t("No query is left under this filter. Undo brings the last one back; another filter shows others."),
        "stale_draft": t("This query was changed elsewhere since you typed; your text is in the boxes."),
        "passage": t("Choice"),
        "hint": t("1 to 9 or L choose another choice. In a box: Ctrl+Enter accepts, Esc leaves the box, so that the keys "
                  "work again."),
    }  # fmt: skip
