"""A frozen dataset version as a card: what is in it, how it was split, and whether anything leaks."""

from typing import Any

import streamlit as st

from components.text import plain, t, tn
from finetune_core.workspace.datasets import QUERIES, DatasetView
from finetune_core.workspace.demonstrations import KINDS

_RULES = {
    "document": "Split by document: no document is in two parts.",
    "group": "Split by group: no two examples of one, such as wordings of one question, are in two parts.",
    "imported": "The split is the one it was imported with.",
}


def dataset_card(dataset: DatasetView, *, key: str) -> None:
    """Draw the card. What its test set can show stands where a training is weighed up, in train_before_start."""
    manifest = dataset.manifest
    with st.container(border=True, key=key):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{plain(dataset.name)}**", width="content")
            _leakage_badge(manifest)
        columns = st.columns(3)
        labels = {"train": t("Training"), "validation": t("Validation"), "test": t("Test")}
        for column, (part, num) in zip(columns, dataset.num_examples.items(), strict=True):
            groups = manifest["num_groups"][part]
            note = tn("over {num} document", "over {num} documents", groups)
            if dataset.record in KINDS:
                note = tn("in {num} group", "in {num} groups", groups)
            if dataset.record == QUERIES:
                outside = manifest["num_out_of_scope"][part]
                note = tn("{num} of them is out of scope", "{num} of them are out of scope", outside)
            column.metric(labels[part], f"{num:,}", help=note)
        st.caption(f"{t(_RULES.get(manifest['split_rule'], ''))} {_searched(dataset)}")
        if warnings := [plain(t(warning)) for warning in manifest["warnings"]]:
            st.warning("\n\n".join(warnings), icon=":material/warning:")
        if dataset.record == QUERIES:
            _by_choice(manifest)
        _leakage(manifest["leakage"], key)


def _leakage_badge(manifest: dict[str, Any]) -> None:
    if manifest["leakage"]["is_leaking"]:
        st.badge(t("Leaks between the parts"), color="red", icon=":material/warning:")
    else:
        st.badge(t("No leaks found"), color="green", icon=":material/check:")


def _searched(dataset: DatasetView) -> str:
    num = dataset.manifest["num_searched"]["test"]
    if dataset.record in KINDS:
        return t("A group is a document, question, instruction, database or set of functions.")
    if dataset.record == QUERIES:
        return tn("There is {num} choice.", "There are {num} choices.", num)
    return tn("Test questions are searched in {num} passage.", "Test questions are searched in {num} passages.", num)


def _by_choice(manifest: dict[str, Any]) -> None:
    """How many queries of each part are for each choice, the choices with fewest first."""
    rows = sorted(manifest.get("num_by_choice", []), key=lambda row: (row["train"], row["test"]))
    if not rows:
        return
    titles = {"train": t("Training"), "validation": t("Validation"), "test": t("Test")}
    outside = {t("Choice"): t("out of scope"), **{titles[part]: manifest["num_out_of_scope"][part] for part in titles}}
    table = [{t("Choice"): row["choice"], **{titles[part]: row[part] for part in titles}} for row in rows]
    with st.expander(t("Queries for each choice"), icon=":material/alt_route:"):
        st.dataframe(
            [*table, outside], hide_index=True, alt=t("Queries for each choice"),
            height="content" if len(table) < 12 else 420,
        )  # fmt: skip


def _leakage(leakage: dict[str, Any], key: str) -> None:
    with st.expander(t("Leakage report"), key=f"{key}_leakage", icon=":material/policy:"):
        for sentence in leakage["sentences"]:
            st.text(t(sentence))
        if leakage["shared_questions"]:
            st.dataframe(leakage["shared_questions"], hide_index=True, alt=t("Questions that are in two parts"))
        if leakage["ambiguous"]:
            st.caption(t("Right passages that have a near-twin which counts as wrong:"))
            st.dataframe(leakage["ambiguous"], hide_index=True, alt=t("Test questions with a near-twin passage"))
