"""A demonstration as a card of the review: its answer as fields to edit, what was asked as texts to read."""

from typing import Any

from components.review_deck import Card, source_text, state_text
from components.text import t
from finetune_core.workspace import demonstration_fields
from finetune_core.workspace.demonstration_fields import FIELDS, Field, Form
from finetune_core.workspace.demonstrations import Demonstration

_STEPS = 20
"""A scale with more whole steps than this is no list to choose from; its score is typed."""


def demonstration_card(one: Demonstration) -> Card:
    """The card; a chat is shown turn by turn, calls come with what their schema does not allow."""
    facts = [source_text(one.source), *([one.generator] if one.generator else []), *([one.split] if one.split else [])]
    if one.set_aside_by:
        facts.append(t("set aside by {name}", name=one.set_aside_by))
    if one.original is not None:
        facts.append(t("edited"))
    texts = demonstration_fields.texts(one.kind, one.content)
    fields = [_field(field, texts[field.name], one.content) for field in FIELDS[one.kind] if field.is_answer]
    shown = _asked(one, texts)
    if problems := demonstration_fields.schema_problems(one.example):
        shown.insert(0, _passage(t("Not what the schema allows"), "\n".join(problems)))
    return {
        "id": one.id, "seq": one.seq, "version": one.version, "state": one.state.value,
        "state_text": state_text(one.state), "facts": facts, "fields": fields, "passages": shown,
    }  # fmt: skip


def _field(field: Field, text: str, content: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"name": field.name, "label": t(field.title), "value": text}
    if field.form is Form.WINNER:
        made["options"] = [["first", t("First")], ["second", t("Second")], ["tie", t("Tie")]]
    if field.form in (Form.SQL, Form.JSON):
        made["is_code"] = True
    if field.form is Form.NUMBER:
        lowest, highest = content["lowest"], content["highest"]
        made["label"] = t(
            "{field}, from {lowest} to {highest}", field=made["label"], lowest=f"{lowest:g}", highest=f"{highest:g}"
        )
        made["range"] = {"lowest": lowest, "highest": highest, "step": 1 if highest - lowest > _STEPS else 0.25}
    return made


def _asked(one: Demonstration, texts: dict[str, str]) -> list[dict[str, Any]]:
    """What the answer is about, each thing with its title; SQL comes first as it is, since its box shows no colours."""
    found: list[dict[str, Any]] = []
    for field in FIELDS[one.kind]:
        text, is_sql, is_code = texts[field.name], field.form is Form.SQL, field.form is Form.JSON
        if field.is_answer and is_sql:
            found.insert(0, _passage(t(field.title), text, is_sql=True))
        elif field.is_answer or not text:
            continue
        elif field.form is Form.MESSAGES:
            found += [_passage(t(who), said) for who, said in demonstration_fields.turns(one.content[field.name])]
        else:
            found.append(_passage(t(field.title), text, is_sql=is_sql, is_code=is_code))
    found += [_passage(t("Context"), text) for text in one.content.get("contexts", ())]
    if rejected := getattr(one.example, "rejected", None):
        [(_, said)] = demonstration_fields.turns([rejected])
        found.append(_passage(t("Rejected answer"), said))
    if ratings := one.content.get("ratings"):
        found.append(_passage(t("Ratings of several people"), ", ".join(f"{value:g}" for value in ratings)))
    if votes := one.content.get("votes"):
        found.append(_passage(t("Votes of several people"), ", ".join(votes)))
    return found


def _passage(title: str, text: str, *, is_sql: bool = False, is_code: bool = False) -> dict[str, Any]:
    shown = {"document": title, "heading": "", "before": text, "marked": "", "after": "", "note": ""}
    return shown | {"is_sql": is_sql, "is_code": is_code}
