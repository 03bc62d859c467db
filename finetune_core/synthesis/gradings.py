"""Gradings of a strong judge: scores of answers, and which of two answers is better, asked as the student will be."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from finetune_core.evaluation.judging import (
    correctness_request,
    pairwise_request,
    read_preference,
    read_reason,
    read_score,
    swapped,
)
from finetune_core.providers.chat import Chat, Checkpoint, Reply, Request, estimated_tokens
from finetune_core.records import Comparison, Judgement, Preference, content_id
from finetune_core.synthesis.questions import Batch
from finetune_core.synthesis.taught import OVERHEAD_TOKENS, Taught

NO_SCORE = "The teacher gave no score within the scale."
NO_VERDICT = "The teacher did not say which answer is better."
FLIPPED = "The teacher preferred the other answer when the two were swapped."


@dataclass(frozen=True, slots=True)
class AnswersSubject:
    """A question with the answer to score, or the two answers to compare; `reference` is the true one, "" where unknown."""

    id: str
    query: str
    answers: tuple[str, ...]
    reference: str
    group: str
    split: str = ""


@dataclass(frozen=True, slots=True)
class Judging:
    """How a teacher judges: `identity` says which model it is; `lowest` and `highest` are the scale of its scores."""

    chat: Chat
    identity: str
    with_feedback: bool = True
    lowest: int = 1
    highest: int = 5
    seed: int = 0
    temperature: float = 0.0

    def ask(self, request: Request, number: int, checkpoint: Checkpoint | None) -> Reply:
        """One question. Raises ProviderError."""
        return self.chat.complete(
            request.messages, schema=request.schema, max_tokens=request.max_tokens, seed=self.seed + number,
            temperature=self.temperature, checkpoint=checkpoint,
        )  # fmt: skip


class Scores:
    """Has a chat score answers, one a call."""

    num_per_call = 1

    def __init__(self, judging: Judging) -> None:
        self._judging = judging
        scale = (str(judging.lowest), str(judging.highest), str(judging.with_feedback))
        self.key = content_id("scores", judging.identity, *scale)
        self.num_parallel = judging.chat.num_parallel

    def write(
        self,
        subject: AnswersSubject,
        numbers: Sequence[int],
        avoid: Sequence[str] = (),
        checkpoint: Checkpoint | None = None,
    ) -> Batch[Taught]:
        """The answer with its score and the reason for it."""
        how, example = self._judging, self._example(subject)
        reply = how.ask(correctness_request(example, with_feedback=how.with_feedback), numbers[0], checkpoint)
        score = read_score(reply.text, how.lowest, how.highest)
        given = (
            Taught(None, NO_SCORE)
            if score is None
            else Taught(replace(example, score=score, feedback=read_reason(reply.text)))
        )
        return Batch((given,), reply.input_tokens, reply.output_tokens)

    def largest_call(self, subject: AnswersSubject, num: int) -> tuple[int, int]:
        """As `QuestionWriter.largest_call`."""
        return _largest(correctness_request(self._example(subject), with_feedback=self._judging.with_feedback), 1)

    def close(self) -> None:
        """Close the chat."""
        self._judging.chat.close()

    def _example(self, subject: AnswersSubject) -> Judgement:
        lowest, highest = float(self._judging.lowest), float(self._judging.highest)
        return Judgement(
            content_id("score", self.key, subject.id), subject.query, subject.answers[0], lowest, subject.group,
            subject.reference, lowest=lowest, highest=highest,
        )  # fmt: skip


class Preferences:
    """Has a chat say which of two answers is better, in both orders, as many judges prefer a place to an answer."""

    num_per_call = 1

    def __init__(self, judging: Judging) -> None:
        self._judging = judging
        self.key = content_id("preferences", judging.identity, str(judging.with_feedback))
        self.num_parallel = judging.chat.num_parallel

    def write(
        self,
        subject: AnswersSubject,
        numbers: Sequence[int],
        avoid: Sequence[str] = (),
        checkpoint: Checkpoint | None = None,
    ) -> Batch[Taught]:
        """The two answers with the better one; where the orders contradict each other, with a reason against it."""
        how, example = self._judging, self._example(subject)
        forward, backward = (
            how.ask(pairwise_request(one, with_feedback=how.with_feedback), numbers[0], checkpoint)
            for one in (example, swapped(example))
        )
        given = _preferred(example, forward.text, backward.text)
        return Batch(
            (given,), forward.input_tokens + backward.input_tokens, forward.output_tokens + backward.output_tokens
        )

    def largest_call(self, subject: AnswersSubject, num: int) -> tuple[int, int]:
        """As `QuestionWriter.largest_call`; both orders are one call."""
        return _largest(pairwise_request(self._example(subject), with_feedback=self._judging.with_feedback), 2)

    def close(self) -> None:
        """Close the chat."""
        self._judging.chat.close()

    def _example(self, subject: AnswersSubject) -> Comparison:
        first, second = subject.answers
        key = content_id("preference", self.key, subject.id)
        return Comparison(key, subject.query, first, second, Preference.TIE.value, subject.group, subject.reference)


def _preferred(example: Comparison, forward: str, backward: str) -> Taught:
    first, second = read_preference(forward), read_preference(backward)
    if first is None or second is None:
        return Taught(None, NO_VERDICT)
    other = swapped(replace(example, winner=second.value)).winner
    judged = replace(example, winner=first.value, feedback=read_reason(forward))
    return Taught(judged) if other == first else Taught(replace(judged, winner=Preference.TIE.value), FLIPPED)


def _largest(request: Request, num_times: int) -> tuple[int, int]:
    asked = sum(estimated_tokens(str(message["content"])) for message in request.messages)
    return num_times * (2 * asked + OVERHEAD_TOKENS), num_times * request.max_tokens
