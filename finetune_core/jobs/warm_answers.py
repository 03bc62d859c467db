"""What a recipe over chats, calls, judgements, comparisons or SQL answers in the Playground, as plain values."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from finetune_core.evaluation.said import Said
from finetune_core.storage.demonstrations import example_from


class Loaded(Protocol):
    """A loaded contender: its name, and its recipe with the system and the settings to ask."""

    name: str
    recipe: Any
    system: Any
    config: Any


def answered(warm: Loaded, example: Mapping[str, Any], run: Any) -> dict[str, Any]:
    """`{name, seconds, num_searched, passages, route, said}` of an example, given as `{kind, group, content}`.

    `said` is `{text, note, table}`. Raises DatasetError where the recipe takes another kind of example.
    """
    record = example_from(example["kind"], "asked", example["group"], example["content"], reviewed=False)
    warm.recipe.check_example(record)
    began = time.perf_counter()
    said: Said = warm.recipe.answer(warm.system, record, warm.config, run=run)
    return {
        "name": warm.name, "seconds": time.perf_counter() - began, "num_searched": 0, "passages": [], "route": None,
        "said": {"text": said.text, "note": said.note, "table": said.table and asdict(said.table)},
    }  # fmt: skip
