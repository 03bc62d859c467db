"""A tuned chat model outside Ayar: as an adapter, as a whole model, and in the code that people paste."""

import json
from pathlib import Path

import pytest

from finetune_core.errors import ArtefactError, ProviderError
from finetune_core.plugins.snippets import CHAT, render
from finetune_core.providers.transformers_chat import TransformersChat
from finetune_core.recipes import _chats
from finetune_core.training.chat_tuning import TunedChat
from tests.tiny_transformer import save_tiny_chat
from tests.training_fixtures import RecordedRun, Trained, memorable_conversations
from tests.warm_python import WarmPython

QUESTION, ANSWER = "What is zorble?", "It is pellonk 0."


@pytest.fixture(scope="module")
def artefact(tuned_chat: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artefact")
    _chats.save(tuned_chat.model, folder)
    return folder


@pytest.fixture(scope="module")
def exported(artefact: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {}
    for name, export in _chats.EXPORTS.items():
        found[name] = tmp_path_factory.mktemp("exports") / "my 'model'"
        found[name].mkdir()
        export(artefact, found[name])
    return found


def test_what_was_saved_is_loaded(artefact: Path, tuned_chat: Trained, tmp_path: Path) -> None:
    loaded = _chats.load(artefact, tuned_chat.run)
    assert loaded.facts == json.loads(json.dumps(tuned_chat.model.facts))
    chat = _chats.tuned_chat(loaded, tuned_chat.run)
    assert chat.fingerprint == _chats.tuned_chat(tuned_chat.model, tuned_chat.run).fingerprint
    run = RecordedRun(tmp_path)
    run.folders["m1"] = artefact
    assert _chats.open_chat("model:m1", run).fingerprint == chat.fingerprint
    with pytest.raises(ArtefactError, match="no tuned chat model"):
        _chats.load(tmp_path, run)


def test_the_exports_answer_as_the_tuned_model_does(exported: dict[str, Path], tuned_chat: Trained) -> None:
    names = {path.name for path in exported["LoRA adapter"].iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors"}
    merged = exported["merged model"]
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in merged.iterdir()}
    assert not list(merged.rglob("adapter*"))
    whole = TransformersChat(merged)
    for one in memorable_conversations():
        assert whole.complete(one.messages, temperature=0, max_tokens=20).text == one.response["content"]


def test_what_cannot_be_exported_is_said(artefact: Path, tmp_path: Path) -> None:
    _chats.save(TunedChat("gpt", service="Somewhere", model_id="ft:gpt:1"), tmp_path)
    for export in _chats.EXPORTS.values():
        with pytest.raises(ArtefactError, match="ft:gpt:1 is kept by the service Somewhere"):
            export(tmp_path, tmp_path / "out")
    other = save_tiny_chat(tmp_path / "other", ["a"], hidden_size=32)
    messages = ({"role": "user", "content": "x"},)
    base = TransformersChat(other)
    before = base.complete(messages, temperature=0, max_tokens=5)
    with pytest.raises(ProviderError, match="does not fit"):
        TransformersChat(other, artefact).complete(messages)
    assert base.complete(messages, temperature=0, max_tokens=5) == before


@pytest.mark.parametrize(
    ("template", "export", "after"),
    [
        ("transformers_chat", "LoRA adapter", f'print(answer([{{"role": "user", "content": {QUESTION!r}}}]))'),
        ("llama_index_chat", "merged model", f"print(llm.complete({QUESTION!r}).text)"),
    ],
)
def test_a_snippet_answers_the_same_without_ayar(
    template: str,
    export: str,
    after: str,
    exported: dict[str, Path],
    tuned_chat: Trained,
    bare_python: WarmPython,
    tmp_path: Path,
) -> None:
    assert template in {framework.template for framework in CHAT}
    base_model = tuned_chat.config.base_model
    code = render(template, folder=str(exported[export]), name="Tuned", base_model=base_model, precision="float32")
    assert "finetune_core" not in code
    checked = f"{code}\n{after}\nimport sys\nassert 'finetune_core' not in sys.modules\n"
    done = bare_python.run(checked, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == ANSWER
