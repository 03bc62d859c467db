"""Chunks: sizes, headings, ids, and what happens at the edges. A word is a token here, so that numbers are plain."""

import re
from itertools import pairwise

import pytest

from finetune_core.corpus.chunking import Chunker, check_settings
from finetune_core.corpus.sections import Section, clean_text, markdown_sections
from finetune_core.errors import CorpusError
from tests.word_counter import WordCounter


def chunks_of(markdown: str, size: int = 40, overlap: int = 0) -> list[tuple[str, str, int]]:
    cut = Chunker(WordCounter(), size, overlap).cut("doc", markdown, markdown_sections(markdown))
    return [(chunk.heading, chunk.text, chunk.num_tokens) for chunk in cut]


def sentences(num: int, start: int = 0) -> str:
    return " ".join(f"Sentence number {n} says five." for n in range(start, start + num))


def test_no_chunk_exceeds_its_size_and_no_word_is_lost() -> None:
    text = sentences(60)
    cut = chunks_of(text)
    assert max(size for _, _, size in cut) <= 40
    assert " ".join(body for _, body, _ in cut).split() == text.split()
    assert all(body.endswith("five.") for _, body, _ in cut), "chunks end at sentences"


def test_sizes_count_heading_and_special_tokens() -> None:
    assert chunks_of("# One two\nThree four five.") == [("One two", "Three four five.", 2 + 2 + 3)]


def test_overlap_repeats_whole_sentences() -> None:
    cut = chunks_of(sentences(40), overlap=10)
    for (_, before, _), (_, after, _) in pairwise(cut):
        shared = re.findall(r"Sentence number \d+ says five\.", before)[-2:]
        assert after.startswith(" ".join(shared))


def test_headings_are_a_path_and_not_repeated_in_the_text() -> None:
    body = sentences(6)
    assert [(heading, text) for heading, text, _ in chunks_of(f"# A\n{body}\n## B\n{body}\n# C\n{body}")] == [
        ("A", body),
        ("A > B", body),
        ("C", body),
    ]


def test_short_sections_share_a_chunk_under_their_common_heading() -> None:
    cut = chunks_of("# Guide\nIntro.\n## One\nFirst point.\n## Two\nSecond point.")
    assert len(cut) == 1
    assert cut[0][0] == "Guide"
    assert "## One\nFirst point.\n## Two\nSecond point." in cut[0][1]
    apart = chunks_of("# One\nFirst point.\n# Two\nSecond point.")
    assert [heading for heading, _, _ in apart] == ["One", "Two"], "without a common heading they stay apart"


def test_a_heading_inside_fenced_code_is_code() -> None:
    text = "# Install\n```sh\n# not a heading\nmake\n```\nDone."
    assert [section.heading for section in markdown_sections(text)] == ["Install"]


def test_sections_follow_each_other_without_a_gap() -> None:
    text = "Before.\n# A\nx\n### Deep\ny\n## B\nz"
    found = markdown_sections(text)
    assert found == (
        Section("", 0, 8),
        Section("A", 8, 14),
        Section("A > Deep", 14, 25),
        Section("A > B", 25, 31),
    )
    assert "".join(text[one.start : one.end] for one in found) == text


def test_a_heading_too_long_leaves_room_for_text() -> None:
    title = " ".join(f"word{n}" for n in range(100))
    cut = chunks_of(f"# {title}\n{sentences(20)}")
    assert all(len(heading.split()) <= 10 for heading, _, _ in cut)
    assert max(size for _, _, size in cut) <= 40


def test_ids_depend_on_content_alone() -> None:
    text = f"# A\n{sentences(30)}"
    small, large = (Chunker(WordCounter(), size, 0).cut("doc", text, markdown_sections(text)) for size in (40, 60))
    again = Chunker(WordCounter(), 40, 0).cut("doc", text, markdown_sections(text))
    other = Chunker(WordCounter(), 40, 0).cut("other", text, markdown_sections(text))
    assert [chunk.id for chunk in small] == [chunk.id for chunk in again]
    assert not {chunk.id for chunk in small} & {chunk.id for chunk in large}
    assert not {chunk.id for chunk in small} & {chunk.id for chunk in other}


def test_equal_chunks_of_one_document_have_different_ids() -> None:
    cut = Chunker(WordCounter(), 32, 0).cut(
        "doc", "x", (Section("Same", 0, 1), Section("Other", 0, 1), Section("Same", 0, 1))
    )
    assert len({chunk.id for chunk in cut}) == 3


def test_a_blob_without_spaces_is_cut_as_well() -> None:
    cut = chunks_of("A" * 3000)
    assert sum(len(body) for _, body, _ in cut) == 3000
    assert max(len(body) for _, body, _ in cut) <= 40 * 24 + 24


@pytest.mark.parametrize("text", ["", "   \n ", "---", "# "])
def test_nothing_gives_nothing(text: str) -> None:
    assert chunks_of(text) == []


@pytest.mark.parametrize(("size", "overlap"), [(31, 0), (8193, 0), (100, 51), (100, -1)])
def test_settings_out_of_bounds(size: int, overlap: int) -> None:
    with pytest.raises(CorpusError) as caught:
        check_settings(size, overlap)
    assert caught.value.hint


def test_clean_text() -> None:
    assert clean_text("a\r\nb\rc \t\n\n\n\nd\x00e\x07\u00ad\ud800f\n") == "a\nb\nc\n\ndef"
    assert clean_text("ş") == "ş"
