"""Tokens are counted as the model's own tokenizer counts them, without torch or transformers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from finetune_core.errors import ProviderError
from finetune_core.providers import bundled
from finetune_core.providers.tokens import TokenCounter


def folder_with_tokenizer(path: Path, **configuration: object) -> str:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = {word: number for number, word in enumerate(["[UNK]", "[CLS]", "[SEP]", "red", "blue", "green"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=8)
    path.mkdir()
    tokenizer.save(str(path / "tokenizer.json"))
    for name, content in configuration.items():
        (path / f"{name}.json").write_text(json.dumps(content))
    return str(path)


def test_counts_whole_texts_despite_the_models_own_truncation_and_padding(tmp_path: Path) -> None:
    counter = TokenCounter.for_model(folder_with_tokenizer(tmp_path / "m"))
    assert counter.count("red blue green") == 5
    assert counter.count_plain("red blue green") == 3
    assert counter.count_many(["", "red", "red blue"]) == [2, 3, 4]
    assert counter.num_special_tokens == 2


@pytest.mark.parametrize(
    ("configuration", "window"),
    [
        ({"sentence_bert_config": {"max_seq_length": 128}, "config": {"max_position_embeddings": 512}}, 128),
        ({"tokenizer_config": {"model_max_length": 1e30}, "config": {"max_position_embeddings": 514}}, 514),
        ({"tokenizer_config": {"model_max_length": 384}}, 384),
        ({}, 512),
    ],
)
def test_window(tmp_path: Path, configuration: dict[str, object], window: int) -> None:
    assert TokenCounter.for_model(folder_with_tokenizer(tmp_path / "m", **configuration)).max_tokens == window


@pytest.mark.parametrize("name", ["no/such-model-anywhere", "not a model name"])
def test_a_model_that_cannot_be_had(name: str) -> None:
    with pytest.raises(ProviderError) as caught:
        TokenCounter.for_model(name)
    assert name in caught.value.message
    assert caught.value.hint


def test_a_folder_without_or_with_a_broken_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="no tokenizer"):
        TokenCounter.for_model(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ProviderError, match="cannot be read"):
        TokenCounter.for_model(str(tmp_path))


@pytest.mark.skipif(not bundled.is_bundled_installed(), reason="the bundled model is not installed")
def test_the_bundled_model() -> None:
    counter = TokenCounter.for_model(bundled.BUNDLED_EMBEDDER)
    assert counter.max_tokens == 256
    assert counter.count("Hello, world!") == 6  # [CLS] hello , world ! [SEP]
    assert counter.count("word " * 1000) == 1002


@pytest.mark.skipif(not bundled.is_bundled_installed(), reason="the bundled model is not installed")
def test_the_live_preview_loads_neither_torch_nor_transformers() -> None:
    code = """
import sys
from finetune_core.corpus.chunking import Chunker
from finetune_core.providers.tokens import TokenCounter
from finetune_core.workspace import corpus
Chunker(TokenCounter.for_model("bundled/all-MiniLM-L6-v2"), 64, 8).cut("d", "A sentence. " * 99, ())
print(sorted({"torch", "transformers", "sentence_transformers", "ragas", "datasets"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
