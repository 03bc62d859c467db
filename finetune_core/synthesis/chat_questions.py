"""Questions written by a chat model: a service that is asked for all questions of a passage at once, and a small local
model that is asked for one question about one sentence."""

import json
import re
from collections.abc import Sequence
from typing import Any

from finetune_core.providers.chat import Chat, Checkpoint, estimated_tokens
from finetune_core.records import Passage, content_id
from finetune_core.synthesis.evidence import locate_quote
from finetune_core.synthesis.questions import Batch, Written
from finetune_core.synthesis.sampling import spread_order
from finetune_core.synthesis.sentences import sentences
from finetune_core.synthesis.templates import render

TOKENS_PER_QUESTION = 160
MAX_PER_CALL = 10
LOCAL_MAX_TOKENS = 64
_OVERHEAD_TOKENS = 200  # the schema and the chat format, which a service counts as input too
_FENCE = re.compile(r"^\s*```(?:json)?\s*|\s*```\s*$")
_SPACES = re.compile(r"\s+")
# A small model left alone starts with chatter and forgets the question mark: the grammar leaves it no choice.
_ENGLISH_QUESTION = r"^(What|How|When|Where|Who|Which|Why|Can|Do|Does|Should|Is|Are|Will) [^\"\\\\\n?]{10,110}\?$"
_ANY_QUESTION = r"^[^\"\\\\\n?]{12,120}\?$"


class ServiceQuestions:
    """Asks a capable chat model for several questions in one call, with a quote and a short answer each."""

    num_per_call = MAX_PER_CALL

    def __init__(self, chat: Chat, model: str, prompt: str, language: str, *, seed: int = 0, temperature: float = 0.7):
        """`model` is what the key stands on: base URL and model name."""
        self._chat, self._prompt, self._language = chat, prompt, language
        self._seed, self._temperature = seed, temperature
        self.key = content_id("service questions", model, prompt, language)
        self.num_parallel = chat.num_parallel

    def write(
        self, passage: Passage, numbers: Sequence[int], avoid: Sequence[str] = (), checkpoint: Checkpoint | None = None
    ) -> Batch[Written]:
        """As `QuestionWriter.write`. An answer that is not the JSON asked for leaves its numbers unusable, with a reason."""
        reply = self._chat.complete(
            [{"role": "user", "content": self._filled(passage, len(numbers), avoid)}],
            schema=_schema(len(numbers)),
            max_tokens=TOKENS_PER_QUESTION * len(numbers) + 100,
            seed=self._seed + numbers[0],
            temperature=self._temperature,
            checkpoint=checkpoint,
        )
        written = _parsed(reply.text, passage)
        reason = (
            "The answer was not the JSON asked for." if not written else "The model wrote fewer questions than asked."
        )
        missing = [Written("", reason=reason)] * (len(numbers) - len(written))
        return Batch((*written[: len(numbers)], *missing), reply.input_tokens, reply.output_tokens)

    def largest_call(self, passage: Passage, num_questions: int) -> tuple[int, int]:
        """As `QuestionWriter.largest_call`: twice the estimate of the prompt, as scripts differ in tokens per letter."""
        prompt = self._filled(passage, num_questions, ())
        return 2 * estimated_tokens(prompt) + _OVERHEAD_TOKENS, TOKENS_PER_QUESTION * num_questions + 100

    def close(self) -> None:
        """Close the chat."""
        self._chat.close()

    def _filled(self, passage: Passage, num_questions: int, avoid: Sequence[str]) -> str:
        values = {"passage": passage.text, "heading": passage.title, "language": self._language}
        return render(self._prompt, values | {"num_questions": num_questions, "avoid": list(avoid)})


class LocalQuestions:
    """Asks a small model for one question about one sentence, which is then the evidence: it is right by construction."""

    num_per_call = 1

    def __init__(self, chat: Chat, model: str, prompt: str, language: str, *, seed: int = 0, temperature: float = 0.6):
        """`model` is what the key stands on: the file's name and size."""
        self._chat, self._prompt, self._language = chat, prompt, language
        self._seed, self._temperature = seed, temperature
        self.key = content_id("local questions", model, prompt, language)
        self.num_parallel = chat.num_parallel
        pattern = _ENGLISH_QUESTION if language == "English" else _ANY_QUESTION
        question = {"type": "string", "pattern": pattern}
        self._schema = {"type": "object", "properties": {"question": question}, "required": ["question"]}

    def write(
        self, passage: Passage, numbers: Sequence[int], avoid: Sequence[str] = (), checkpoint: Checkpoint | None = None
    ) -> Batch[Written]:
        """As `QuestionWriter.write`, for one number."""
        (number,) = numbers
        told = [sentence for sentence in sentences(passage.text) if len(sentence.split()) >= 5] or [passage.text]
        sentence = told[spread_order(len(told))[number % len(told)]]
        values = {"passage": passage.text, "heading": passage.title, "language": self._language}
        prompt = render(self._prompt, values | {"sentence": _SPACES.sub(" ", sentence)})
        reply = self._chat.complete(
            [{"role": "user", "content": prompt}],
            schema=self._schema,
            max_tokens=LOCAL_MAX_TOKENS,
            seed=self._seed + number,
            temperature=self._temperature,
            checkpoint=checkpoint,
        )
        return Batch((_local_answer(reply.text, sentence),), reply.input_tokens, reply.output_tokens)

    def largest_call(self, passage: Passage, num_questions: int) -> tuple[int, int]:
        """As `QuestionWriter.largest_call`."""
        return estimated_tokens(self._prompt + passage.full_text) + _OVERHEAD_TOKENS, LOCAL_MAX_TOKENS * num_questions

    def close(self) -> None:
        """Free the model's memory."""
        self._chat.close()


def _schema(num_questions: int) -> dict[str, Any]:
    text = {"type": "string"}
    item = {
        "type": "object",
        "properties": {"question": text, "evidence": text, "answer": text},
        "required": ["question", "evidence", "answer"],
        "additionalProperties": False,
    }
    # No minItems: some services refuse it in strict schemas. The prompt states the number.
    items = {"type": "array", "description": f"{num_questions} questions", "items": item}
    return {
        "type": "object",
        "properties": {"questions": items},
        "required": ["questions"],
        "additionalProperties": False,
    }


def _parsed(text: str, passage: Passage) -> list[Written]:
    """The questions in a model's answer: JSON, also inside a code fence or chatter; [] if there is none."""
    text = _FENCE.sub("", text)
    start, end = text.find("{"), text.rfind("}")
    try:
        items = json.loads(text[start : end + 1])["questions"]
    except (ValueError, KeyError, TypeError):
        return []
    return [_checked(item, passage) for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _checked(item: dict[str, Any], passage: Passage) -> Written:
    question, quote, answer = (str(item.get(name) or "").strip() for name in ("question", "evidence", "answer"))
    if not question:
        return Written("", reason="The question was empty.")
    return Written(_SPACES.sub(" ", question), locate_quote(passage.text, quote), answer, claimed_evidence=quote)


def _local_answer(text: str, sentence: str) -> Written:
    try:
        question = str(json.loads(text)["question"]).strip()
    except (ValueError, KeyError, TypeError):
        return Written("", reason="The answer was cut off.")
    return Written(_SPACES.sub(" ", question), evidence=sentence, claimed_evidence=sentence)
