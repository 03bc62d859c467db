"""How many tokens a text has for a given model: counted with `tokenizers` alone, from the model's `tokenizer.json`.

Nothing here loads weights, torch or transformers, so that the dashboard may count while a person moves a slider.
"""

import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_core.errors import ProviderError
from finetune_core.providers import bundled

if TYPE_CHECKING:
    from tokenizers import Tokenizer

UNKNOWN_WINDOW = 512
"""Assumed where a model's files do not say how much it reads."""

_SMALL_FILES = ("sentence_bert_config.json", "tokenizer_config.json", "config.json")
_BATCH = 512


class TokenCounter:
    """Counts tokens the way `base_model` does. Equal arguments share one loaded tokenizer for each process.

    `max_tokens` is the model's window: the most tokens it reads of one text, its special tokens included.
    """

    def __init__(self, tokenizer: "Tokenizer", max_tokens: int, base_model: str) -> None:
        self._tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.base_model = base_model
        self.num_special_tokens: int = tokenizer.num_special_tokens_to_add(is_pair=False)

    @staticmethod
    def for_model(base_model: str) -> "TokenCounter":
        """The counter of a bundled model, a hub name or a folder.

        Raises ProviderError if its tokenizer.json cannot be found or read.
        """
        return _loaded(base_model)

    def count(self, text: str) -> int:
        """Tokens of `text` as the model reads it, special tokens included, never cut off."""
        return len(self._tokenizer.encode(text).ids)

    def count_plain(self, text: str) -> int:
        """Tokens of `text` without the special tokens; counts of parts add up (at most) to the count of the whole."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def count_many(self, texts: Iterable[str]) -> list[int]:
        """`count` of each text, in parallel."""
        texts = list(texts)
        counts: list[int] = []
        for start in range(0, len(texts), _BATCH):
            counts += [len(one.ids) for one in self._tokenizer.encode_batch_fast(texts[start : start + _BATCH])]
        return counts


@functools.lru_cache(maxsize=8)
def _loaded(base_model: str) -> TokenCounter:
    from tokenizers import Tokenizer

    paths = _files(base_model)
    try:
        tokenizer = Tokenizer.from_file(str(paths["tokenizer.json"]))
    except Exception as error:  # the Rust library raises bare Exception
        raise ProviderError(
            f"The tokenizer of {base_model} cannot be read: {error}.",
            hint="Download the model again, or choose another base model on the Corpus page.",
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return TokenCounter(tokenizer, _window(paths), base_model)


def _files(base_model: str) -> dict[str, Path]:
    """The tokenizer and the small configuration files that exist, by name."""
    is_bundled = base_model == bundled.BUNDLED_EMBEDDER
    folder = bundled.locate(base_model) if is_bundled else Path(base_model).expanduser()
    if folder.is_dir():
        found = {name: folder / name for name in ("tokenizer.json", *_SMALL_FILES) if (folder / name).is_file()}
    else:
        found = _from_hub(base_model)
    if "tokenizer.json" not in found:
        raise ProviderError(
            f"The base model {base_model!r} has no tokenizer.json.",
            hint="Choose a model that ships a tokenizer.json, such as the bundled one.",
        )
    return found


def _from_hub(name: str) -> dict[str, Path]:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    found: dict[str, Path] = {}
    for file in ("tokenizer.json", *_SMALL_FILES):
        try:
            found[file] = Path(hf_hub_download(name, file))
        except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
            if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
                continue  # the model simply has no such file
            if file != "tokenizer.json":
                continue
            raise ProviderError(
                f"The base model {name!r} is neither a folder here nor a model that could be fetched: {error}",
                hint="Check the name and the network, or give the path of a folder that holds the model.",
            ) from error
    return found


def _window(paths: dict[str, Path]) -> int:
    """The first of these that is said: max_seq_length, model_max_length, max_position_embeddings."""
    for file, key in zip(_SMALL_FILES, ("max_seq_length", "model_max_length", "max_position_embeddings"), strict=True):
        value = _json(paths[file]).get(key) if file in paths else None
        if isinstance(value, int | float) and 0 < value < 10_000_000:  # "unlimited" is written as 1e30
            return int(value)
    return UNKNOWN_WINDOW


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
