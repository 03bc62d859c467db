"""Files built here, good and hostile, read in the parser process or refused with a reason."""

import csv
import json
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from finetune_core.corpus.isolation import ParserProcess
from finetune_core.corpus.parsed import Limits, Parsed, number_ranges
from finetune_core.errors import CorpusError

SMALL = Limits(max_file_bytes=3_000_000, max_pages=25, max_unpacked_bytes=5_000_000, timeout_s=60)


@pytest.fixture(scope="module")
def parser() -> Iterator[ParserProcess]:
    with ParserProcess(SMALL) as running:
        yield running


def pdf(
    num_pages: int, broken: tuple[int, ...] = (), title: str = "", password: str | None = None, outline: bool = False
) -> bytes:
    """A PDF with one line of text a page; `broken` pages name a filter that no reader has."""
    import io

    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for number in range(1, num_pages + 1):
        page = writer.add_blank_page(300, 300)
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 200 Td (This is the text of page {number}.) Tj ET".encode())
        if number in broken:
            stream[NameObject("/Filter")] = NameObject("/NoSuchFilter")
        page[NameObject("/Contents")] = writer._add_object(stream)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        if outline and number % 2:
            writer.add_outline_item(title=f"Chapter {number}", page_number=number - 1)
    if title:
        writer.add_metadata({"/Title": title})
    if password is not None:
        writer.encrypt(password, algorithm="AES-256")
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def read(parser: ParserProcess, folder: Path, name: str, data: bytes) -> Parsed:
    path = folder / "file"
    path.write_bytes(data)
    return parser.parse(path, name)


def refusal(parser: ParserProcess, folder: Path, name: str, data: bytes) -> str:
    with pytest.raises(CorpusError) as caught:
        read(parser, folder, name, data)
    assert caught.value.hint
    assert str(folder) not in caught.value.message
    return caught.value.message


def test_three_bad_pages_of_nineteen_cost_no_other_page(parser: ParserProcess, tmp_path: Path) -> None:
    parsed = read(parser, tmp_path, "report.pdf", pdf(19, broken=(4, 5, 12), title="Annual report"))
    assert parsed.missing == (4, 5, 12)
    assert parsed.reason.startswith("Pages 4-5, 12 of 19 could not be read:")
    assert parsed.num_pages == 19
    assert parsed.title == "Annual report"
    present = [number for number in range(1, 20) if f"text of page {number}." in parsed.text]
    assert present == [number for number in range(1, 20) if number not in (4, 5, 12)]


def test_an_outline_gives_headings(parser: ParserProcess, tmp_path: Path) -> None:
    parsed = read(parser, tmp_path, "a.pdf", pdf(4, outline=True))
    assert [section.heading for section in parsed.sections] == ["Chapter 1", "Chapter 3"]
    assert parsed.text[parsed.sections[1].start :].startswith("This is the text of page 3.")


def test_pdf_passwords(parser: ParserProcess, tmp_path: Path) -> None:
    assert "text of page 1." in read(parser, tmp_path, "open.pdf", pdf(1, password="")).text
    assert "password" in refusal(parser, tmp_path, "shut.pdf", pdf(1, password="secret"))


def test_limits(parser: ParserProcess, tmp_path: Path) -> None:
    assert "26 pages, more than 25" in refusal(parser, tmp_path, "long.pdf", pdf(26))
    assert "more than" in refusal(parser, tmp_path, "large.txt", b"word " * 700_000)
    assert "empty" in refusal(parser, tmp_path, "a.pdf", b"")


def test_zip_bombs_are_refused_before_they_are_unpacked(parser: ParserProcess, tmp_path: Path) -> None:
    def bomb(size: int) -> bytes:
        path = tmp_path / "bomb.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("word/document.xml", b"0" * size)
        return path.read_bytes()

    assert "unpacks to 9 MB, more than 4 MB" in refusal(parser, tmp_path, "bomb.docx", bomb(10_000_000))
    assert "times its size" in refusal(parser, tmp_path, "bomb.xlsx", bomb(4_900_000))


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.docx", b"PK\x03\x04 not really", "damaged"),
        ("a.docx", b"plain words", "is not one"),
        ("a.pdf", b"%PDF-1.4\n%%EOF", "damaged"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "old binary Office"),
        ("a.png", b"\x89PNG\r\n\x1a\n", ".png"),
        ("a.txt", bytes(range(256)) * 20, "binary"),
        ("a.json", b'{"a": [1, 2', "not valid JSON"),
        ("a.json", b"[" * 100_000, "not valid JSON"),
        ("a.jsonl", b"one\ntwo\n", "None of the 2 lines"),
        ("a.csv", b"\n\n", "white space"),
        ("a.html", b"<html><script>alert(1)</script></html>", "no text"),
        ("a.md", b"---\n***\n", "no word"),
    ],
)
def test_refused_with_the_reason(parser: ParserProcess, tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    assert reason in refusal(parser, tmp_path, name, data)


def test_an_archive_that_is_no_document(parser: ParserProcess, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "archive" in refusal(parser, tmp_path, "a.zip", (tmp_path / "a.zip").read_bytes())


def test_docx_pptx_xlsx(parser: ParserProcess, tmp_path: Path) -> None:
    import openpyxl
    import pptx

    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text, slide.placeholders[1].text = "Çalışma planı", "Ölçüm ve değerlendirme"
    deck.save(tmp_path / "deck")
    parsed = read(parser, tmp_path, "deck.pptx", (tmp_path / "deck").read_bytes())
    assert [section.heading for section in parsed.sections] == ["Çalışma planı"]
    assert "Ölçüm ve değerlendirme" in parsed.text

    book = openpyxl.Workbook()
    book.active.title = "Takımlar"
    for row in (["Takım", "Şehir", "Puan"], ["Göztepe", "İzmir", 61], ["Rizespor", "Rize", 52.5]):
        book.active.append(row)
    book.save(tmp_path / "book")
    parsed = read(parser, tmp_path, "book.xlsx", (tmp_path / "book").read_bytes())
    assert "Takım: Göztepe; Şehir: İzmir; Puan: 61\n\nTakım: Rizespor; Şehir: Rize; Puan: 52.5" in parsed.text
    assert parsed.sections[0].heading == "Takımlar"


def test_html_keeps_words_and_headings_and_nothing_else(parser: ParserProcess, tmp_path: Path) -> None:
    page = """<html><head><title>The page</title><style>p{}</style></head><body><h1>Main <em>part</em></h1>
      <p>Go <a href="http://x.example/?q=1">there</a>, <b>now</b>.</p><img src="http://198.51.100.7/x.png" alt="beacon">
      <script>stolen()</script><h2>Table</h2><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>snake_case</td></tr></table>"""
    parsed = read(parser, tmp_path, "a.html", page.encode())
    assert parsed.title == "The page"
    assert [section.heading for section in parsed.sections] == ["Main part", "Main part > Table"]
    assert "Go there, now." in parsed.text
    assert "snake_case" in parsed.text
    for unwanted in ("http", "stolen", "beacon", "<", "p{}"):
        assert unwanted not in parsed.text


def test_deeply_nested_html_ends_as_text(parser: ParserProcess, tmp_path: Path) -> None:
    parsed = read(parser, tmp_path, "deep.html", b"<div>" * 5000 + b"the bottom" + b"</div>" * 5000)
    assert parsed.text.strip() == "the bottom"


def test_delimiters_and_headers(parser: ParserProcess, tmp_path: Path) -> None:
    for name, delimiter in (("a.csv", ","), ("a.csv", ";"), ("a.csv", "|"), ("a.tsv", "\t")):
        path = tmp_path / "table"
        with path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, delimiter=delimiter).writerows(
                [["Name", "Note"], ["Ada", 'said "yes, I will"'], ["Alan", ""]]
            )
        assert (
            read(parser, tmp_path, name, path.read_bytes()).text == 'Name: Ada; Note: said "yes, I will"\n\nName: Alan'
        )
    assert read(parser, tmp_path, "a.csv", b"1,2\n3,4\n").text == "1 | 2\n\n3 | 4", "numbers are no header"


def test_json_and_json_lines(parser: ParserProcess, tmp_path: Path) -> None:
    content = [{"id": 1, "text": "Bir", "tags": ["a", "b"]}, {"id": 2, "inner": {"text": "İki"}}]
    assert (
        read(parser, tmp_path, "a.json", json.dumps(content).encode()).text
        == "id: 1\ntext: Bir\ntags: a, b\n\nid: 2\ninner text: İki"
    )
    parsed = read(parser, tmp_path, "a.jsonl", b'{"text": "one"}\n{broken\n{"text": "three"}\n')
    assert parsed.text == "text: one\n\ntext: three"
    assert parsed.missing == (2,)
    assert "2" in parsed.reason


def test_what_a_file_is_goes_by_its_bytes(parser: ParserProcess, tmp_path: Path) -> None:
    assert read(parser, tmp_path, "report.txt", pdf(1)).media_type == "application/pdf"
    assert read(parser, tmp_path, "NOTES", b"Plain words.").media_type == "text/plain"


CHILDREN = {
    "hangs": "import time; time.sleep(600)",
    "crashes": "import os; os.abort()",
    "babbles": "print('all is well')",
}


@pytest.mark.parametrize(
    ("kind", "reason"), [("hangs", "more than 1 s"), ("crashes", "crashed"), ("babbles", "crashed")]
)
def test_a_parser_that_does_not_answer(tmp_path: Path, kind: str, reason: str) -> None:
    calls: list[int] = []
    command = (sys.executable, "-c", f"import sys; sys.stdin.readline(); {CHILDREN[kind]}")
    with ParserProcess(Limits(timeout_s=1 if kind == "hangs" else 120), command) as parser:
        for _ in range(2):  # the second time in a new process
            with pytest.raises(CorpusError, match=reason):
                parser.parse(tmp_path / "x", "x", lambda: calls.append(1))
    assert calls


def test_memory_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" + "[[[1]]]," * 400_000 + "1]")
    with ParserProcess(Limits(memory_bytes=160 << 20)) as parser:
        with pytest.raises(CorpusError, match="memory") as caught:
            parser.parse(tmp_path / "a.json", "a.json")
        assert caught.value.hint
        (tmp_path / "b.txt").write_text("Still here.")
        assert parser.parse(tmp_path / "b.txt", "b.txt").text == "Still here."


def test_a_page_that_never_ends_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pypdf import PageObject

    from finetune_core.corpus.pdf import parse_pdf

    real = PageObject.extract_text

    def slow(page: PageObject) -> str:
        text = real(page)
        while "page 2." in text:
            time.sleep(0.01)
        return text

    monkeypatch.setattr(PageObject, "extract_text", slow)
    (tmp_path / "a.pdf").write_bytes(pdf(3))
    parsed = parse_pdf(tmp_path / "a.pdf", Limits(page_timeout_s=1.5))
    assert parsed.missing == (2,)
    assert "more than 1.5 s" in parsed.reason


def test_page_numbers_as_a_person_writes_them() -> None:
    assert number_ranges((1, 2, 3, 7)) == "1-3, 7"
    assert number_ranges(tuple(range(1, 40, 2))).endswith(", ...")
    assert number_ranges(()) == ""
