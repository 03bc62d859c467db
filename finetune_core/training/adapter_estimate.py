"""What learning an adapter takes once the vectors are there: counted in floating-point operations, no weights read.

Shape suffixes: B questions of a batch, P passages, Q validation questions, D vector dimensions.
"""

from dataclasses import dataclass

from finetune_core.recipe import Outline
from finetune_core.training.adapter import SWEEP_SHARE
from finetune_core.training.adapter_config import AdapterConfig, Kind
from finetune_core.training.adapter_data import MAX_POOL_TEXTS
from finetune_core.training.adapter_learner import MAX_PASSAGES
from finetune_core.training.nudge import DISTANCES

BYTES = 4  # of a float32
OVERHEAD = 5.0  # times the matrix products alone: a step also reads and writes what it multiplies (measured: 4 to 8)
SORTING_S = 3e-7  # for each validation question and passage: scores are rounded and sorted (measured: 3e-7 to 6e-7)


@dataclass(frozen=True)
class Learning:
    """Steps, floating-point operations and seconds of sorting of all of them; bytes of memory and of the result."""

    num_steps: int
    flops: float
    sorting_s: float
    memory_bytes: int
    disk_bytes: int


def learning(outline: Outline, config: AdapterConfig, num_dimensions: int) -> Learning:
    """The size of the work; all epochs, though a run may stop earlier."""
    num_right, num_questions = len(outline.uses), outline.num_train
    num_validated = min(outline.num_validation, MAX_POOL_TEXTS)
    num_pool = min(outline.num_passages, MAX_POOL_TEXTS - num_validated)
    held = num_questions + num_right + num_validated + num_pool
    if config.kind is Kind.NUDGE:
        num_steps, num_measured, flops, num_weights = (
            len(DISTANCES),
            len(DISTANCES) + 1,
            0.0,
            num_right * num_dimensions,
        )
    else:
        num_steps = config.epochs * -(-num_questions // config.batch_size)
        tried = len(config.learning_rates) if len(config.learning_rates) > 1 and num_validated else 0
        num_measured = config.evaluations + tried * max(1, config.evaluations // 4)
        num_weights = len(config.side.parts) * _weights(config, num_dimensions)
        flops = num_steps * (1 + SWEEP_SHARE * tried) * _step_flops(config, num_right, num_questions, num_dimensions)
    batch = min(config.batch_size, num_questions) * min(num_right, MAX_PASSAGES)
    pool = num_validated * num_pool
    return Learning(
        num_steps=num_steps,
        flops=OVERHEAD * flops + num_measured * 2 * pool * num_dimensions,
        sorting_s=num_measured * pool * SORTING_S,
        memory_bytes=BYTES * (4 * num_weights + 2 * held * num_dimensions + max(6 * batch, 4 * pool)),
        disk_bytes=BYTES * (8 * num_weights + held * num_dimensions),
    )


def _step_flops(config: AdapterConfig, num_right: int, num_questions: int, num_dimensions: int) -> float:
    """Two operations forward and four backward for each weight and vector that is moved, and for each score."""
    batch, passages = min(config.batch_size, num_questions), min(num_right, MAX_PASSAGES)
    moved = {"query": batch, "document": passages}
    adapted = sum(moved[side] for side in config.side.parts) * _weights(config, num_dimensions)
    return 6.0 * (adapted + batch * passages * num_dimensions)


def _weights(config: AdapterConfig, num_dimensions: int) -> int:
    """Of one side; a custom adapter is taken for a linear one."""
    match config.kind:
        case Kind.TWO_LAYER:
            return 2 * num_dimensions * config.hidden_size
        case Kind.LOW_RANK:
            return 2 * num_dimensions * min(config.rank, num_dimensions)
    return num_dimensions**2
