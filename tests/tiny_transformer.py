"""A transformer of random weights, so small that a training step takes milliseconds."""

import re
from collections.abc import Iterable
from pathlib import Path


def save_tiny_transformer(folder: Path, texts: Iterable[str]) -> Path:
    """Write two layers of 64 dimensions, and a tokenizer that knows every word of `texts`, into the new `folder`."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]", text.lower())})
    folder.mkdir(parents=True)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(str(vocabulary), model_max_length=64)
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
        max_position_embeddings=64,
    )  # fmt: skip
    BertModel(shape).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
