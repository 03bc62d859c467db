"""Pairs come in once, are found by any filter, and filters set aside without deleting."""

import pytest

from finetune_core.storage import database, pairs
from finetune_core.storage.pairs import NewPair, PairFilter, PairState
from finetune_core.workspace import projects


@pytest.fixture
def project_id() -> str:
    return projects.create("Pairs").id


def new(number: int, **values: object) -> NewPair:
    given = {"id": f"q{number}", "question": f"Question {number}?", "grades": {f"c{number}": 1}, "document_id": "d"}
    return NewPair(**{**given, "source": "generated", **values})  # type: ignore[arg-type]


def test_an_id_that_exists_is_left_untouched(project_id: str) -> None:
    with database.writing() as connection:
        assert pairs.insert(connection, project_id, [new(1), new(2), new(1, question="again")]) == 2
        assert pairs.insert(connection, project_id, [new(2, question="other"), new(3)]) == 1
        found = pairs.page(connection, project_id, PairFilter(), 0)
    assert [one.question for one in found] == ["Question 1?", "Question 2?", "Question 3?"]
    with pytest.raises(ValueError, match="no passage"), database.writing() as connection:
        pairs.insert(connection, project_id, [new(4, grades={})])


def test_filters_choose_by_state_document_outcome_and_text(project_id: str) -> None:
    given = [
        new(1, state=PairState.ACCEPTED, answer="100% sure"),
        new(2, document_id="e"),
        new(3, state=PairState.ASIDE, set_aside_by="form"),
        new(4, question="What is 100 percent?"),
    ]
    with database.writing() as connection:
        pairs.insert(connection, project_id, given)

        def ids(**chosen: str) -> list[str]:
            found = [one.id for one in pairs.page(connection, project_id, PairFilter(**chosen), 0)]
            assert pairs.count(connection, project_id, PairFilter(**chosen)) == len(found)
            return found

        assert ids(state="pending") == ["q2", "q4"]
        assert ids(document_id="e") == ["q2"]
        assert ids(outcome="form") == ["q3"]
        assert ids(text="QUESTION") == ["q1", "q2", "q3"]
        assert ids(text="100%") == ["q1"]  # a percent sign is a sign, not a wildcard
        assert pairs.documents(connection, project_id) == {"d": "d", "e": "e"}
        assert pairs.counts_by_state(connection, project_id, PairFilter(state="pending", document_id="d")) == {
            PairState.PENDING: 1, PairState.ACCEPTED: 1, PairState.REJECTED: 0, PairState.ASIDE: 1,
        }  # fmt: skip


def test_pages_and_order(project_id: str) -> None:
    with database.writing() as connection:
        pairs.insert(connection, project_id, [new(number) for number in range(120)])
        assert [one.id for one in pairs.page(connection, project_id, PairFilter(), 2, 50)] == [
            f"q{number}" for number in range(100, 120)
        ]
        assert pairs.page(connection, project_id, PairFilter(), 9, 50) == []
        assert [one.id for one in pairs.each(connection, project_id, PairFilter(), size=7)] == [
            f"q{number}" for number in range(120)
        ]
        fifth = pairs.page(connection, project_id, PairFilter(), 0)[4]
        assert [one.id for one in pairs.following(connection, project_id, PairFilter(), fifth.seq, 2)] == ["q5", "q6"]


def test_a_filter_sets_aside_and_gives_back(project_id: str) -> None:
    failed, passed = (
        {"passed": False, "score": 0.1, "detail": "too short"},
        {"passed": True, "score": 1.0, "detail": ""},
    )
    with database.writing() as connection:
        pairs.insert(connection, project_id, [new(1), new(2), new(3, state=PairState.ACCEPTED)])
        outcomes = {"q1": failed, "q2": passed, "q3": failed, "gone": failed}
        assert pairs.record_outcomes(connection, project_id, "form", outcomes) == 1
        assert pairs.counts_by_filter(connection, project_id) == {"form": 1}
        found = {one.id: one for one in pairs.each(connection, project_id, PairFilter())}
        assert (found["q1"].state, found["q1"].set_aside_by, found["q1"].version) == (PairState.ASIDE, "form", 2)
        assert found["q3"].state == PairState.ACCEPTED  # a person's word stands
        assert found["q2"].outcomes == {"form": passed}
        assert pairs.undo_filter(connection, project_id, "form") == 1
        found = {one.id: one for one in pairs.each(connection, project_id, PairFilter())}
        assert all(one.outcomes == {} for one in found.values())
        assert found["q1"].state == PairState.PENDING


def test_the_same_id_lives_in_two_projects(project_id: str) -> None:
    other = projects.create("Other").id
    with database.writing() as connection:
        pairs.insert(connection, project_id, [new(1)])
        assert pairs.insert(connection, other, [new(1, question="Mine?")]) == 1
        found = pairs.get(connection, other, "q1")
        assert found is not None
        assert found.question == "Mine?"
        assert pairs.grades(connection, other, ["q1", "none"]) == {"q1": {"c1": 1}, "none": {}}
