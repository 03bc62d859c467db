"""How many tokens a service counts in texts, by OpenAI's published vocabulary; others count much alike."""

import functools
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

VOCABULARY = "cl100k_base"


def count_many(texts: Sequence[str]) -> list[int]:
    """Tokens of each text, special marks counted as the text they are."""
    return [len(each) for each in _vocabulary().encode_batch(list(texts), num_threads=1, disallowed_special=())]


@functools.cache
def _vocabulary() -> "Encoding":
    """The vocabulary comes with llama-index-core, so that nothing is downloaded."""
    import tiktoken

    found = importlib.util.find_spec("llama_index.core")
    for folder in (found.submodule_search_locations or ()) if found else ():
        os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(Path(folder) / "_static" / "tiktoken_cache"))
    return tiktoken.get_encoding(VOCABULARY)
