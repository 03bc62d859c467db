"""What stands in a file is told before it is imported, and stays out of the project if a person wants it so."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from finetune_core.commands import build
from finetune_core.errors import DatasetError
from finetune_core.plugins.recording import Event
from finetune_core.workspace import demonstrations, projects
from finetune_core.workspace.demonstrations import DemonstrationFilter
from finetune_core.workspace.import_filters import ImportFilter, Secret, secrets_called

REFINE = "We have provided an existing answer: 4. Refine the answer with more context."


def event(asked: str, answer: str | None = "Yes.", **fields: Any) -> Event:
    said = None if answer is None else {"role": "assistant", "content": answer}
    return Event(({"role": "user", "content": asked},), said, **fields)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A file that a recorder wrote: six exchanges of which one failed, two repeat an earlier question, and one refines."""
    events = [
        event("Write to ada@example.org or eve@example.org, please.", "Done, with sk-proj-abcdefghijklmnop123."),
        event("Call +49 (30) 901820."),
        event("Call +49 (30) 901820.", "No."),
        event("Call +49 (30) 901820."),
        event("Why?", None, failure="RateLimitError: 429"),
        event(REFINE),
    ]
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(asdict(one)) + "\n" for one in events), encoding="utf-8")
    return path


def test_a_look_tells_what_stands_in_a_recording_and_stores_nothing(recording: Path, home: Path) -> None:
    found = demonstrations.look_through("Chat", recording, "mine.jsonl")
    assert (found.file_format, found.num_examples) == ("Ayar recording", 4)
    assert asdict(found.left_out) == {"num_failed": 1, "num_repeated": 2, "num_refined": 1}
    assert found.num_touched == {Secret.EMAIL: 1, Secret.KEY: 1, Secret.CARD: 0, Secret.PHONE: 2}
    email = next(one for one in found.samples if one.kind is Secret.EMAIL)
    assert (email.where, email.before, email.secret) == ("mine.jsonl line 1", "Write to ", "ada@example.org")
    assert email.after == " or eve@example.org, please."
    assert email.around({Secret.EMAIL}) == ("Write to ", " or [e-mail], please.")
    assert len(found.samples) == 4
    project = projects.create("P").id
    assert demonstrations.counts(project) == {}


def test_what_a_person_chose_is_taken_out_and_left_out(recording: Path, home: Path) -> None:
    whole, sifted = projects.create("Whole").id, projects.create("Sifted").id
    everything = demonstrations.import_file(whole, "Chat", recording)
    assert everything.sentence == ("Imported 4 examples (Ayar recording); left out: 1 without an answer, 1 repeated.")
    chosen = ImportFilter(frozenset({Secret.EMAIL, Secret.PHONE}), leave_out_repeats=True, leave_out_refined=True)
    found = demonstrations.import_file(sifted, "Chat", recording, chosen=chosen)
    assert found.redacted == {"e-mail": 2, "telephone number": 1}
    assert found.left_out == "1 without an answer, 2 repeated, 1 refining"
    text = demonstrations.export_bytes(sifted, "jsonl", DemonstrationFilter("Chat")).decode()
    assert "[e-mail] or [e-mail]" in text
    assert "Call [telephone number]." in text
    assert "sk-proj-abcdefghijklmnop123" in text, "keys were not chosen"


def test_a_recording_of_failures_alone_has_nothing_to_learn_from(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(asdict(event("Why?", None, failure="down"))), encoding="utf-8")
    with pytest.raises(DatasetError, match="is left to learn from: 1 without an answer"):
        demonstrations.import_file(projects.create("P").id, "Chat", path)


def test_the_command_line_looks_takes_out_and_leaves_out(recording: Path, home: Path) -> None:
    said = CliRunner().invoke(build(), ["import", "--project", "P", "--format", "chats", "--look", str(recording)])
    assert said.output.startswith(
        "4 examples (Ayar recording); secrets: e-mail in 1, key in 1, telephone number in 2; "
    )
    assert projects.listing() == []
    assert "events.jsonl line 1: Write to >>ada@example.org<< or eve@example.org, please." in said.output
    taken = ["import", "--project", "P", "--format", "chats", "--redact", "email,key", "--sift", str(recording)]
    said = CliRunner().invoke(build(), taken)
    assert "taken out: 2 x e-mail, 1 x key; left out: 1 without an answer, 2 repeated, 1 refining." in said.output
    assert secrets_called("") == frozenset()
    with pytest.raises(
        DatasetError, match="'iban' is nothing that can be taken out; there are email, key, card, phone"
    ):
        secrets_called("email,iban")
