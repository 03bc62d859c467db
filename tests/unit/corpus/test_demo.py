"""The demo corpus: its questions fit the text of this interpreter, and quotes find their chunks."""

from collections import Counter
from collections.abc import Sequence

import pytest

from finetune_core.corpus.demo import Anchor, QuoteFinder, questions, reserved_topics, topics
from finetune_core.corpus.demo.reflow import heading_level, reflow

MIN_QUESTIONS = 120  # promised on every supported interpreter; some quotes may be gone from a newer one


def test_enough_questions_are_answered_by_this_interpreters_topics() -> None:
    finder = QuoteFinder({topic.name: topic.text for topic in topics()})
    anchors = [(question, finder.find(question.quote)) for question in questions()]
    found = [question for question, anchor in anchors if anchor and question.topic in anchor.chunk_ids]
    assert len(found) >= MIN_QUESTIONS
    assert len({question.topic for question in found}) >= 18


def test_no_question_is_asked_twice_and_each_has_a_quote_of_four_words_or_more() -> None:
    asked = Counter(" ".join(question.question.lower().split()) for question in questions())
    assert [text for text, count in asked.items() if count > 1] == []
    assert [q.quote for q in questions() if not 4 <= len(q.quote.split()) <= 16] == []


def test_questions_do_not_copy_the_words_of_their_answer() -> None:
    def words(text: str) -> set[str]:
        return {word.strip(".,?'\"()").lower() for word in text.split() if len(word) > 3}

    shares = [len(words(q.question) & words(q.quote)) / len(words(q.quote)) for q in questions()]
    assert sum(shares) / len(shares) < 0.15
    assert max(shares) <= 0.5


def test_no_training_text_stands_in_a_reserved_topic() -> None:
    held_out = {topic.name for topic in topics() if topic.held_out}
    assert reserved_topics() <= held_out
    assert {"naming", "exceptions", "in", "augassign", "id-classes"} <= held_out  # word for word in reserved ones
    reserved = "".join(" ".join(topic.text.split()) for topic in topics() if topic.held_out)
    for topic in topics():
        if not topic.held_out:
            paragraphs = (" ".join(part.split()) for part in topic.text.split("\n\n"))
            assert [part for part in paragraphs if len(part) > 100 and part in reserved] == [], topic.name


def test_most_of_the_corpus_is_left_to_train_on() -> None:
    num_chars = Counter[bool]()
    for topic in topics():
        num_chars[topic.held_out] += len(topic.text)
    assert num_chars[False] > 200_000
    assert len(topics()) >= 70


def test_sections_follow_each_other_and_carry_their_headings() -> None:
    topic = next(topic for topic in topics() if topic.name == "formatstrings")
    assert topic.title == "Format String Syntax"
    assert [section.heading for section in topic.sections] == [
        "Format String Syntax",
        "Format String Syntax > Format Specification Mini-Language",
        "Format String Syntax > Format examples",
    ]
    for topic in topics():
        ends = [0, *(section.end for section in topic.sections)]
        assert [section.start for section in topic.sections] == ends[:-1]
        assert ends[-1] == len(topic.text)


def test_reflow_joins_prose_list_items_and_table_cells_and_leaves_code_alone() -> None:
    lines = [
        "A paragraph that goes", "on, with a left-", "hand side.", "",
        "* one item", "  that goes on", "* another", "",
        "For example:", "",
        "   x = 1", "   y = 2", "",
        "+----+--------+", "| Op | Means  |", "|====|========|", "| <  | less   |", "|    | than   |",
        "+----+--------+", "| >  | more   |", "+----+--------+",
    ]  # fmt: skip
    assert reflow(lines) == [
        "A paragraph that goes on, with a left-hand side.", "",
        "* one item that goes on", "* another", "",
        "For example:", "",
        "   x = 1", "   y = 2", "",
        "Op: Means", "<: less than", ">: more",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "underline", "level"),
    [
        ("Title", "*****", 1),
        ("Part", "====", 2),
        ("Deeper", "------", 3),
        ("text", "", 0),
        ("", "=====", 0),
        ("  x", "===", 0),
    ],
)
def test_heading_level(line: str, underline: str, level: int) -> None:
    assert heading_level(line, underline) == level


CHUNKS = {
    "a": 'The operator "not" yields "True" if its\nargument is false, "False" otherwise. The end of',
    "b": "this very sentence lies in the *second* chunk.",
    "c": "The operator not yields true if its argument is false.",
}


def anchor(quote: str, chunks: dict[str, str], neighbours: Sequence[tuple[str, str]] = ()) -> Anchor | None:
    return QuoteFinder(chunks, neighbours).find(quote)


def test_a_quote_is_found_across_line_breaks_marks_and_case_in_every_chunk_that_has_it() -> None:
    found = anchor("operator not yields True if its argument", CHUNKS)
    assert found is not None
    assert found.chunk_ids == ("a", "c")
    assert found.evidence == 'operator "not" yields "True" if its\nargument'
    assert found.evidence in CHUNKS["a"]


def test_a_quote_that_straddles_two_chunks_belongs_to_the_one_with_more_of_it() -> None:
    found = anchor("of this very sentence lies in the second", CHUNKS, [("a", "b")])
    assert found is not None
    assert found.chunk_ids == ("b",)  # "of" alone does not make "a" an answer
    assert found.evidence == "this very sentence lies in the *second"


def test_both_halves_of_a_straddling_quote_are_relevant_if_both_have_four_words() -> None:
    found = anchor("otherwise. The end of this very sentence lies in", CHUNKS, [("a", "b")])
    assert found is not None
    assert found.chunk_ids == ("b", "a")


def test_where_chunks_overlap_the_parts_of_a_straddling_quote_do_too() -> None:
    chunks = {"a": "one two three four five six", "b": "five six seven eight nine ten"}
    assert anchor("three four five six seven eight", chunks, [("a", "b")]) == Anchor(("a", "b"), "three four five six")
    assert anchor("three four eight nine ten", chunks, [("a", "b")]) is None


def test_a_quote_that_stands_nowhere_is_none() -> None:
    assert anchor("nobody ever wrote these words", CHUNKS, [("a", "b")]) is None
    assert anchor("of this very sentence lies in", {"a": CHUNKS["a"]}) is None


def test_a_part_of_a_longer_word_is_no_match() -> None:
    assert anchor("operator not yields true if it", CHUNKS) is None
