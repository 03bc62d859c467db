"""What the leakage report counts, on parts small enough to count by hand."""

from finetune_core.evaluation.leakage import leakage_report
from finetune_core.records import Corpus, Part, Passage, QueryPassages, SplitName

LONG = "the office opens at nine in the morning and closes at five in the evening on every working day of the week"
CORPUS = Corpus(
    (
        Passage("a", LONG, "d1"),
        Passage("a2", LONG + " indeed", "d9"),  # a near-twin of a
        Passage("b", "How to file a claim for lost baggage with the airline within thirty days.", "d2"),
        Passage("c", "Refunds are paid to the card that was charged for the purchase.", "d3"),
    )
)


def one(number: int, query: str, passage: str, document: str) -> QueryPassages:
    return QueryPassages(str(number), query, {passage: 1}, document)


def parts(train: list[QueryPassages], validation: list[QueryPassages], test: list[QueryPassages]) -> dict:
    given = zip(SplitName, (train, validation, test), strict=True)
    return {name: Part(name, tuple(examples), CORPUS) for name, examples in given}


def test_clean_parts_are_said_to_be_clean() -> None:
    report = leakage_report(
        parts(
            [one(1, "How do I file a claim?", "b", "d2")],
            [],
            [one(2, "Where do refunds for a purchase go?", "c", "d3")],
        ),
        {"d1", "d2", "d3"},
    )
    assert not report.is_leaking
    assert (report.num_shared_questions, report.num_shared_documents, report.num_ambiguous) == (0, 0, 0)
    assert report.sentences == ["No question, document or near-duplicate is shared between the parts."]


def test_a_question_in_two_parts_is_leakage_whatever_its_case() -> None:
    report = leakage_report(
        parts(
            [one(1, "When does the office open?", "a", "d1")],
            [one(2, "Something else entirely, is it?", "b", "d2")],
            [one(3, "when does the OFFICE open", "c", "d3"), one(4, "Who pays?", "c", "d3")],
        )
    )
    assert report.is_leaking
    assert report.num_shared_questions == 1
    found = report.shared_questions[0]
    assert (found["part"], found["other_part"], found["similarity"]) == ("train", "test", 1.0)


def test_a_near_duplicate_question_is_leakage() -> None:
    asked = (
        "may I take the company laptop home over the long weekend without asking my manager for permission first today"
    )
    report = leakage_report(parts([one(1, asked, "a", "d1")], [], [one(2, asked + " please", "b", "d2")]))
    assert report.num_shared_questions == 1
    assert 0.8 < report.shared_questions[0]["similarity"] < 1


def test_shared_documents_leak_only_where_ayar_split_them() -> None:
    shared = parts([one(1, "When does it open?", "a", "d1")], [], [one(2, "How late may I come by?", "a", "d1")])
    own = leakage_report(shared, {"d1"})
    assert own.is_leaking
    assert own.shared_documents == ["d1"]
    imported = leakage_report(shared, rule="imported")
    assert not imported.is_leaking
    assert imported.num_shared_passages == 1
    assert any("same corpus, new questions" in line for line in imported.sentences)
    sections = leakage_report(shared, {"d1"}, rule="section")
    assert not sections.is_leaking
    assert sections.num_shared_documents == 1


def test_a_second_passage_in_another_document_leaks_only_if_training_asks_about_it() -> None:
    own = {"d1", "d2", "d3"}
    two = QueryPassages("2", "Where do refunds for a purchase go?", {"c": 1, "b": 1}, "d3")
    neighbour = Corpus((*CORPUS, Passage("b2", "Write down the number of the claim and keep the receipt.", "d2")))
    train = one(1, "What must I keep for my claim?", "b2", "d2")
    fine = {name: Part(name, examples, neighbour)
            for name, examples in zip(SplitName, ((train,), (), (two,)), strict=True)}  # fmt: skip
    report = leakage_report(fine, own)
    assert (report.is_leaking, report.num_shared_documents, report.num_shared_passages) == (False, 0, 0)
    told = leakage_report(parts([one(1, "How do I file a claim?", "b", "d2")], [], [two]), own)
    assert (told.is_leaking, told.num_shared_documents, told.num_learned_passages) == (True, 0, 1)
    assert [
        line for line in told.sentences if "in another document, that training asks about too: that is leakage" in line
    ]


def test_a_right_hit_on_a_twin_would_count_as_a_miss() -> None:
    report = leakage_report(parts([], [], [one(1, "When does it open?", "a", "d1")]))
    assert report.num_ambiguous == 1
    assert (report.ambiguous[0]["passage"], report.ambiguous[0]["twin"]) == ("a", "a2")
    both = QueryPassages("1", "When does it open?", {"a": 1, "a2": 1}, "d1")
    assert leakage_report(parts([], [], [both])).num_ambiguous == 0


def test_a_passage_that_stands_in_many_copies_is_ambiguous_until_all_of_them_are_right() -> None:
    copies = tuple(Passage(f"copy{n}", f"{LONG} copy", f"d{n}") for n in range(30))
    searched = Corpus(copies)

    def ambiguous(*right: str) -> list[dict]:
        test = QueryPassages("1", "When does it open?", dict.fromkeys(right, 1), "d0")
        given = zip(SplitName, ((), (), (test,)), strict=True)
        return leakage_report({name: Part(name, examples, searched) for name, examples in given}).ambiguous

    assert [(one["passage"], one["twin"]) for one in ambiguous("copy3")] == [("copy3", "copy0")]
    assert [(one["passage"], one["twin"]) for one in ambiguous(*(f"copy{n}" for n in range(29)))] == [
        ("copy0", "copy29")
    ]
    assert ambiguous(*(f"copy{n}" for n in range(30))) == []
