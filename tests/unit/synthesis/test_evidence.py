"""Quotes are found in spite of a model's slips, and never where they do not stand."""

import pytest

from finetune_core.synthesis.evidence import locate_quote

PASSAGE = (
    "You’ll usually have the option of taking the test at home.\nApply within the first 3 days of having symptoms. "
    "İzmir'de sınav İstanbul'dan önce başlar. Results come back after 48 hours at most."
)


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("Apply within the first 3 days of having symptoms.", "Apply within the first 3 days of having symptoms."),
        ("“Apply within the first 3 days of having symptoms”", "Apply within the first 3 days of having symptoms"),
        ("You'll usually have the option of taking the test", "You’ll usually have the option of taking the test"),
        ("apply  within the first three days of having symptoms", "Apply within the first 3 days of having symptoms"),
        ("Results come back after 48 hours", "Results come back after 48 hours"),
        ("izmir'de sınav istanbul'dan önce başlar", "İzmir'de sınav İstanbul'dan önce başlar"),
    ],
)  # fmt: skip
def test_finds_the_exact_part(quote: str, found: str) -> None:
    located = locate_quote(PASSAGE, quote)
    assert located in PASSAGE
    assert located.strip(" .") == found.strip(" .")


@pytest.mark.parametrize(
    "quote", ["", "test", "It costs forty pounds, paid at the counter.", PASSAGE[:40] + " and bring a dog along with you"]
)  # fmt: skip
def test_finds_nothing_that_is_not_there(quote: str) -> None:
    assert locate_quote(PASSAGE, quote) == ""


def test_always_whole_words() -> None:
    located = locate_quote(
        "Alpha bravo charliedelta echo foxtrot golf hotel india.", "bravo charlie echo foxtrot golf hotel"
    )
    words = ["Alpha", "bravo", "charliedelta", "echo", "foxtrot", "golf", "hotel", "india"]
    assert located
    assert set(located.split()) <= set(words)
