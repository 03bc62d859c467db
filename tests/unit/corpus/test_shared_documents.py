"""Every real and malformed file of the shared documents ends in a state, with the right text or the right reason."""

import json
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from finetune_core.corpus.isolation import ParserProcess
from finetune_core.errors import CorpusError
from tests.conftest import SHARED_DATA

FOLDER = SHARED_DATA / "documents"
MANIFEST = FOLDER / "manifest.json"
FILES = [entry["file"] for entry in json.loads(MANIFEST.read_text("utf-8"))] if MANIFEST.is_file() else []
FILES = [file for file in FILES if (FOLDER / file).is_file()]

REFUSED = {  # file name to what its reason must say
    "GHOSTSCRIPT-698804-1-fuzzed.pdf": "no text",
    "Pages-tree-refs.pdf": "cyclic page references",
    "REDHAT-1531897-0.pdf": "damaged",
    "bug1020226.pdf": "damaged",
    "bug1980958.pdf": "damaged",
    "issue15590.pdf": "damaged",
    "poppler-85140-0.pdf": "damaged",
    "poppler-395-0-fuzzed.pdf": "None of the 1 pages could be read",
    "empty.txt": "empty",
    "empty_protected.pdf": "no text",
    "fake-text-all-whitespace.txt": "white space",
    "loremipsum-flat.pdf": "scanned",
    "table-multi-row-column-cells.pdf": "scanned",
    "password.pdf": "password",
    "password_protected.xlsx": "password",
    "testODTnotaZipFile.odt": ".odt",
    "testWORD_truncated.docx": "damaged",
}

SNIPPETS = {  # file name to words that must be in its text
    "20071229X02007.pdf": ["National Transportation Safety Board"],
    "AMAZON_2022_10K.pdf": ["SECURITIES AND EXCHANGE COMMISSION", "Chief Financial Officer"],
    "copy-protected.pdf": ["LayoutParser"],
    "helloworld-bad.pdf": ["Hello, world!"],
    "normal_4pages.pdf": ["코로나"],
    "handbook-872p.docx": ["Executive Office for United States Trustee"],
    "docx-tables.docx": ["Header Col 1"],
    "sample-presentation.pptx": ["With a subtitle"],
    "fake-power-point-malformed.pptx": ["Test Slide"],
    "Sunum-turkish.pptx": ["EKİBİMİZ", "Uğur Can KÖK"],
    "stanley-cups.xlsx": ["Team: Blues; Location: STL; Stanley Cups: 1"],
    "stanley-cups-utf-16.csv": ["Team: Blues; Location: STL"],
    "table-semicolon-delimiter.csv": ["Year: 2022; Month: 1"],
    "fake-text-utf-16-le.txt": ["This is a test document to use for unit tests."],
    "fake-text-utf-16-be.txt": ["This is a test document to use for unit tests."],
    "fake-text-utf-32.txt": ["This is a test document to use for unit tests."],
    "example-steelJIS-datasheet-utf-16.html": ["Japanese Steels and Alloys"],
    "fake-html-cp1252.html": ["Die schöne Frau", "köstlich", "L'été"],
    "testTXT_win-1252.txt": ["a “windows” encoding"],
    "testHTMLNoisyMetaEncoding_1.html": ["الاتحاد الجزائري"],
    "windows-1254-_ude_1.txt": ["Terör örgütünün bankası olur mu?", "imtiyazlı ortakların", "BDDK’ya"],
    "windows-1254-_chromium_windows-1254_with_no_encoding_specified.html": ["Saklıbahçe'nin 'çeşmebaşı' mevkiinde"],
    "tr-features.md": ["Özellikler", "Açık Standartlara Dayalı"],
    "fake-email.eml": ["Subject: Test Email", "Roses are red"],
    "wiki_duck.html": ["Anatidae"],
}


def first_pages(file: Path, beginning: Path) -> None:
    """Write the first six pages of a PDF."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter()
    writer.append(PdfReader(file), pages=(0, 6))
    writer.write(beginning)


def first_blocks(file: Path, beginning: Path) -> None:
    """Write a Word document with the first 500 paragraphs and tables, and everything else that the file holds."""
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(beginning, "w", zipfile.ZIP_DEFLATED) as part:
        for name in whole.namelist():
            content = whole.read(name)
            if name == "word/document.xml":
                document = ElementTree.fromstring(content)
                del document[0][500:-1]
                content = ElementTree.tostring(document)
            part.writestr(name, content)


SHORTENED: dict[str, Callable[[Path, Path], None]] = {
    "AMAZON_2022_10K.pdf": first_pages,
    "handbook-872p.docx": first_blocks,
}
"""Files too long for every run of the tests: their beginnings are read. `tests.benchmarks.long_documents` reads them whole."""


@pytest.fixture(scope="module")
def parser() -> Iterator[ParserProcess]:
    with ParserProcess() as running:
        yield running


@pytest.mark.skipif(not FILES, reason=f"{FOLDER} is absent")
@pytest.mark.parametrize("file", FILES or ["absent"])
def test_ends_in_a_state(parser: ParserProcess, file: str, tmp_path: Path) -> None:
    name = Path(file).name
    path = FOLDER / file
    if name in SHORTENED:
        path = tmp_path / name
        SHORTENED[name](FOLDER / file, path)
    if name in REFUSED:
        with pytest.raises(CorpusError) as caught:
            parser.parse(path, name)
        assert REFUSED[name] in caught.value.message
        assert caught.value.hint
        assert "/" not in caught.value.message.replace("None of the", "").replace("/A85", "").replace("/ASCII85", "")
        return
    parsed = parser.parse(path, name)
    assert re.search(r"\w", parsed.text)
    assert "\x00" not in parsed.text
    assert "�" not in parsed.text
    assert unicodedata.is_normalized("NFC", parsed.text)
    assert not parsed.missing
    for section in parsed.sections:
        assert 0 <= section.start < section.end <= len(parsed.text)
    for snippet in SNIPPETS.get(name, []):
        assert snippet in parsed.text


TURKISH = [  # how much of the expected passages each file was built with
    ("thquad.cp1254.html", 1.0),
    ("thquad.iso8859-9.txt", 1.0),
    ("thquad.nfd.txt", 1.0),
    ("thquad.pdf", 1.0),
    ("thquad.utf16le-bom.csv", 1.0),
    ("thquad.utf8-bom.md", 1.0),
    ("thquad.docx", 1.0),
    ("thquad.cp1254-wrong-meta.html", 0.3),
]


@pytest.mark.skipif(not FILES, reason=f"{FOLDER} is absent")
@pytest.mark.parametrize(("name", "share"), TURKISH)
def test_turkish_passages_come_out_letter_by_letter(parser: ParserProcess, name: str, share: float) -> None:
    folder = FOLDER / "shared" / "turkish-built"
    expected = [row["text"] for row in json.loads((folder / "thquad.expected.json").read_text("utf-8"))]
    text = _letters(parser.parse(folder / name, name).text)
    found = sum(_letters(passage) in text for passage in expected)
    assert found >= share * len(expected)


def _letters(text: str) -> str:
    """Without white space, which layout changes, and without dashes that were put at the ends of lines."""
    return re.sub(r"[\s-]+", "", text)
