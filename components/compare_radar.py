"""Answers of base, tuned and teacher on all metrics at once, who graded them, and what an answer takes."""

import streamlit as st

from components.answer_bars import answer_bars
from components.answer_costs import answer_costs
from components.answer_radar import Scored, answer_radar
from components.judge_facts import judge_facts
from components.text import t
from finetune_core.workspace import panels
from finetune_core.workspace.comparisons import ComparisonView

_TEACHERS = ("teacher", "second teacher")


def compare_radar(view: ComparisonView, system: str, *, key: str) -> None:
    """Charts where texts were compared with texts, costs wherever systems answered in words; nothing elsewhere."""
    if not view.has_answers:
        return
    base, tuned = view.system(view.difference(system)["against"]), view.system(system)
    teachers = [each for each in view.floors(system) if each["facts"].get("is_teacher")]
    if "similarity" in view.result["metrics"]:
        st.subheader(t("The answers on every metric"), anchor=False)
        shown = [Scored(t("base"), "base", base["metrics"]), Scored(t("tuned"), "tuned", tuned["metrics"])]
        shown += [Scored(each["name"], role, each["metrics"]) for each, role in zip(teachers, _TEACHERS, strict=False)]
        titles = {name: view.result["titles"][name] for name in view.result["metrics"]}
        answer_radar(shown, titles, key=key)
        answer_bars(shown, titles, key=key)
    judged = [each["facts"]["judge"] for each in (base, tuned, *teachers) if "judge" in each["facts"]]
    if (judge := panels.joined_judge(judged)) is not None:
        judge_facts(judge, key=f"{key}_judge")
    answer_costs([(each["name"], each["facts"]) for each in view.result["systems"]])
