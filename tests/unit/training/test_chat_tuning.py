"""A chat model that learns: what counts in the loss, that it learns by heart, and that no interruption changes it."""

import json
import math
import multiprocessing
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from finetune_core.errors import DatasetError, JobCancelled, TrainingError
from finetune_core.models.chat_losses import AnswerLoss, AnswerRow, PreferenceLoss, padded
from finetune_core.models.chat_trainer import parts
from finetune_core.providers.chat import Request
from finetune_core.providers.chat_model import chat_folder, load_chat_model, quiet_peft
from finetune_core.providers.chat_template import ChatTemplate
from finetune_core.recipes import _chats
from finetune_core.training.chat_config import ChatTuningConfig
from finetune_core.training.chat_rows import chat_rows, plan_chat_batches
from finetune_core.training.chat_tuning import tune_chat
from finetune_core.training.conversations import Conversation
from tests.training_fixtures import TINY_CHAT_CONFIG, RecordedRun, Trained, memorable_conversations

SHORT = {**TINY_CHAT_CONFIG, "epochs": 2, "evaluations": 2}


def answers(trained: Trained, system: str) -> list[str]:
    chat = _chats.chat_systems(trained.config, trained.model, trained.run)[system]
    requests = [Request(one.messages, max_tokens=20) for one in memorable_conversations()]
    found: dict[int, str] = {}
    chat.complete_batch(requests, lambda at, reply: found.update({at: reply.text}), lambda: None)  # type: ignore[attr-defined]
    return [found[at] for at in range(len(requests))]


def test_it_learns_sixteen_answers_by_heart_and_its_base_knows_none(tuned_chat: Trained) -> None:
    right = [one.response["content"] for one in memorable_conversations()]
    assert answers(tuned_chat, "tuned") == right
    assert not set(answers(tuned_chat, "base")) & set(right)


def test_what_was_logged_shows_the_training(tuned_chat: Trained) -> None:
    metrics, facts = tuned_chat.run.metrics, tuned_chat.model.facts
    assert metrics.keys() == {"loss", "learning_rate", "grad_norm", "samples_per_s", "validation_loss"}
    assert [step for step, _ in metrics["loss"]] == list(range(1, 61))
    assert metrics["validation_loss"][0] == (0, facts["base_validation_loss"])
    assert [step for step, _ in metrics["validation_loss"]] == [0, 12, 24, 36, 48, 60]
    best = min(metrics["validation_loss"][1:], key=lambda point: point[1])
    assert (facts["best_step"], facts["best_validation_loss"]) == best
    assert facts["precision"] == "float32"
    assert (facts["num_rows"], facts["num_too_long"]) == (16, 0)


def test_only_safetensors_and_json_are_written(tuned_chat: Trained) -> None:
    written = {path.suffix for path in tuned_chat.run.workdir.rglob("*") if path.is_file()}
    assert written == {".safetensors", ".json"}
    adapter = tuned_chat.model.adapter_folder
    assert {path.name for path in adapter.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert json.loads((adapter / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"]


def test_only_the_answer_counts(tiny_chat: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_chat)
    (row,) = chat_rows(memorable_conversations()[:1], tokenizer, ChatTemplate(tokenizer, "tiny"), 512).rows
    assert tokenizer.decode(row.prompt) == "<|im_start|>user\nWhat is zorble?<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.decode(row.answer) == "It is pellonk 0.<|im_end|>"
    batch = padded([[1, 2, 3], [4]], [[5, 6], [7]], pad=0)
    assert batch.ids.tolist() == [[1, 2, 3, 5, 6], [0, 0, 0, 4, 7]]
    assert batch.mask.tolist() == [[1, 1, 1, 1, 1], [0, 0, 0, 1, 1]]
    assert batch.answered.tolist() == [[True, True], [False, True]]


def test_the_loss_is_that_of_transformers_with_the_prompt_masked(tiny_chat: str) -> None:
    model, tokenizer = load_chat_model(Path(tiny_chat), "tiny")
    rows = chat_rows(memorable_conversations(), tokenizer, ChatTemplate(tokenizer, "tiny"), 512).rows[:3]
    loss = AnswerLoss(tokenizer.pad_token_id)
    with torch.no_grad():
        ours = float(loss(model, rows)) / loss.weight(rows)
        total = 0.0
        for row in rows:  # one by one, without padding, through the model's own loss
            ids = torch.tensor([[*row.prompt, *row.answer]])
            labels = torch.tensor([[*[-100] * len(row.prompt), *row.answer]])
            total += float(model(input_ids=ids, labels=labels).loss) * len(row.answer)
    assert ours == pytest.approx(total / sum(len(row.answer) for row in rows), rel=1e-5)


def test_what_all_prompts_begin_with_is_read_once_with_the_same_loss_and_gradients(tiny_chat: str) -> None:
    model, tokenizer = load_chat_model(Path(tiny_chat), "tiny")
    pad = tokenizer.pad_token_id
    begin = tuple(range(30, 70))
    rows = [AnswerRow((*begin, *range(80, 80 + size)), (90 + size, 91)) for size in (1, 3, 7)]
    batch = padded([row.prompt for row in rows], [row.answer for row in rows], pad)
    assert (len(batch.shared), batch.ids.shape) == (
        40,
        (3, 9),
    )  # the shortest keeps a token of its own: 80 is all theirs
    found = {}
    for name in ("shared", "apart"):
        parts_of = [rows] if name == "shared" else [[row] for row in rows]
        model.zero_grad()
        total = sum(AnswerLoss(pad)(model, part) for part in parts_of)
        total.backward()
        gradients = {key: weight.grad.clone() for key, weight in model.named_parameters() if weight.grad is not None}
        found[name] = (float(total.detach()), gradients)
    assert found["shared"][0] == pytest.approx(found["apart"][0], rel=1e-5)
    for key, gradient in found["apart"][1].items():
        assert (found["shared"][1][key] - gradient).norm() <= 1e-4 * gradient.norm(), key


def test_without_a_cache_what_is_shared_is_read_in_each_row(tiny_chat: str) -> None:
    model, tokenizer = load_chat_model(Path(tiny_chat), "tiny")
    begin = tuple(range(30, 70))
    rows = [AnswerRow((*begin, 80), (90, 91)), AnswerRow((*begin, 81, 82), (92,))]
    loss = AnswerLoss(tokenizer.pad_token_id)
    with torch.no_grad():
        read_once = float(loss(model, rows))
        model.activation_checkpointing_enable({"use_reentrant": False})
        model.train()
        assert float(loss(model, rows)) == pytest.approx(read_once, rel=1e-5)


def test_preference_loss_starts_at_the_logarithm_of_two_and_rewards_the_better_answer(tuned_chat: Trained) -> None:
    from peft import PeftModel

    base, tokenizer = load_chat_model(chat_folder(tuned_chat.config.base_model), "tiny")
    template = ChatTemplate(tokenizer, "tiny")
    right, wrong = memorable_conversations()[:2]
    pair = Conversation("p", right.messages, right.response, rejected=wrong.response)
    (row,) = chat_rows([pair], tokenizer, template, 512, needs_rejected=True).rows
    with quiet_peft():
        tuned = PeftModel.from_pretrained(base, str(tuned_chat.model.adapter_folder))
    loss = PreferenceLoss(tokenizer.pad_token_id, beta=0.1)
    with torch.no_grad(), tuned.disable_adapter():
        assert float(loss(tuned, [row])) == pytest.approx(math.log(2))
    with torch.no_grad():
        assert float(loss(tuned, [row])) < math.log(2)
        assert float(loss(tuned, [AnswerRow(row.prompt, row.rejected, row.answer)])) > math.log(2)


def test_batches_hold_every_row_once_an_epoch_with_like_lengths_together() -> None:
    lengths = np.random.default_rng(0).integers(10, 200, 100).tolist()
    rows = [AnswerRow((*range(at, at + length),), (1,)) for at, length in enumerate(lengths)]  # no two begin alike
    plan = plan_chat_batches(rows, 8, 3, seed=1)
    for epoch in range(3):
        part = plan[epoch * 13 : (epoch + 1) * 13]
        assert sorted(row for batch in part for row in batch) == list(range(100))
    padding = [max(lengths[row] for row in batch) * len(batch) - sum(lengths[row] for row in batch) for batch in plan]
    assert sum(padding) < 0.1 * 3 * sum(lengths)
    assert plan == plan_chat_batches(rows, 8, 3, seed=1) != plan_chat_batches(rows, 8, 3, seed=2)


def test_rows_that_begin_alike_learn_together_where_that_saves_more_than_like_lengths() -> None:
    schemas = [tuple(range(start, start + 100)) for start in (1000, 2000)]
    rows = [AnswerRow((*schemas[at % 2], *range(at, at + 3 + at % 5)), (1,)) for at in range(32)]
    for batch in plan_chat_batches(rows, 8, 2, seed=0):
        assert len({rows[row].prompt[:100] for row in batch}) == 1


def test_a_part_never_has_more_tokens_than_fit_unless_it_is_one_row() -> None:
    rows = [AnswerRow((0,) * size, (1,)) for size in (9, 99, 19, 199, 9)]
    found = list(parts(rows, 100))
    assert [[row.num_tokens for row in part] for part in found] == [[200], [100], [20, 10, 10]]
    alike = [AnswerRow((*range(90), row), (1, 1)) for row in range(5)]
    assert [len(part) for part in parts(alike, 100)] == [3, 2], "what they begin with counts once: 90 + 3 * 3 tokens"


def _train(base_model: str, folder: Path, kill_at: int | None, settings: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    run = RecordedRun(folder, seed=1)
    run.kill_at = kill_at
    learned = memorable_conversations()
    tune_chat(learned, learned[:4], ChatTuningConfig(base_model=base_model, **settings), run)


def test_a_killed_run_ends_where_an_undisturbed_one_does(tiny_chat: str, tmp_path: Path) -> None:
    settings = SHORT | {"lora_dropout": 0.2, "seed": 1}  # dropout needs the random states too
    _train(tiny_chat, tmp_path / "whole", None, settings)
    process = multiprocessing.get_context("fork").Process(
        target=_train, args=(tiny_chat, tmp_path / "cut", 6, settings)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert (tmp_path / "cut" / "work" / "training" / "checkpoint-4").is_dir()
    assert not (tmp_path / "cut" / "work" / "adapter").exists()
    _train(tiny_chat, tmp_path / "cut", None, settings)
    whole, resumed = (
        load_file(tmp_path / name / "work" / "adapter" / "adapter_model.safetensors") for name in ("whole", "cut")
    )
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_stop_keeps_the_best_so_far_and_cancel_keeps_nothing(tiny_chat: str, tmp_path: Path) -> None:
    learned = memorable_conversations()
    config = ChatTuningConfig(base_model=tiny_chat, **SHORT)
    run = RecordedRun(tmp_path / "stopped")
    run.stop_at = 2
    model = tune_chat(learned, learned[:4], config, run)
    assert (model.facts["stopped"], model.facts["last_step"]) == (True, 2)
    assert model.adapter_folder is not None
    assert (model.adapter_folder / "adapter_model.safetensors").is_file()
    run = RecordedRun(tmp_path / "cancelled")
    run.cancel_at = 2
    with pytest.raises(JobCancelled):
        tune_chat(learned, learned[:4], config, run)
    assert not (run.workdir / "adapter").exists()


def test_learning_from_preferences_makes_the_better_answer_likelier(tiny_chat: str, tmp_path: Path) -> None:
    better, worse = {"role": "assistant", "content": "alpha"}, {"role": "assistant", "content": "beta"}
    pairs = [Conversation(one.id, one.messages, better, rejected=worse) for one in memorable_conversations()]
    config = ChatTuningConfig(base_model=tiny_chat, **SHORT | {"method": "dpo", "learning_rate": 2e-3})
    model = tune_chat(pairs[4:], pairs[:4], config, RecordedRun(tmp_path))
    assert model.facts["base_validation_loss"] == pytest.approx(math.log(2))
    assert model.facts["best_validation_loss"] < 0.6


def test_activations_can_be_recomputed_without_changing_the_outcome(tiny_chat: str, tmp_path: Path) -> None:
    learned = memorable_conversations()[:4]
    found = []
    for is_recomputed in (False, True):
        config = ChatTuningConfig(
            base_model=tiny_chat, **SHORT | {"epochs": 1, "gradient_checkpointing": is_recomputed}
        )
        run = RecordedRun(tmp_path / str(is_recomputed))
        tune_chat(learned, (), config, run)
        found.append(run.metrics["loss"])
    assert found[0] == [(step, pytest.approx(value, rel=1e-4)) for step, value in found[1]]


def test_what_cannot_be_learned_from_is_said(tiny_chat: str, tmp_path: Path) -> None:
    learned = memorable_conversations()
    long = [Conversation(f"l{i}", ({"role": "user", "content": "word " * 200},), learned[0].response) for i in range(2)]
    config = ChatTuningConfig(base_model=tiny_chat, **SHORT | {"max_tokens": 64, "epochs": 1})
    with pytest.raises(DatasetError, match="None of the 2 training examples fits into 64 tokens"):
        tune_chat(long, (), config, RecordedRun(tmp_path / "a"))
    with pytest.raises(DatasetError, match="no training example"):
        tune_chat((), (), config, RecordedRun(tmp_path / "b"))
    with pytest.raises(DatasetError, match="no rejected answer"):
        tune_chat(learned, (), ChatTuningConfig(base_model=tiny_chat, method="dpo"), RecordedRun(tmp_path / "c"))
    with pytest.raises(TrainingError, match="4-bit weights need a GPU"):
        tune_chat(learned, (), ChatTuningConfig(base_model=tiny_chat, four_bit=True), RecordedRun(tmp_path / "d"))
    with pytest.raises(ValueError, match="needs the name of a service"):
        ChatTuningConfig(tuner="openai")
