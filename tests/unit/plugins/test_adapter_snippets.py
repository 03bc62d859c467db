"""The snippets of an adapter run for real, in a process that has no Ayar, and give Ayar's own vectors."""

import json
from pathlib import Path

import numpy as np
import pytest

from finetune_core.jobs.worker import run_queued_here
from finetune_core.plugins.llama_index_embedding import llama_index_embedding
from finetune_core.workspace import jobs, models, projects
from tests.training_fixtures import Trained, add_finished_run, add_tiny_dataset
from tests.warm_python import WarmPython

TEXTS = ["Dig a wide hole (section zorble)", "Sleeper services depart (section quandit)", "Something else"]
QUESTION = "What does zorble mean?"
AFTER = {
    "LlamaIndex": "print(json.dumps([embed_model.get_query_embedding(question), embed_model.get_text_embedding_batch(texts)]))\n"
    "assert nodes[0].text == 'To start, press the green button.'",
    "NumPy": "print(json.dumps([adapter.queries(bare[:1]).tolist()[0], adapter.passages(bare[1:], texts).tolist()]))",
}


@pytest.mark.parametrize("framework", sorted(AFTER))
@pytest.mark.parametrize("is_exported", [True, False])
def test_a_snippet_gives_the_same_vectors(
    framework: str, is_exported: bool, trained_adapter: Trained, bare_python: WarmPython, tmp_path: Path
) -> None:
    project = projects.create("p").id
    _, model_id = add_finished_run(project, add_tiny_dataset(project), trained_adapter, "embedding_adapter")
    target = models.folder(model_id)
    if is_exported:
        target = tmp_path / "o'ut" / 'my "adapter"'
        jobs.submit(project, "export", {"model_id": model_id, "to": str(target)}, start=False)
        run_queued_here()
        assert {path.name for path in target.iterdir()} == {
            "adapter.json",
            "adapter.safetensors",
            "adapter.py.txt",
            "manifest.json",
        }
    (snippet,) = [each for each in models.snippets(model_id, str(target)) if each.framework == framework]
    assert "finetune_core" not in snippet.code
    tuned = trained_adapter.model.embedder(_base(trained_adapter))
    bare = [*tuned.base.encode_queries([QUESTION]).tolist(), *tuned.base.encode_passages(TEXTS).tolist()]
    given = f"import json, sys, numpy as np\nquestion, texts = {QUESTION!r}, {TEXTS!r}\nbare = np.array({bare!r}, 'float32')\n"
    code = f"{snippet.code}\n{given}{AFTER[framework]}\nassert 'finetune_core' not in sys.modules\n"
    done = bare_python.run(code, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    question_D, passages_PD = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(question_D, tuned.encode_queries([QUESTION])[0], atol=1e-5)
    np.testing.assert_allclose(passages_PD, tuned.encode_passages(TEXTS), atol=1e-5)
    assert np.abs(np.array(question_D) - bare[0]).max() > 1e-3, "without the adapter they would differ"


def test_inside_ayar_llama_index_gets_an_embedding_that_batches(trained_adapter: Trained) -> None:
    tuned = trained_adapter.model.embedder(_base(trained_adapter))
    embedding = llama_index_embedding(tuned, batch_size=2)
    np.testing.assert_allclose(embedding.get_text_embedding_batch(TEXTS), tuned.encode_passages(TEXTS), atol=1e-6)
    np.testing.assert_allclose(embedding.get_query_embedding(QUESTION), tuned.encode_queries([QUESTION])[0], atol=1e-6)


def _base(trained: Trained):
    from finetune_core.recipes._embedders import open_embedder

    return open_embedder(trained.config.base_model, trained.run, trained.config.max_tokens)
