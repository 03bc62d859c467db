"""Adapter folders of `llama-index-finetuning`: `config.json` and `pytorch_model.bin`, converted once to Ayar's files.

The weights are a pickle, which can hold code. A child process reads them with `weights_only`, which refuses everything but
tensors, and writes safetensors; nothing else of Ayar ever opens such a file.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from finetune_core.errors import ArtefactError
from finetune_core.training.adapted import SETTINGS_FILE, WEIGHTS_FILE, AdapterModel, AdapterSettings
from finetune_core.training.adapter_config import Kind, Side

TIMEOUT_S = 120
MAX_CONFIG_BYTES = 100_000
ACTIVATIONS = ("relu", "sigmoid", "tanh", "leaky_relu")
_CHILD = """
import sys, torch
from safetensors.torch import save_file
found = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
save_file({name: tensor.detach().float().contiguous().clone() for name, tensor in found.items()}, sys.argv[2])
"""


def convert(folder: Path, target: Path, base_model: str, max_tokens: int) -> AdapterModel:
    """The adapter in `folder` as one of Ayar's in the empty folder `target`, on the side of the questions.

    `base_model` names the embedder it was tuned for, as the settings of an adapter do. Raises ArtefactError that says what
    in the folder does not fit.
    """
    config = _config(folder / "config.json")
    size = config.get("in_features")
    if not isinstance(size, int) or size < 1 or size != config.get("out_features"):
        raise _refused(
            folder, f"in_features is {size} and out_features {config.get('out_features')}; they must be equal"
        )
    target.mkdir(parents=True, exist_ok=True)
    found = _tensors(folder / "pytorch_model.bin", target)
    is_linear = "hidden_features" not in config
    activation = str(config.get("activation_fn_str", "relu"))
    if not is_linear and activation not in ACTIVATIONS:
        raise _refused(folder, f"its activation is {activation!r}; known are {', '.join(ACTIVATIONS)}")
    try:
        weights = _linear(found, size) if is_linear else _two_layer(found, config, size)
    except (KeyError, ValueError) as error:
        raise _refused(folder, f"its weights do not fit config.json: {error}") from error
    from safetensors.numpy import save_file

    save_file(
        {f"query.{name}": np.ascontiguousarray(w, np.float32) for name, w in weights.items()}, target / WEIGHTS_FILE
    )
    settings = AdapterSettings(
        kind=(Kind.LINEAR if is_linear else Kind.TWO_LAYER).value,
        side=Side.QUERY.value,
        num_dimensions=size,
        base_model=base_model,
        base_fingerprint="",
        max_tokens=max_tokens,
        activation="silu" if is_linear else activation,
        residual=is_linear or bool(config.get("add_residual")),
    )
    model = AdapterModel(target, settings)
    (target / SETTINGS_FILE).write_text(json.dumps({**vars(settings), "facts": {}}, indent=2), encoding="utf-8")
    return model


def _config(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise _refused(path.parent, f"config.json has more than {MAX_CONFIG_BYTES:,} bytes")
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _refused(path.parent, f"config.json cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise _refused(path.parent, "config.json holds no settings")
    return config


def _tensors(path: Path, target: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    if not path.is_file():
        raise _refused(path.parent, "there is no pytorch_model.bin")
    converted = target / "converted.safetensors"
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _CHILD, str(path.absolute()), str(converted.absolute())],
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:300]
            raise _refused(path.parent, f"pytorch_model.bin holds more than plain weights, or is damaged ({reason})")
        return dict(load_file(converted))
    except subprocess.TimeoutExpired as error:
        raise _refused(path.parent, f"reading pytorch_model.bin took more than {TIMEOUT_S} s") from error
    finally:
        converted.unlink(missing_ok=True)


def _linear(found: dict[str, Any], size: int) -> dict[str, Any]:
    bias = found.get("linear.bias", np.zeros(size, np.float32))
    return {"delta": _shaped(found, "linear.weight", (size, size)) - np.eye(size), "bias": bias.reshape(size)}


def _two_layer(found: dict[str, Any], config: dict[str, Any], size: int) -> dict[str, Any]:
    hidden = int(config["hidden_features"])
    # Without the residual the old class leaves its learned weight unused.
    gate = _shaped(found, "residual_weight", (1,)) if config.get("add_residual") else np.ones(1)
    return {
        "first": _shaped(found, "linear1.weight", (hidden, size)),
        "first_bias": _shaped(found, "linear1.bias", (hidden,)),
        "second": _shaped(found, "linear2.weight", (size, hidden)),
        "second_bias": _shaped(found, "linear2.bias", (size,)),
        "gate": gate,
    }


def _shaped(found: dict[str, Any], name: str, shape: tuple[int, ...]) -> Any:
    if name not in found:
        raise KeyError(f"{name} is missing")
    if found[name].shape != shape:
        raise ValueError(f"{name} has shape {found[name].shape}, not {shape}")
    return found[name]


def _refused(folder: Path, reason: str) -> ArtefactError:
    return ArtefactError(
        f"{folder} is no adapter that can be taken over: {reason}.",
        hint="Name the folder that the old package wrote, with config.json and pytorch_model.bin.",
    )
