"""Where sentences end."""

import pytest

from finetune_core.synthesis.sentences import sentence_spans, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One thing. Another thing! A third?", ["One thing.", "Another thing!", "A third?"]),
        ("A line that\nis wrapped. Next.", ["A line that\nis wrapped.", "Next."]),
        ("- first item\n- second item\n2) third", ["first item", "second item", "third"]),
        ("See e.g. Smith or Dr. Jones. Then stop.", ["See e.g. Smith or Dr. Jones.", "Then stop."]),
        ("Version 3.11 is out. It is fast.", ["Version 3.11 is out.", "It is fast."]),
        ("Çok soğuk. İçeri girin. Şimdi.", ["Çok soğuk.", "İçeri girin.", "Şimdi."]),
        ("He said “Stop.” Then he left.", ["He said “Stop.”", "Then he left."]),
        ("...\n\n---", []),
        ("", []),
    ],
)
def test_splits(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_spans_point_into_the_text() -> None:
    text = "  One.  Two here.\n\n* Three"
    assert [text[start:end] for start, end in sentence_spans(text)] == ["One.", "Two here.", "Three"]
