"""Each snippet runs for real, in a process that has no Ayar, on an exported model, and gives Ayar's own vectors."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from finetune_core import recipes
from finetune_core.jobs.worker import run_queued_here
from finetune_core.plugins.snippets import FRAMEWORKS, render
from finetune_core.providers.embedder import LocalEmbedder
from finetune_core.workspace import jobs, models, projects
from tests.training_fixtures import Trained
from tests.tuned_model import MAX_TOKENS, PASSAGE_PREFIX, QUERY_PREFIX, TEXTS, add_tuned_model
from tests.vendors.server import KEY
from tests.warm_python import WarmPython

QUESTION = "How do I start it?"
PRINTED = {
    "sentence_transformers": (
        "print(json.dumps([embed_questions([question])[0].tolist(), embed_passages(texts).tolist()]))",
        "assert scores.shape == (1, 2) and scores[0, 0] > scores[0, 1], scores",
    ),
    "llama_index": (
        "print(json.dumps([embed_model.get_query_embedding(question), embed_model.get_text_embedding_batch(texts)]))",
        "assert nodes[0].text == 'To start, press the green button.', nodes",
    ),
    "langchain": (
        "print(json.dumps([embeddings.embed_query(question), embeddings.embed_documents(texts)]))",
        "assert documents[0].page_content == 'To start, press the green button.', documents",
    ),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model exported under a name that is awkward in code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AYAR_HOME", str(tmp_path_factory.mktemp("home")))
        project = projects.create("p")
        add_tuned_model(project.id)
        target = tmp_path_factory.mktemp("o'ut") / 'my "model"'
        jobs.submit(project.id, "export", {"model_id": "m1", "to": str(target)}, start=False)
        run_queued_here()
        assert [snippet.framework for snippet in models.snippets("m1")] == [
            "LlamaIndex",
            "sentence-transformers",
            "LangChain",
        ]
        assert all(repr(str(target)) in snippet.code for snippet in models.snippets("m1", str(target)))
    return target


@pytest.mark.parametrize("template", [framework.template for framework in FRAMEWORKS["embedding"]])
def test_a_snippet_gives_the_same_vectors(
    template: str, exported: Path, bare_python: WarmPython, tmp_path: Path
) -> None:
    code = render(
        template, folder=str(exported), name="Tuned", query_prefix=QUERY_PREFIX, passage_prefix=PASSAGE_PREFIX
    )
    assert "finetune_core" not in code
    texts = list(TEXTS.values())
    after = f"import json, sys\nquestion, texts = {QUESTION!r}, {texts!r}\n" + "\n".join(PRINTED[template])
    done = bare_python.run(f"{code}\n{after}\nassert 'finetune_core' not in sys.modules\n", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    question_D, passages_PD = json.loads(done.stdout.splitlines()[-1])
    ayar = LocalEmbedder(exported, QUERY_PREFIX, PASSAGE_PREFIX, MAX_TOKENS)
    np.testing.assert_allclose(question_D, ayar.encode_queries([QUESTION])[0], atol=1e-5)
    np.testing.assert_allclose(passages_PD, ayar.encode_passages(texts), atol=1e-5)
    bare = LocalEmbedder(exported, max_tokens=MAX_TOKENS)
    assert np.abs(bare.encode_queries([QUESTION])[0] - question_D).max() > 1e-3, "without prefixes they would differ"


def test_an_unknown_snippet_is_refused() -> None:
    with pytest.raises(ValueError, match="llama_index"):
        render("haystack", folder="x", name="y")


def test_a_custom_reranker_reorders_the_nodes_of_llama_index(
    trained_cohere: Trained, bare_python: WarmPython, tmp_path: Path
) -> None:
    recipe = recipes.get("cohere_reranker")
    recipe.save(trained_cohere.model, tmp_path / "saved")
    (tmp_path / "export").mkdir()
    recipe.exports["cohere"](tmp_path / "saved", tmp_path / "export")
    (framework,) = FRAMEWORKS["cohere_reranker"]
    code = render(framework.template, folder=str(tmp_path / "export"), name="mine")
    example, corpus = trained_cohere.split.test.examples[0], trained_cohere.split.test.corpus
    texts = [passage.full_text for passage in corpus]
    after = (
        "import json, sys\nfrom llama_index.core.schema import TextNode\n"
        f"nodes = [NodeWithScore(node=TextNode(text=text), score=0.0) for text in {texts!r}]\n"
        f"found = reranker.postprocess_nodes(nodes, query_str={example.query!r})\n"
        "print(json.dumps([one.node.get_content() for one in found]))\nassert 'finetune_core' not in sys.modules\n"
    )
    done = bare_python.run(f"{code}\n{after}", environment={**os.environ, "CO_API_KEY": KEY}, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) == 5
    assert found[0] == corpus[next(iter(example.relevant))].full_text
