"""Which questions, besides the dataset's own, show what tuning cost elsewhere; and what that would send to services."""

from collections.abc import Sequence

import streamlit as st

from components.errors import shown_errors
from components.text import plain, t
from finetune_core.workspace import out_of_domain
from finetune_core.workspace.out_of_domain import Choice


def out_of_domain_choice(project_id: str, dataset_id: str, model_ids: Sequence[str], *, key: str) -> Choice | None:
    """The chosen questions, the demo's unless changed; None for none. Services are asked only where a person ticks that."""
    known = {offer.name: offer for offer in out_of_domain.offers(project_id, dataset_id)}
    name = st.selectbox(
        t("Also on questions the models were not tuned for"),
        list(known),
        format_func=lambda name: t(known[name].title) if name in known else name,
        key=f"{key}_name",
        help=t(
            "A gain on your questions is often paid for with a loss on others. Base and tuned are scored on these as well, "
            "and a loss is shown beside the gain. Every model reads all passages of the set, once."
        ),
    )
    choice = known[name].choice if name in known else None
    if choice is None:
        return None
    with shown_errors():
        if sent := out_of_domain.would_send(project_id, model_ids, choice):
            st.caption(" ".join(plain(sentence) for sentence in sent))
            allowed = st.checkbox(
                t("Send it; without, those models are not scored on these questions"), key=f"{key}_send"
            )
            return choice.model_copy(update={"to_services": allowed})
    return choice
