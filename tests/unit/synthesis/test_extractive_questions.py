"""Questions made by rules: the ones a reader can check by eye."""

import pytest

from finetune_core.records import Passage
from finetune_core.synthesis import extractive_questions
from finetune_core.synthesis.extractive_questions import ExtractiveQuestions, extracts

TEXT = (
    "You must wear a mask in the ward at all times. If you feel ill after a visit, stay at home and call your doctor. "
    "A relapse is a return of the illness after some weeks. Check that the windows of your room are open. "
    "Visitors should leave the building before eight o'clock in the evening."
)
PASSAGE = Passage("c1", TEXT, "d1", "Hospital visits > 2.1 Wearing masks on the ward")


@pytest.mark.parametrize(
    ("statement", "question"),
    [
        ("You must wear a mask in the ward", "Do I have to wear a mask in the ward?"),
        ("You can take your dog with you", "Can I take my dog with me?"),
        ("Employers should keep records for a year", "Should employers keep records for a year?"),
        ("You do not need to pay for your visit", "Do I have to pay for my visit?"),
    ],
)
def test_permissions_are_turned_round(statement: str, question: str) -> None:
    assert extractive_questions._permission(statement) == question


def test_conditions_instructions_and_definitions_are_turned_round() -> None:
    assert extractive_questions._condition("If you feel ill, stay at home") == "What should I do if I feel ill?"
    assert (
        extractive_questions._instruction("Check that your door is shut") == "How should I check that my door is shut?"
    )
    assert extractive_questions._instruction("The door is shut") == ""
    assert extractive_questions._definition("A closure is a function that remembers") == "What is a closure?"
    assert extractive_questions._definition("This is not a definition") == ""


@pytest.mark.parametrize(
    ("heading", "question"),
    [
        ("Personal data", "What should I know about personal data?"),
        ("How to apply for a test", "How do I apply for a test?"),
        ("When to apply", "When should I apply?"),
        ("If you are ill", "What should I do if I am ill?"),
        ("Who can claim", "Who can claim?"),
        ("Keep your hands clean", "How do I keep my hands clean?"),
        ("Can you bring your dog?", "Can I bring my dog?"),
        ("NHS app", "What should I know about NHS app?"),
    ],
)
def test_headings_become_what_a_person_asks(heading: str, question: str) -> None:
    assert extractive_questions._heading_question(heading) == question


def test_evidence_stands_in_the_passage_and_more_only_adds_to_the_end() -> None:
    many = extracts(PASSAGE, "English", 8)
    assert len(many) >= 5
    assert many[0].question == "What should I know about wearing masks on the ward?"
    assert many[0].evidence == "You must wear a mask in the ward at all times."
    assert all(extract.evidence in TEXT for extract in many)
    assert len({extract.question for extract in many}) == len(many)
    for num in range(1, len(many)):
        assert extracts(PASSAGE, "English", num) == many[:num]


def test_other_languages_get_search_words_of_the_passage() -> None:
    text = "Kırmızı kedi her sabah bahçedeki eski duvarın üzerinde uyur. Bahçenin sahibi ona süt verir ve kapıyı açık bırakır."
    found = extracts(Passage("c", text, "d", "Bahçedeki kedi"), "Turkish", 2)
    assert found
    assert all(extract.evidence in text for extract in found)
    assert not any(word in extract.question for extract in found for word in ("What", "should"))


def test_numbers_past_what_a_passage_offers_are_unusable() -> None:
    writer = ExtractiveQuestions("English")
    written = writer.write(Passage("c", "A short line of five words.", "d"), [0, 9]).written
    assert written[1].reason
    assert extracts(Passage("c", "12 34", "d"), "English", 3) == []
    assert writer.key != ExtractiveQuestions("Turkish").key
    assert writer.largest_call(PASSAGE, 5) == (0, 0)
