"""What a model is: the facts of its manifest, and where it came from, back to the documents."""

from typing import Any

import streamlit as st

from components.text import plain, size_text, t, time_text, tn
from finetune_core import recipes
from finetune_core.workspace import model_card, models
from finetune_core.workspace.models import ModelView
from finetune_core.workspace.steering import steering

MAX_DOCUMENTS = 12


def model_facts(model: ModelView, *, key: str) -> None:
    """Two cards: the facts, and the way back."""
    left, right = st.columns(2)
    with left, st.container(border=True, height="stretch", key=f"{key}_facts"):
        st.subheader(t("Facts"), anchor=False)
        st.table({name: plain(value) for name, value in _facts(model).items()}, border="horizontal")
    with right, st.container(border=True, height="stretch", key=f"{key}_lineage"):
        st.subheader(t("Where it comes from"), anchor=False)
        _lineage(model)
    with st.expander(t("Settings it was trained with")):
        st.table(
            {name: plain(str(value)) for name, value in model.manifest.get("config", {}).items()}, border="horizontal"
        )
    with st.expander(t("Files and their SHA-256")):
        files = model.manifest.get("files", {})
        lines = (f"{about['sha256']}  {about['size_bytes']:>12,}  {name}" for name, about in files.items())
        st.code("\n".join(lines) or t("None."), language=None)


def _facts(model: ModelView) -> dict[str, str]:
    found: dict[str, Any] = model.manifest.get("facts", {})
    return {
        t("Task"): recipes.get(model.recipe).title,
        t("Tuned from"): str(model.manifest.get("base_model", "–")),
        t("Made"): time_text(model.created_at),
        t("Size"): size_text(model.size_bytes),
        **{t(name): t(value) for name, value in models.traits(model).items()},
        t("On validation"): _on_validation(model),
        t("Best checkpoint"): t("step {number}", number=found["best_step"]) if "best_step" in found else "–",
        t("Seed"): str(model.manifest.get("seed", "–")),
        t("Libraries"): ", ".join(f"{name} {version}" for name, version in model.manifest.get("libraries", {}).items())
        or "–",
        t("Id"): model.id,
    }


def _on_validation(model: ModelView) -> str:
    """From where to where, and for a loss what that means."""
    found = steering(recipes.get(model.recipe), model.manifest.get("config", {}), model.manifest.get("facts", {}))
    if found.best is None:
        return "–"
    if found.base is None:
        return t("{title} {value}", title=t(found.title), value=f"{found.best:.4f}")
    values = f"{found.base:.4f} → {found.best:.4f}"
    if not found.is_loss:
        return f"{values} {found.title}"
    if found.title != "loss" or found.token_chances is None:
        return t("{title} {values} (lower is better)", title=t(found.title), values=values)
    before, after = found.token_chances
    return t(
        "loss {values} (lower is better): it gives each token of a right answer a chance of {after}, the base {before}",
        values=values, before=f"{before:.0%}", after=f"{after:.0%}",
    )  # fmt: skip


def _lineage(model: ModelView) -> None:
    found = model_card.lineage(model.id)
    st.page_link(
        "../pages/runs.py", label=t("Run {id}", id=found.run_id), icon=":material/monitoring:",
        query_params={"project": model.project_id, "run": found.run_id},
    )  # fmt: skip
    st.markdown(
        t(
            ":material/ac_unit: Dataset **{name}** ({hash}): {train} questions to learn from, {validation} to choose, "
            "{test} to judge",
            name=plain(found.dataset_name or "–"), hash=plain(found.dataset_hash[:12]), train=f"{found.num_train:,}",
            validation=f"{found.num_validation:,}", test=f"{found.num_test:,}",
        )
    )  # fmt: skip
    if not found.documents:
        st.caption(t("The files of that dataset version are not there, so its documents cannot be listed."))
        return
    num = len(found.documents)
    st.markdown(f":material/description: {tn('{num} document', '{num} documents', num)}")
    shown = found.documents[:MAX_DOCUMENTS]
    st.table([{t("Document"): plain(one.name), t("Pairs"): f"{one.num_pairs:,}"} for one in shown], border="horizontal")
    if num > len(shown):
        st.caption(tn("and {num} more", "and {num} more", num - len(shown)))
