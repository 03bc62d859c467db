"""Chat models of transformers on disk and in memory: the bundled one made ready, others found, all loaded safely."""

import functools
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from finetune_core import settings
from finetune_core.errors import ProviderError
from finetune_core.providers import bundled
from finetune_core.providers.embedder import resolve

_LAYOUT = 1  # of the folder that the bundled model is unpacked to: another layout is unpacked anew


def chat_folder(model: str | Path) -> Path:
    """The folder of a chat model: "bundled/…", a folder, or a hub name, which is downloaded once.

    The bundled model is a GGUF file; its weights are turned into float32 once and kept in the home's cache (540 MB), so that
    base and tuned model are computed from the same numbers. Raises ProviderError if the model is not there.
    """
    return _unpacked() if str(model) == bundled.BUNDLED_CHAT else resolve(model)


def bundled_chat_folder() -> Path:
    """Where the bundled model's weights in float32 lie once they were needed; does not make them."""
    return settings.current().home.absolute() / "cache" / "models" / f"SmolLM2-135M-Instruct-float32-{_LAYOUT}"


def load_chat_model(
    folder: Path, name: str, *, four_bit: bool = False, dtype: str = "", device: str = ""
) -> tuple[Any, Any]:
    """The model, ready to answer, and its tokenizer, which pads on the left; never runs code that comes with it.

    On a GPU in bfloat16 where there is one, or its weights in 4 bits; else in float32. `dtype` and `device` ask for others,
    "auto" for the type of its files. Raises ProviderError if they cannot be loaded.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # it would write over the lines of a job's log
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=dtype or precision(),
            **(_in_four_bits() if four_bit else {}),
        )
    except Exception as error:  # OSError, ValueError, KeyError, SafetensorError, … : whatever a damaged file provokes
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ProviderError(
            f"The model {name} cannot be loaded: {reason}.",
            hint="Its files may be damaged or of a kind transformers does not know: fetch it again.",
        ) from error
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    found: Any = model.train(False)
    if not four_bit:  # those are on the GPU already
        found = found.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return found, tokenizer


def base_template(model: str) -> str:
    """The chat template of a model that was loaded here before; "" where its tokenizer is not on this machine or has none.

    Nothing is downloaded.
    """
    from transformers import AutoTokenizer

    place = str(chat_folder(model)) if model == bundled.BUNDLED_CHAT else str(Path(model).expanduser())
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError):
        return ""
    return tokenizer.chat_template if isinstance(tokenizer.chat_template, str) else ""


def decoder_layers(model: Any) -> list[Any]:
    """The layers that each token goes through one after the other."""
    from torch import nn

    num_layers = model.config.get_text_config().num_hidden_layers
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == num_layers:
            return list(module)
    return [model]


def save_merged(base_model: str, adapter_folder: Path, target: Path) -> None:
    """Write the base model with the LoRA adapter added to its weights, and its tokenizer, into the folder `target`.

    In the precision that the base model's files have; needs as much memory as they are large. Raises ProviderError if the
    base model is not there or the adapter is another model's.
    """
    from peft import PeftModel

    model, tokenizer = load_chat_model(chat_folder(base_model), base_model, dtype="auto", device="cpu")
    try:
        with quiet_peft():
            merged = PeftModel.from_pretrained(model, str(adapter_folder)).merge_and_unload()
    except (ValueError, KeyError, RuntimeError) as error:
        raise ProviderError(
            f"The adapter does not fit {base_model}: {str(error).splitlines()[0]}",
            hint="Put the base model back that it was tuned from.",
        ) from error
    merged.save_pretrained(str(target), safe_serialization=True)
    tokenizer.save_pretrained(str(target))


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Without the warning that peft asks transformers for something by its old name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing.*", FutureWarning)
        yield


@functools.cache
def precision() -> str:
    """The type of number that models are computed in here: "bfloat16" on a GPU that can, else "float32"."""
    import torch

    return "bfloat16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "float32"


def engine() -> dict[str, str]:
    """What computes answers and trains here: `engine` with its release, `precision` and `device`."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return {"engine": f"transformers {version('transformers')}", "precision": precision(), "device": device}


def _in_four_bits() -> dict[str, Any]:
    """As Dettmers et al., QLoRA: Efficient Finetuning of Quantized LLMs, 2023."""
    import torch
    from transformers import BitsAndBytesConfig

    quantised = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, precision()),
    )
    return {"quantization_config": quantised, "device_map": {"": 0}}


def _unpacked() -> Path:
    source = bundled.locate(bundled.BUNDLED_CHAT)
    folder = bundled_chat_folder()
    if (folder / "config.json").is_file():
        return folder
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        _unpack(source, part)
        if not folder.is_dir():  # another process may have been quicker
            part.rename(folder)
    except OSError as error:
        raise ProviderError(
            f"The bundled chat model cannot be unpacked to {folder.parent}: {error.strerror or error}.",
            hint="Free 600 MB on that disk, then try again.",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _unpack(source: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    place: dict[str, Any] = {"gguf_file": source.name, "local_files_only": True}
    loaded = AutoModelForCausalLM.from_pretrained(str(source.parent), dtype=torch.float32, **place)
    config = loaded.config
    del config.quantization_config  # it is not quantised any more, and could not be saved otherwise
    with torch.device("meta"):  # without making up weights that are replaced at once
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    model.load_state_dict(loaded.state_dict(), strict=True, assign=True)
    model.generation_config = loaded.generation_config
    model.save_pretrained(target, safe_serialization=True)
    AutoTokenizer.from_pretrained(str(source.parent), **place).save_pretrained(target)
