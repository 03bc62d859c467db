"""Projects: names, deletion, sizes."""

import pytest

from finetune_core.errors import ProjectError
from finetune_core.storage import database
from finetune_core.workspace import jobs, projects


def test_names_are_unique_trimmed_and_bounded() -> None:
    made = projects.create("  My   docs ")
    assert made.name == "My docs"
    for name, words in (("My docs", "already"), ("", "1 to 120"), ("x" * 121, "121")):
        with pytest.raises(ProjectError, match=words):
            projects.create(name)
    assert projects.rename(made.id, "My docs").name == "My docs"
    assert projects.rename(made.id, "Other").name == "Other"


def test_an_unknown_name_lists_the_known_ones() -> None:
    projects.create("A")
    with pytest.raises(ProjectError, match=r"no project 'B'; there are: 'A'"):
        projects.by_name("B")
    assert projects.by_name_or_new("A")[1] is False
    assert projects.by_name_or_new("B")[1] is True


def test_a_project_with_a_live_job_is_not_deleted() -> None:
    made = projects.create("A")
    folder = database.home() / "projects" / made.id / "files"
    folder.mkdir(parents=True)
    (folder / "x.txt").write_text("12345")
    assert projects.size(made.id).size_bytes == 5
    job_id = jobs.submit(made.id, "ingest", {"files": [{"path": "x.txt", "name": "x.txt"}]}, start=False)
    with pytest.raises(ProjectError, match="1 job"):
        projects.delete(made.id)
    jobs.cancel(job_id)
    projects.delete(made.id)
    assert projects.listing() == []
    assert not folder.exists()
