"""The bundled chat model on this machine: unpacked, tuned to know sixteen answers by heart, and asked, one thread each.

    python -m tests.benchmarks.chat_tuning --folder /tmp/chat_tuning     # about four minutes on a quiet core

Seconds are those of the processor, which other work on the machine does not lengthen. What is in `--folder` is used again.
"""

import argparse
import os
import resource
import time
from pathlib import Path

import numpy as np
import torch

from finetune_core.models.chat_losses import AnswerRow
from finetune_core.providers.bundled import BUNDLED_CHAT
from finetune_core.providers.chat import Request
from finetune_core.providers.chat_model import bundled_chat_folder, chat_folder
from finetune_core.recipes import _chats
from finetune_core.training.chat_config import ChatTuningConfig
from finetune_core.training.chat_learner import ChatLearner
from finetune_core.training.chat_tuning import tune_chat
from tests.training_fixtures import RecordedRun, memorable_conversations

SETTINGS = {"epochs": 8, "batch_size": 4, "learning_rate": 2e-3, "evaluations": 2, "patience": 0}


def print_sharing(config: ChatTuningConfig) -> None:
    """One step over eight examples that begin with the same 140 tokens of functions, read once and read eight times."""
    learner = ChatLearner(config)
    learner.model.train()
    draw = np.random.default_rng(0)
    begin, *own = (tuple(draw.integers(100, 40_000, size).tolist()) for size in [140, *range(20, 28), *[22] * 8])
    rows = [AnswerRow((*begin, *prompt), answer) for prompt, answer in zip(own[:8], own[8:], strict=True)]
    seconds = {}
    for name, parts in {"at first": [rows], "apart": [[row] for row in rows], "together": [rows]}.items():
        started = time.process_time()
        for part in parts:
            learner.loss(learner.model, part).backward()
        seconds[name] = time.process_time() - started
    num = sum(row.num_tokens for row in rows)
    print(
        f"a step over {num} tokens that share {len(begin)} of each example: {num / seconds['together']:.0f} tokens/s, "
        f"{seconds['apart'] / seconds['together']:.1f} times as many as without sharing",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    folder = parser.parse_args().folder
    os.environ["AYAR_HOME"] = str(folder / "home")
    torch.set_num_threads(1)
    if not bundled_chat_folder().is_dir():
        started = time.process_time()
        chat_folder(BUNDLED_CHAT)
        print(f"unpacked in {time.process_time() - started:.0f} s", flush=True)
    print_sharing(ChatTuningConfig(**SETTINGS))
    learned, run = memorable_conversations(), RecordedRun(folder / "run")
    config = ChatTuningConfig(**SETTINGS)
    started = time.process_time()
    model = tune_chat(learned, learned[:4], config, run)
    tokens_per_s = model.facts["num_tokens"] / (time.process_time() - started)
    print(f"tuned: {tokens_per_s:.0f} tokens/s with loading and validation, {model.facts}", flush=True)
    for name, chat in _chats.chat_systems(config, model, run).items():
        found: dict[int, str] = {}
        started = time.process_time()
        requests = [Request(one.messages, max_tokens=20) for one in learned]
        chat.complete_batch(requests, lambda at, reply, found=found: found.update({at: reply.text}), run.checkpoint)  # type: ignore[attr-defined]
        num_right = sum(found[at] == one.response["content"] for at, one in enumerate(learned))
        seconds = time.process_time() - started
        print(f"{name}: {num_right} of {len(learned)} right, {len(learned) / seconds:.2f} answers/s", flush=True)
    print(f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB of memory")


if __name__ == "__main__":
    main()
