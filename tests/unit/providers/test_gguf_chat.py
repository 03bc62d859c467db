"""The local model: what is wrong with a file is said before llama.cpp sees it; the bundled one really answers."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from finetune_core.errors import ProviderError
from finetune_core.providers import bundled
from finetune_core.providers.chat import RequestRefusedError
from finetune_core.providers.gguf_chat import LocalGgufChat, check_gguf

SCHEMA = {
    "type": "object",
    "properties": {"question": {"type": "string", "pattern": r"^What [a-z ]{5,20}\?$"}},
    "required": ["question"],
}


def test_a_file_that_is_missing_or_no_gguf_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="cannot be read"):
        check_gguf(tmp_path / "none.gguf")
    (tmp_path / "text.gguf").write_text("not a model")
    with pytest.raises(ProviderError, match="is not a GGUF file"):
        LocalGgufChat(tmp_path / "text.gguf")


def test_a_damaged_file_is_an_error_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "damaged.gguf").write_bytes(b"GGUF" + b"\x03\x00\x00\x00" + b"\xff" * 64)
    with pytest.raises(ProviderError, match=r"cannot load damaged\.gguf"):
        LocalGgufChat(tmp_path / "damaged.gguf")


@pytest.mark.slow
@pytest.mark.skipif(not bundled.is_bundled_installed(bundled.BUNDLED_CHAT), reason="the bundled model is not installed")
def test_the_bundled_model_answers_in_the_form_asked_for() -> None:
    chat = LocalGgufChat(bundled.locate(bundled.BUNDLED_CHAT), num_parallel=2, context_tokens=256, num_threads=1)
    ask = [{"role": "user", "content": "Ask a question about sheep."}]

    def question(seed: int) -> str:
        reply = chat.complete(ask, schema=SCHEMA, max_tokens=64, seed=seed, temperature=0.7)
        assert reply.input_tokens > 5
        assert 0 < reply.output_tokens <= 64
        return json.loads(reply.text)["question"]

    with ThreadPoolExecutor(2) as pool:
        assert all(text.startswith("What ") and text.endswith("?") for text in pool.map(question, range(2)))
    assert question(1) == question(1), "equal seeds give equal answers, one at a time"
    with pytest.raises(RequestRefusedError, match="context"):
        chat.complete([{"role": "user", "content": "sheep " * 400}])
    _watch(chat, ask)
    chat.close()


def _watch(chat: LocalGgufChat, ask: list[dict[str, str]]) -> None:
    """The same answers while they are watched, and an end to them when nobody watches any more."""
    told: list[str] = []
    whole = chat.complete(ask, schema=SCHEMA, max_tokens=16, temperature=0)
    assert chat.complete(ask, schema=SCHEMA, max_tokens=16, temperature=0, on_text=told.append) == whole
    assert told[-1] == whole.text
    assert len(told) > 3
    assert all(after.startswith(before) for before, after in pairwise(told))

    class LeftError(Exception):
        pass

    def leave(text: str) -> None:
        told.append(text)
        raise LeftError

    told.clear()
    with pytest.raises(LeftError):
        chat.complete(ask, max_tokens=200, on_text=leave)
    assert len(told) == 1
    with pytest.raises(RequestRefusedError, match="context"):
        chat.complete([{"role": "user", "content": "sheep " * 400}], on_text=told.append)
    assert len(told) == 1
