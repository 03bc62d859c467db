"""What each kind of example is called on the pages that are about all of them."""

from dataclasses import dataclass

from components.text import t, tn
from finetune_core.workspace import datasets
from finetune_core.workspace.demonstrations import NAMES


@dataclass(frozen=True, slots=True)
class KindWords:
    """`review` names the kind in links (`?kind=`), `part` the view of Review where the first ones come in.

    `title` stands on switches; `frozen` says what a version of it is, `taken` what a freeze would take, `missing` what there is
    to do while there is none, and `bring` is the button that leads there.
    """

    review: str
    part: str
    title: str
    frozen: str
    taken: str
    missing: str
    bring: str


def kind_words(record: str, num: int = 0) -> KindWords:
    """The words for a kind of record, by the name of its class; `num` are counted in `taken`."""
    taken = tn("{num} accepted example is taken.", "{num} accepted examples are taken.", num)
    bring = t("Import or write some")
    return {
        datasets.PAIRS: KindWords(
            "pairs", "", t("Questions and passages"),
            t("A dataset version is your accepted pairs, frozen and split. Make one to train on."),
            tn("{num} accepted pair is taken.", "{num} accepted pairs are taken.", num), "", "",
        ),
        datasets.QUERIES: KindWords(
            "queries", "choices", t("Queries for choices"),
            t("A dataset version is your accepted queries with their choices, frozen and split."),
            tn("{num} accepted query is taken.", "{num} accepted queries are taken.", num),
            t("A router learns from queries, each labelled with the choice it is for. This project has none yet."),
            t("Write or import queries"),
        ),
        "Chat": KindWords(
            NAMES["Chat"], "files", t("Chats"), t("A dataset version is your accepted chats, frozen and split."),
            taken, t("A small model learns from chats that a strong one answered. This project has none yet."),
            bring,
        ),
        "ToolCall": KindWords(
            NAMES["ToolCall"], "files", t("Function calls"),
            t("A dataset version is your accepted calls, frozen and split."),
            taken, t("A model learns to call functions from requests with the right calls. This project has none yet."),
            bring,
        ),
        "Judgement": KindWords(
            NAMES["Judgement"], "files", t("Scored answers"),
            t("A dataset version is your scored answers, frozen and split."),
            taken, t("A judge learns from answers with the score that people or a strong judge gave. This project has none yet."),
            bring,
        ),
        "Comparison": KindWords(
            NAMES["Comparison"], "files", t("Compared answers"),
            t("A dataset version is your compared answers, frozen and split."),
            taken, t("A judge learns from two answers and which was preferred. This project has none yet."),
            bring,
        ),
        "SqlQuestion": KindWords(
            NAMES["SqlQuestion"], "files", t("SQL questions"),
            t("A dataset version is your questions with their SQL, frozen and split."),
            taken, t("A model learns SQL from questions with the query that answers them. This project has none yet."),
            bring,
        ),
    }[record]  # fmt: skip
