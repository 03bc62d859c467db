"""Conversations as the tokens a chat model learns from, and which of them learn together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from finetune_core.errors import DatasetError
from finetune_core.models.shared_prompts import cheapest_order
from finetune_core.providers.chat_template import ChatTemplate
from finetune_core.training.conversations import Conversation

if TYPE_CHECKING:
    from finetune_core.models.chat_losses import AnswerRow

GROUPED = 16
"""Batches that are filled at once, so that examples of like length or beginning come together although the order is random."""


@dataclass(frozen=True)
class ChatRows:
    """The rows that fit, and how many conversations were longer than allowed."""

    rows: tuple["AnswerRow", ...]
    num_too_long: int

    @property
    def num_answer_tokens(self) -> int:
        """Tokens that count in the loss."""
        return sum(len(row.answer) for row in self.rows)


def chat_rows(
    conversations: Sequence[Conversation],
    tokenizer: Any,
    template: ChatTemplate,
    max_tokens: int,
    *,
    needs_rejected: bool = False,
) -> ChatRows:
    """Prompt and answer of each conversation as the model will meet them: tokenised apart, the answer with its end.

    Raises DatasetError where `needs_rejected` and a conversation has no rejected answer, and RequestRefusedError for
    messages that the template refuses.
    """
    from finetune_core.models.chat_losses import AnswerRow

    rows = []
    for one in conversations:
        if needs_rejected and one.rejected is None:
            raise DatasetError(
                f"Example {one.id} has no rejected answer, which learning from preferences needs.",
                hint='Choose the method "supervised", or a dataset whose examples have a better and a worse answer.',
            )
        prompt = _ids(tokenizer, template.prompt(one.messages, one.tools))
        answer = _ended(tokenizer, template.answer(one.messages, one.tools, one.response))
        rejected: tuple[int, ...] = ()
        if needs_rejected and one.rejected is not None:
            rejected = _ended(tokenizer, template.answer(one.messages, one.tools, one.rejected))
        rows.append(AnswerRow(prompt, answer, rejected))
    fitting = [row for row in rows if len(row.prompt) + max(len(row.answer), len(row.rejected)) <= max_tokens]
    return ChatRows(tuple(fitting), len(rows) - len(fitting))


def plan_chat_batches(rows: Sequence["AnswerRow"], batch_size: int, num_epochs: int, seed: int) -> list[list[int]]:
    """All batches of all epochs as positions in `rows`: every row once an epoch, at random, with rows together that are
    cheap to read together.
    """
    whole = [(*row.prompt, *row.answer) for row in rows]
    random = np.random.default_rng([seed, 3])
    plan: list[list[int]] = []
    for _ in range(num_epochs):
        order = random.permutation(len(rows)).tolist()
        batches = []
        for start in range(0, len(order), batch_size * GROUPED):
            drawn = order[start : start + batch_size * GROUPED]
            group = [drawn[place] for place in cheapest_order([whole[row] for row in drawn], batch_size)]
            batches += [group[at : at + batch_size] for at in range(0, len(group), batch_size)]
        plan += [batches[number] for number in random.permutation(len(batches))]
    return plan


def _ids(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def _ended(tokenizer: Any, text: str) -> tuple[int, ...]:
    """The tokens up to and with the one that ends an answer; what templates write after it is never generated."""
    ids = _ids(tokenizer, text)
    end = tokenizer.eos_token_id
    return ids[: ids.index(end) + 1] if end in ids else (*ids, end)
