"""What every visible string goes through, and what stands at the door of the form: counted, escaped, throttled."""

import pytest

from components.server.attempts import Attempts
from components.server.requests import local_path
from components.text import duration_text, plain, size_text, t, tn


def test_messages_fill_their_fields() -> None:
    assert t("Hello") == "Hello"
    assert t("{a} of {b}", a=1, b="x{y}") == "1 of x{y}"
    assert t("100% of {this} stays as it is without values") == "100% of {this} stays as it is without values"
    assert (tn("{num} chunk", "{num} chunks", 1), tn("{num} chunk", "{num} chunks", 12345)) == (
        "1 chunk",
        "12,345 chunks",
    )


def test_plain_text_has_no_markup_left() -> None:
    assert plain("a  *b*\n![x](http://h)") == r"a \*b\* \!\[x\]\(http\:\/\/h\)".replace(r"\/", "/")
    assert plain(":material/home: $x$ <b>") == r"\:material/home\: \$x\$ \<b\>"
    assert plain("") == ""


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (123_456, "123 kB"), (5_250_000, "5.2 MB")],
)
def test_sizes_are_for_people(size: float, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0, "0 s"),
        (0.042, "42 ms"),
        (59.4, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize("path", ["/", "/review?state=x", "/a/b"])
def test_local_paths_stay(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize("path", ["", "review", "//x.y", "/\\x.y", "https://x.y", "/a\r\nb", "javascript:x", "/a\\b"])
def test_other_places_become_the_first_page(path: str) -> None:
    assert local_path(path) == "/"


def test_five_tries_a_minute_for_each_client() -> None:
    now = [100.0]
    attempts = Attempts(clock=lambda: now[0])
    for _ in range(4):
        attempts.failed("a")
        now[0] += 1
    assert attempts.wait_s("a") == 0
    attempts.failed("a")  # at 104; the first was at 100
    assert attempts.wait_s("a") == pytest.approx(56)
    assert attempts.wait_s("b") == 0
    now[0] = 160.5
    assert attempts.wait_s("a") == 0
    attempts.failed("a")
    assert attempts.wait_s("a") == pytest.approx(0.5)
