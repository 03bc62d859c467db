"""Judgements: rows with a question, an answer and its score, and FeedbackQA's ratings."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from finetune_core.corpus.interchange.fields import finite, group_of, id_of, list_of, number_of, split_of, text_of
from finetune_core.corpus.interchange.row_formats import Brought, RowFormat, Rows
from finetune_core.errors import DatasetError
from finetune_core.records import Judgement

QUERY, RESPONSE = ("query", "question"), ("response", "answer")
_RATINGS = {"bad": 0.0, "could be improved": 1.0, "acceptable": 2.0, "excellent": 3.0}
"""What FeedbackQA's raters said, as scores from 0 to 3."""


def _read_rows(rows: Rows) -> Iterator[Brought]:
    for where, row in rows:
        ratings = tuple(finite(one, "ratings", where) for one in list_of(row, "ratings", where))
        score = number_of(row, ("score",), where)
        if score is None and not ratings:
            raise DatasetError(f"{where} has no score.", hint="Give it one, or the ratings of several people.")
        lowest, highest = (number_of(row, (name,), where) for name in ("lowest", "highest"))
        one = _made(
            row, score if score is not None else fmean(ratings), ratings, where,
            (1.0 if lowest is None else lowest, 5.0 if highest is None else highest),
        )  # fmt: skip
        yield Brought(one, split_of(row, where), where)


def _read_feedbackqa(rows: Rows) -> Iterator[Brought]:
    """Ratings of several people, whose mean is the score. Where there are no rows to train on, those for validation are."""
    splits = {where: split_of(row, where) for where, row in rows}
    if "train" not in splits.values():
        splits = {where: "train" if name == "validation" else name for where, name in splits.items()}
    for where, row in rows:
        ratings = tuple(_rating(one, where) for one in list_of(row, "rating" if "rating" in row else "ratings", where))
        if not ratings:
            raise DatasetError(f"{where} has no ratings.", hint="Remove the row.")
        yield Brought(_made(_flat(row), fmean(ratings), ratings, where, (0.0, 3.0)), splits[where], where)


FORMATS = (
    RowFormat("FeedbackQA ratings", ("question", "answer", "ratings", "explanations"), _read_feedbackqa),
    RowFormat("FeedbackQA", ("question", "passage", "rating"), _read_feedbackqa),
    RowFormat("Judgements", ("query|question", "response|answer", "score|ratings"), _read_rows),
)


def _read_ungraded(rows: Rows) -> Iterator[Brought]:
    """The same rows without what anybody said of the answers: all have the lowest score."""
    for where, row in rows:
        flat = _flat(row) if "passage" in row else dict(row)
        plain = {name: value for name, value in flat.items() if name not in ("id", "feedback")}
        yield Brought(_made(plain, 1.0, (), where, (1.0, 5.0)), split_of(row, where), where)


UNGRADED = (
    RowFormat("FeedbackQA", ("question", "passage"), _read_ungraded),
    RowFormat("Questions with answers", ("query|question", "response|answer"), _read_ungraded),
)
"""Answers that nobody has scored; where somebody did, that is left out."""


def _made(
    row: Mapping[str, Any], score: float, ratings: tuple[float, ...], where: str, scale: tuple[float, float]
) -> Judgement:
    lowest, highest = scale
    if lowest >= highest:
        raise DatasetError(
            f"{where}: lowest is {lowest:g} and highest is {highest:g}.", hint="Lowest is less than highest."
        )
    if odd := [one for one in (score, *ratings) if not lowest <= one <= highest]:
        raise DatasetError(
            f"{where}: the score {odd[0]:g} lies outside {lowest:g} to {highest:g}.",
            hint="Say the scale in columns lowest and highest, or correct the score.",
        )
    query, response = text_of(row, QUERY, where, needed=True), text_of(row, RESPONSE, where, needed=True)
    return Judgement(
        id_of(row, query, response, score, ratings), query, response, score, group_of(row, query),
        text_of(row, ("reference",), where), text_of(row, ("feedback",), where), lowest, highest, ratings,
    )  # fmt: skip


def _rating(value: Any, where: str) -> float:
    if isinstance(value, str) and value.strip().lower() in _RATINGS:
        return _RATINGS[value.strip().lower()]
    return finite(value, f"the rating, of {', '.join(_RATINGS)}", where)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its answer and what was said about it as texts."""
    passage = row.get("passage")
    title, answer = row.get("answer_title"), row.get("answer")
    if isinstance(passage, Mapping) and isinstance(reference := passage.get("reference"), Mapping):
        headers = reference.get("section_headers") or []
        title, answer = (
            " > ".join([str(reference.get("page_title") or ""), *map(str, headers)]),
            reference.get("section_content"),
        )
    said = row.get("explanations") or row.get("feedback") or []
    texts = said if isinstance(said, list) else [said]
    return {
        **row, "answer": "\n".join(str(part) for part in (title, answer) if part),
        "feedback": "\n".join(str(text) for text in texts),
    }  # fmt: skip
