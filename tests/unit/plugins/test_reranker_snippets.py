"""A reranker's snippets, run for real on a tuned model's export, put passages in the order Ayar puts them in."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finetune_core import recipes
from finetune_core.plugins.snippets import render
from finetune_core.providers.reranker import LocalReranker
from tests.training_fixtures import Trained

QUESTION, WEIGHT = "What is zorble?", 7.5


@pytest.fixture(scope="module")
def exported(trained_cross_encoder: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe, folder = recipes.get("cross_encoder"), tmp_path_factory.mktemp("reranker")
    recipe.save(trained_cross_encoder.model, folder / "saved")
    recipe.exports["sentence-transformers"](folder / "saved", folder / "o'ut")
    return folder / "o'ut"


def test_each_snippet_orders_as_ayar_does(exported: Path, trained_cross_encoder: Trained, tmp_path: Path) -> None:
    from llama_index.core.schema import NodeWithScore, TextNode

    texts = [passage.full_text for passage in trained_cross_encoder.split.test.corpus]
    given = np.linspace(0.9, 0.2, len(texts))
    max_tokens = trained_cross_encoder.model.max_tokens
    mixed = LocalReranker(exported, max_tokens, tmp_path).score(QUESTION, texts) + WEIGHT * given
    expected = [texts[position] for position in np.argsort(-mixed)]

    def run(template: str) -> dict[str, Any]:
        code = render(template, folder=str(exported), name="Tuned", max_tokens=max_tokens, retriever_weight=WEIGHT)
        assert "finetune_core" not in code
        names: dict[str, Any] = {"__name__": "snippet"}
        exec(code, names)
        return names

    order = run("sentence_transformers_rerank")["rerank"](QUESTION, texts, given.tolist())
    assert [texts[position] for position in order] == expected
    reranker = run("llama_index_rerank")["TunedReranker"](top_n=len(texts))
    nodes = [
        NodeWithScore(node=TextNode(text=text), score=float(score)) for text, score in zip(texts, given, strict=True)
    ]
    found = reranker.postprocess_nodes(nodes, query_str=QUESTION)
    assert [each.node.get_content() for each in found] == expected
    assert all("retrieval_score" not in each.node.metadata for each in found)
