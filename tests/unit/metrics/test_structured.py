"""Function calls against the right ones, by hand."""

from typing import Any

import pytest

from finetune_core.metrics.structured import CallScore, same_value, score_calls


def call(name: str, accepted: dict[str, list[Any]] | None = None, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments} | ({"accepted": accepted} if accepted else {})


BOOK = call("book", people=2, day="Friday")


@pytest.mark.parametrize(
    ("said", "right", "expected"),
    [
        ([BOOK], [BOOK], CallScore(True, True, 2, 2, 2)),
        ([call("book", people=2.0, day=" friday ")], [BOOK], CallScore(True, True, 2, 2, 2)),
        ([call("book", people=3, day="Friday", time="8")], [BOOK], CallScore(False, True, 1, 3, 2)),
        ([call("cancel", people=2, day="Friday")], [BOOK], CallScore(False, False, 0, 2, 2)),
        ([], [BOOK], CallScore(False, False, 0, 0, 2)),
        ([BOOK], [], CallScore(False, False, 0, 2, 0)),
        ([], [], CallScore(True, True, 0, 0, 0)),
        ([call("b", x=2), call("a", x=1)], [call("a", x=1), call("b", x=2)], CallScore(True, True, 2, 2, 2)),
        ([BOOK, BOOK], [BOOK], CallScore(False, False, 2, 4, 2)),
        ([call("now")], [call("now")], CallScore(True, True, 0, 0, 0)),
    ],
)
def test_calls_are_compared_whatever_their_order(said: Any, right: Any, expected: CallScore) -> None:
    assert score_calls(said, right) == expected


def test_each_call_is_held_against_the_one_it_is_meant_for() -> None:
    said = [call("get", city="Rome", unit="C"), call("get", city="Oslo", unit="F")]
    right = [call("get", city="Oslo", unit="C"), call("get", city="Rome", unit="C")]
    assert score_calls(said, right) == CallScore(False, True, 3, 4, 4)


def test_one_of_several_accepted_values_is_right_and_some_may_be_left_out() -> None:
    right = call("area", {"base": [10, "10"], "unit": ["units", None]}, base=10)
    assert score_calls([call("area", base=10)], [right]) == CallScore(True, True, 1, 1, 1)
    assert score_calls([call("area", base="10", unit="units")], [right]) == CallScore(True, True, 2, 2, 2)
    assert score_calls([call("area", base=10, unit="miles")], [right]) == CallScore(False, True, 1, 2, 2)
    assert score_calls([call("area")], [right]) == CallScore(False, True, 0, 0, 1)


def test_nested_fields_count_one_by_one_and_a_list_is_one_field() -> None:
    right = call("send", to={"name": "Ada", "tags": ["a", "b"]})
    assert score_calls([call("send", to={"name": "Ada", "tags": ["b", "a"]})], [right]) == CallScore(
        False, True, 1, 2, 2
    )


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [(1, 1.0, True), (True, 1, False), ("1", 1, False), (None, None, True), ([1, "A"], [1.0, "a"], True), ({}, [], False)],
)  # fmt: skip
def test_values_are_the_same_as_numbers_and_as_texts_but_never_across(one: Any, other: Any, is_same: bool) -> None:
    assert same_value(one, other) is is_same
