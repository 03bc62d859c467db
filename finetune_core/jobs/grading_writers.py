"""A teacher that judges answers: those of the project's chats, or of a file, scored one by one or compared two at a time."""

from itertools import combinations
from typing import Literal

from pydantic import BaseModel, Field, model_validator
from sqlalchemy import Connection

from finetune_core.evaluation.said import conversation_text, message_text
from finetune_core.jobs.chat_writers import WritingParams, identity, opened_chat, sketched_chat
from finetune_core.providers.chat import Chat as ChatModel
from finetune_core.records import Chat, content_id
from finetune_core.storage import demonstrations, inputs
from finetune_core.storage.demonstrations import DemonstrationFilter
from finetune_core.storage.pairs import PairState
from finetune_core.synthesis.gradings import AnswersSubject, Judging, Preferences, Scores

LOCAL_CONTEXT_TOKENS = 4096


class GradingTask(BaseModel):
    """Which answers are judged, and on which scale."""

    record: Literal["Judgement", "Comparison"]
    inputs: str = Field("", description="Answers that a person gave; those of the project's chats if empty.")
    include_pending: bool = Field(True, description="Also chats that nobody has reviewed yet.")
    with_feedback: bool = Field(True, description="Ask for the reason too.")
    lowest: int = Field(1, ge=0, le=99)
    highest: int = Field(5, ge=1, le=100)

    @model_validator(mode="after")
    def _scale(self) -> "GradingTask":
        if self.lowest >= self.highest:
            raise ValueError(f"the lowest score is {self.lowest}, and has to be below the highest, {self.highest}")
        return self


def subjects(connection: Connection, project_id: str, task: GradingTask) -> list[AnswersSubject]:
    """The answers to score, or every two different answers to one question; each once, [] where there is none."""
    given = (
        [_of_row(row) for row in inputs.read(project_id, task.inputs)]
        if task.inputs
        else _of_chats(connection, project_id, task)
    )
    return list({one.id: one for one in given}.values())


def open_writer(params: WritingParams, task: GradingTask) -> Scores | Preferences:
    """The judge, ready. Raises ProviderError."""
    return _writer(opened_chat(params, LOCAL_CONTEXT_TOKENS), params, task)


def sketched_writer(params: WritingParams, task: GradingTask) -> Scores | Preferences:
    """The same with the same key, but unable to judge: for estimates."""
    return _writer(sketched_chat(params), params, task)


def _writer(chat: ChatModel, params: WritingParams, task: GradingTask) -> Scores | Preferences:
    judging = Judging(
        chat, identity(params), task.with_feedback, task.lowest, task.highest, params.seed, params.temperature
    )
    return Scores(judging) if task.record == "Judgement" else Preferences(judging)


def _of_chats(connection: Connection, project_id: str, task: GradingTask) -> list[AnswersSubject]:
    states = [PairState.ACCEPTED, *([PairState.PENDING] if task.include_pending else [])]
    chats: dict[str, list[tuple[Chat, str]]] = {}
    for state in states:
        for one in demonstrations.each(connection, project_id, DemonstrationFilter(Chat.__name__, state)):
            if not one.example.response.get("tool_calls"):  # a call is checked by its schema, and no text to be scored
                chats.setdefault(conversation_text(one.example.messages), []).append((one.example, one.split))
    return [
        _subject(query, answers, reference, split)
        for query, given in chats.items()
        for reference in [next((chat.reference for chat, _ in given if chat.reference), "")]
        for split in [given[0][1]]
        for answers in _chosen(list(dict.fromkeys(message_text(chat.response) for chat, _ in given)), task.record)
    ]


def _chosen(answers: list[str], record: str) -> list[tuple[str, ...]]:
    """Each answer, or every two; which comes first is as good as drawn, so that a place says nothing of who answered."""
    if record == "Judgement":
        return [(answer,) for answer in answers]
    return [tuple(sorted(two, key=lambda text: content_id("order", text))) for two in combinations(answers, 2)]


def _of_row(row: dict[str, str]) -> AnswersSubject:
    answers = (row["response"],) if "response" in row else (row["first"], row["second"])
    return _subject(row["query"], answers, row["reference"], row["split"], row["group"])


def _subject(query: str, answers: tuple[str, ...], reference: str, split: str, group: str = "") -> AnswersSubject:
    group = group or content_id("group", " ".join(query.casefold().split()))
    return AnswersSubject(content_id("answers", query, *answers, reference), query, answers, reference, group, split)
