"""Text in every encoding people bring comes out letter by letter."""

import pytest

from finetune_core.corpus.encodings import decode
from finetune_core.errors import CorpusError

TURKISH = "Şırnak'ta üç kişi ağır yaralandı; İçişleri Bakanı olağanüstü önlemler alındığını söyledi."
FRENCH = "L'été a été très chaud cette année, où les élèves ont goûté une crème brûlée à Noël."
GERMAN = "Die schöne Frau hat einen Kaffee für fünf Groschen; das war köstlich, sagte der Bäcker am Fuß."
POLISH = "Zażółć gęślą jaźń; książka leży na stole, a święta zbliżają się wielkimi krokami."
CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy, když šel přes řeku."
RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. Быстрая лиса прыгает через ленивую собаку."
GREEK = "Η γρήγορη αλεπού πηδάει πάνω από το τεμπέλικο σκυλί, και ο ήλιος λάμπει στον ουρανό της Ελλάδας."
JAPANESE = "これは日本語の文章です。文字コードの判定を試験しています。"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
@pytest.mark.parametrize("text", [TURKISH, FRENCH, POLISH])
def test_unicode_with_and_without_a_mark(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (TURKISH, "cp1254"),
        (TURKISH, "iso8859-9"),
        (FRENCH, "cp1252"),
        (GERMAN, "cp1252"),
        (GERMAN, "latin-1"),
        (POLISH, "cp1250"),
        (CZECH, "cp1250"),
        (RUSSIAN, "cp1251"),
        (GREEK, "cp1253"),
    ],
)
def test_eight_bit_code_pages(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_two_languages_of_one_code_page() -> None:
    text = f"{FRENCH}\n{GERMAN}\nEl niño comió en España. É ótimo, não é?"
    assert decode(text.encode("cp1252")) == text


def test_turkish_is_not_taken_for_central_european_even_when_mostly_ascii() -> None:
    text = "The mayor of Istanbul said: olağanüstü. " * 20 + "Şişli ve Beyoğlu."
    assert decode(text.encode("cp1254")) == text


def test_a_declared_charset_is_believed_only_where_it_fits() -> None:
    page = f"<html><head><meta charset='utf-8'></head><body>{TURKISH}</body></html>"
    assert decode(page.encode("cp1254"), is_markup=True) == page
    japanese = f"<html><head><meta charset='shift_jis'></head><body>{JAPANESE}</body></html>"
    assert decode(japanese.encode("shift_jis"), is_markup=True) == japanese


def test_empty_and_ascii() -> None:
    assert decode(b"") == ""
    assert decode(b"plain text") == "plain text"


@pytest.mark.parametrize("data", [bytes(range(256)) * 8, b"\x89PNG\r\n\x1a\n" + b"\x00\x01\x02\x03" * 300])
def test_binary_data_is_refused(data: bytes) -> None:
    with pytest.raises(CorpusError, match="binary") as caught:
        decode(data)
    assert caught.value.hint
