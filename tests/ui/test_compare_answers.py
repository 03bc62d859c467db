"""The Compare page over systems that answer in words: what was asked, what is right, and what each said."""

from finetune_core.workspace import answers, comparisons, projects
from finetune_core.workspace.comparisons import Change, OutcomeFilter
from tests.judged_comparison import HOSTILE, add_judged_comparison
from tests.ui.conftest import OpenPage


def test_won_and_lost_examples_show_both_answers_beside_the_right_one(open_page: OpenPage) -> None:
    project = projects.create("Desk")
    app = open_page("compare", project=project.id, comparison=add_judged_comparison(project.id))
    assert not app.exception, app.exception
    assert app.header[0].value == "Tuning made it better"
    assert "Where the right passage ranks" not in [each.value for each in app.subheader]
    assert "Choice by choice" not in [each.value for each in app.subheader]
    labels = [each.label for each in app.expander]
    assert any("0.75 → 0.25" in label for label in labels), labels
    assert not any("> 100" in label for label in labels)


def test_examples_are_won_and_lost_by_how_right_their_answers_are(home: object) -> None:
    project = projects.create("Desk")
    view = comparisons.get(project.id, add_judged_comparison(project.id))
    lost = comparisons.outcomes(view, "tuned", OutcomeFilter(Change.LOST))
    assert [(one.question_id, one.score_before, one.score_after, one.harm) for one in lost.outcomes] == [
        ("j11", 0.75, 0.25, 0.5)
    ]
    won = comparisons.outcomes(view, "tuned", OutcomeFilter(Change.WON))
    assert (won.counts[Change.WON], won.counts[Change.UNCHANGED]) == (9, 2)
    assert won.outcomes[0].harm == -0.5
    expected, said = answers.answers(view, "tuned", "j0")
    assert expected == "1"
    assert [(one.name, one.answer, one.score, one.note) for one in said] == [
        ("base", "3", 0.5, "said twice"), ("tuned", "1", 1.0, "said twice"),
    ]  # fmt: skip
    row = comparisons.rows(view)[0]
    assert row["question"] == f"Is 0 even? {HOSTILE}\n\nPerhaps 0."
    assert (row["answer"], row["expected"], row["score"]) == ("3", "1", 0.5)
    assert comparisons.as_csv(view).startswith(b"\xef\xbb\xbf")
