"""Comparisons: rows with a question, two answers and the better one, and PandaLM's votes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from finetune_core.corpus.interchange.fields import group_of, id_of, list_of, split_of, text_of
from finetune_core.corpus.interchange.messages import read_messages
from finetune_core.corpus.interchange.preference_rows import PREFERENCE_FIELDS, preference_of
from finetune_core.corpus.interchange.row_formats import Brought, RowFormat, Rows
from finetune_core.errors import DatasetError
from finetune_core.records import Comparison, Message, Preference, content_id

_MEANS = {
    "first": Preference.FIRST, "a": Preference.FIRST, "1": Preference.FIRST,
    "second": Preference.SECOND, "b": Preference.SECOND, "2": Preference.SECOND,
    "tie": Preference.TIE, "0": Preference.TIE, "draw": Preference.TIE, "both": Preference.TIE,
}  # fmt: skip


def _read_rows(rows: Rows) -> Iterator[Brought]:
    for where, row in rows:
        yield _brought(row, row, where)


def _read_pandalm(rows: Rows) -> Iterator[Brought]:
    for where, row in rows:
        given = row.get("id", row.get("idx"))
        votes = row.get("votes") or [row[name] for name in ("annotator1", "annotator2", "annotator3") if name in row]
        instruction = text_of(row, ("instruction",), where).strip() or text_of(row, ("input",), where, needed=True)
        yield _brought(
            row,
            {
                "id": given,
                "query": "\n\n".join(
                    dict.fromkeys(part for part in (instruction, text_of(row, ("input",), where)) if part)
                ),
                "first": row.get("response_a", row.get("response1")),
                "second": row.get("response_b", row.get("response2")),
                "votes": votes,
                "winner": row.get("label"),
                "group": row.get("group") or group_of({}, instruction),
            },
            where,
        )


def _read_preferences(rows: Rows) -> Iterator[Brought]:
    """Which answer stands first follows from the texts, and not from which is better, so that the place tells nothing."""
    for where, row in rows:
        found = preference_of(row, where)
        messages = read_messages(found.messages, where)
        better, worse = (
            _said(read_messages([*messages, one], where)[-1], where) for one in (found.preferred, found.non_preferred)
        )
        turns = [f"{one['role']}: {_said(one, where)}" for one in messages]
        query = _said(messages[0], where) if len(messages) == 1 else "\n".join(turns)
        is_first = int(content_id(query, *sorted((better, worse)))[-1], 16) % 2 == (better < worse)
        told = {"id": row.get("id"), "query": query, "group": row.get("group")}
        answers = {"first": better, "second": worse} if is_first else {"first": worse, "second": better}
        yield _brought(row, told | answers | {"winner": "first" if is_first else "second"}, where)


def _said(message: Message, where: str) -> str:
    if message.get("tool_calls"):
        raise DatasetError(
            f"{where} calls functions, which a comparison has no place for.", hint="Import it as chats instead."
        )
    return str(message["content"])


def write_openai(pairs: Iterable[Comparison]) -> list[dict[str, Any]]:
    """Lines of OpenAI's file for tuning by preference; ties have none. Raises DatasetError where all are ties."""
    return [
        {
            "input": {"messages": [{"role": "user", "content": one.query}]},
            "preferred_output": [{"role": "assistant", "content": better}],
            "non_preferred_output": [{"role": "assistant", "content": worse}],
        }
        for one, better, worse in _decided(pairs)
    ]


def write_trl(pairs: Iterable[Comparison]) -> list[dict[str, Any]]:
    """The same as lines of TRL's preference data."""
    return [{"prompt": one.query, "chosen": better, "rejected": worse} for one, better, worse in _decided(pairs)]


def _decided(pairs: Iterable[Comparison]) -> list[tuple[Comparison, str, str]]:
    """The pairs that are no ties, each with its better and its worse answer."""
    found = [
        (one, *((one.first, one.second) if one.winner == Preference.FIRST else (one.second, one.first)))
        for one in pairs
        if one.winner != Preference.TIE
    ]
    if not found:
        raise DatasetError("All of these comparisons are ties.", hint="Export them as JSONL.")
    return found


FORMATS = (
    RowFormat("Comparisons", ("query|question", "first", "second", "winner|votes"), _read_rows),
    RowFormat(
        "PandaLM", ("instruction", "response_a|response1", "response_b|response2", "votes|annotator1"), _read_pandalm
    ),
    *(RowFormat(title, needs, _read_preferences) for title, needs in PREFERENCE_FIELDS.items()),
)


def _read_ungraded(rows: Rows) -> Iterator[Brought]:
    """The same rows without what anybody preferred: all are ties."""
    names = ("query", "question", "first", "second", "reference", "group")
    for where, row in rows:
        yield _brought(row, {**{name: row[name] for name in names if name in row}, "winner": "tie"}, where)


def _read_ungraded_pandalm(rows: Rows) -> Iterator[Brought]:
    graded = ("id", "idx", "votes", "annotator1", "annotator2", "annotator3")
    yield from _read_pandalm(
        [(where, {**{n: v for n, v in row.items() if n not in graded}, "label": "tie"}) for where, row in rows]
    )


UNGRADED = (
    RowFormat("Questions with two answers", ("query|question", "first", "second"), _read_ungraded),
    RowFormat("PandaLM", ("instruction", "response_a|response1", "response_b|response2"), _read_ungraded_pandalm),
)
"""Pairs of answers that nobody has compared; where somebody did, that is left out."""


def _brought(row: Mapping[str, Any], told: Mapping[str, Any], where: str) -> Brought:
    """The comparison; where nobody says who won, the answer with most votes did, and nobody on equal votes."""
    votes = tuple(_preference(vote, where) for vote in list_of(told, "votes", where))
    winner = told.get("winner")
    if winner in (None, "") and not votes:
        raise DatasetError(f"{where} does not say which answer won.", hint="Write first, second or tie.")
    query = text_of(told, ("query", "question"), where, needed=True)
    first, second = (text_of(told, (name,), where) for name in ("first", "second"))
    one = Comparison(
        id_of(told, query, first, second, votes, winner), query, first, second,
        _most(votes) if winner in (None, "") else _preference(winner, where), group_of(told, query),
        text_of(row, ("reference",), where), text_of(row, ("feedback",), where), votes,
    )  # fmt: skip
    return Brought(one, split_of(row, where), where)


def _preference(value: Any, where: str) -> str:
    if (said := str(value).strip().lower()) not in _MEANS:
        raise DatasetError(
            f"{where}: {said[:40]!r} is no preference; there are first (a, 1), second (b, 2) and tie (0).",
            hint="Correct it in the file.",
        )
    return _MEANS[said].value


def _most(votes: tuple[str, ...]) -> str:
    counts = Counter(votes).most_common()
    return counts[0][0] if len(counts) == 1 or counts[0][1] > counts[1][1] else Preference.TIE.value
