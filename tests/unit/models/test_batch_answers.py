"""Answers in a batch against transformers' own, one prompt at a time: rows leave, caches grow, nothing else changes."""

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, DynamicCache

from finetune_core.models import batch_answers, growing_cache
from finetune_core.models.batch_answers import batch_answers as answers

PROMPTS = [[5, 6, 7, 8, 9], [11, 12, 13], [21, 22, 23, 24, 25, 26, 27], [31], [41, 42]]
LIMITS = [40, 12, 40, 3, 25]
PAD = 0


@pytest.fixture
def model(tiny_chat: str) -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny_chat).eval()


@torch.inference_mode()
def one_by_one(model: Any, stop_ids: list[int]) -> list[list[int]]:
    """What transformers itself makes of each prompt."""
    found = []
    for prompt, limit in zip(PROMPTS, LIMITS, strict=True):
        ids = torch.tensor([prompt])
        how = {"max_new_tokens": limit, "eos_token_id": stop_ids, "pad_token_id": PAD, "do_sample": False}
        found.append(model.generate(ids, attention_mask=torch.ones_like(ids), **how)[0, len(prompt) :].tolist())
    return found


@torch.inference_mode()
def together(model: Any, stop_ids: list[int], num_shared: int = 0, **how: Any) -> list[list[int]]:
    width = max(map(len, PROMPTS))
    ids = torch.tensor([[PAD] * (width - len(prompt)) + prompt for prompt in PROMPTS])
    how |= {"eos_token_id": stop_ids, "pad_token_id": PAD, "do_sample": False}
    return answers(model, ids, (ids != PAD).long(), num_shared, LIMITS, **how)


@pytest.fixture
def stop_ids(model: Any) -> list[int]:
    """Tokens that the model says at different places of its answers, so that they end at different times."""
    said = one_by_one(model, [10**6])
    return [said[0][6], said[2][17]]


@pytest.mark.parametrize("stretch", [1, 4, 5, 100])
def test_each_row_ends_where_it_would_alone(
    model: Any, stop_ids: list[int], stretch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_answers, "STRETCH", stretch)
    monkeypatch.setattr(growing_cache, "ROOM", 3)
    alone, found = one_by_one(model, stop_ids), together(model, stop_ids)
    for mine, one, limit in zip(found, alone, LIMITS, strict=True):
        ended = next((at + 1 for at, token in enumerate(mine) if token in stop_ids), limit)
        assert mine[:ended] == one
    assert len({len(one) for one in alone}) > 2, "they end at different times"


def test_what_has_ended_is_no_longer_computed(model: Any, stop_ids: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_answers, "STRETCH", 4)
    rows: list[int] = []
    model.register_forward_pre_hook(lambda _, __, given: rows.append(len(given["input_ids"])), with_kwargs=True)
    together(model, stop_ids)
    assert rows[0] == len(PROMPTS)
    assert rows == sorted(rows, reverse=True)
    assert rows[-1] < len(PROMPTS) - 1


def test_a_mask_is_told_which_rows_stay(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_answers, "STRETCH", 4)

    class Only:
        """Lets each row say one token alone."""

        def __init__(self) -> None:
            self.allowed = [50, 51, 52, 53, 54]

        def __call__(self, ids_BT: torch.Tensor, logits_BV: torch.Tensor) -> torch.Tensor:
            assert len(ids_BT) == len(self.allowed)
            only = torch.full_like(logits_BV, float("-inf"))
            only[range(len(self.allowed)), self.allowed] = 0
            return only

        def keep(self, rows: list[int]) -> None:
            self.allowed = [self.allowed[row] for row in rows]

    found = together(model, [10**6], mask=Only())
    assert found == [[50 + row] * limit for row, limit in enumerate(LIMITS)]


def test_a_cache_that_grows_in_place_holds_what_another_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing_cache, "ROOM", 3)
    plain, growing, random = DynamicCache(), growing_cache.growing_cache(), torch.Generator().manual_seed(0)
    for step, num in enumerate([5, 1, 1, 1, 1, 2, 1]):
        for layer in range(2):
            rows = 3 if step < 5 else 2
            keys, values = (torch.randn(rows, 2, num, 4, generator=random) for _ in range(2))
            for mine, other in zip(growing.update(keys, values, layer), plain.update(keys, values, layer), strict=True):
                assert torch.equal(mine, other)
        if step == 4:
            for cache in (plain, growing):
                cache.batch_select_indices(torch.tensor([0, 2]))
    assert growing.get_seq_length() == plain.get_seq_length() == 12
