"""What should not be learned by heart is taken out, and nothing else."""

from collections import Counter

import pytest

from finetune_core.corpus.redaction import Secret, find, redact, redact_all


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to ada.lovelace+x@example.co.uk.", "Write to [e-mail]."),
        ("key sk-proj-abcdefghijklmnop123 works", "key [key] works"),
        ("AKIAIOSFODNN7EXAMPLE", "[key]"),
        ("Card 4111 1111 1111 1111, please", "Card [card number], please"),
        ("Card 4111-1111-1111-1112 is mistyped", "Card 4111-1111-1111-1112 is mistyped"),
        ("Order 1234567890123 of 2026-11-26, 3.14159265358979", "Order 1234567890123 of 2026-11-26, 3.14159265358979"),
        ("Call +49 (30) 901820 or +1 415-555-2671.", "Call [telephone number] or [telephone number]."),
        ("2 + 2 is 4, +123 points, 030 901820", "2 + 2 is 4, +123 points, 030 901820"),
        ("skiing task-force user@host", "skiing task-force user@host"),
    ],
)
def test_secrets_go_and_the_rest_stays(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_every_text_of_an_example_is_looked_through_and_what_was_found_is_counted() -> None:
    found: Counter[Secret] = Counter()
    message = {"role": "user", "content": "a@b.de", "tool_calls": [{"arguments": '{"to": "c@d.de"}'}], "n": 2}
    assert redact_all((message,), found) == (
        {"role": "user", "content": "[e-mail]", "tool_calls": [{"arguments": '{"to": "[e-mail]"}'}], "n": 2},
    )
    assert found == {Secret.EMAIL: 2}


def test_only_the_kinds_that_are_wanted_are_taken_out() -> None:
    text = "ada@example.org, +49 30 901820"
    assert redact(text, kinds={Secret.PHONE}) == "ada@example.org, [telephone number]"
    assert [(one.kind, text[one.start : one.end]) for one in find(text)] == [
        (Secret.EMAIL, "ada@example.org"),
        (Secret.PHONE, "+49 30 901820"),
    ]
