"""Adapter folders in the format of llama-index-finetuning, written here with classes of our own in that format."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from finetune_core.errors import ArtefactError
from finetune_core.providers.portable_adapter import Adapter
from finetune_core.training.old_adapters import convert
from finetune_core.workspace import jobs, models, projects

D = 12


class OldLinear(nn.Module):
    def __init__(self, bias: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(D, D, bias=bias)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return self.linear(vectors)


class OldTwoLayers(nn.Module):
    def __init__(self, activation: str, residual: bool) -> None:
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(D, 7), nn.Linear(7, D)
        self.residual_weight = nn.Parameter(torch.tensor([0.7]))
        self.activation, self.residual = activation, residual

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        act = {"relu": torch.relu, "tanh": torch.tanh, "leaky_relu": nn.functional.leaky_relu, "sigmoid": torch.sigmoid}
        out = self.linear2(act[self.activation](self.linear1(vectors)))
        return self.residual_weight * out + vectors if self.residual else out


def write(folder: Path, module: nn.Module, **config: object) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"in_features": D, "out_features": D, **config}))
    torch.save(module.state_dict(), folder / "pytorch_model.bin")
    return folder


CASES = [
    (OldLinear(bias=True), {"bias": True}),
    (OldLinear(bias=False), {"bias": False}),
    *(
        (
            OldTwoLayers(act, residual),
            {"hidden_features": 7, "bias": True, "activation_fn_str": act, "add_residual": residual},
        )
        for act, residual in (("relu", True), ("relu", False), ("tanh", True), ("leaky_relu", True), ("sigmoid", False))
    ),
]


@pytest.mark.parametrize(("module", "config"), CASES)
def test_a_converted_adapter_gives_the_old_vectors(
    module: nn.Module, config: dict[str, object], tmp_path: Path
) -> None:
    folder = write(tmp_path / "old", module, **config)
    convert(folder, tmp_path / "new", "bundled/x", 256)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"adapter.json", "adapter.safetensors"}
    vectors = normalize(torch.randn(5, D, generator=torch.Generator().manual_seed(0)), dim=-1)
    with torch.no_grad():
        expected = normalize(module(vectors), dim=-1).numpy()
    np.testing.assert_allclose(Adapter(tmp_path / "new").queries(vectors.numpy()), expected, atol=1e-5)


class Malicious:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.mark,))


def test_code_in_the_weights_never_runs(tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    for number, save in enumerate((torch.save, lambda value, path: path.write_bytes(pickle.dumps(value)))):
        folder = write(tmp_path / f"old{number}", OldLinear(bias=True))
        save({"linear.weight": torch.eye(D), "x": Malicious(mark)}, folder / "pytorch_model.bin")
        with pytest.raises(ArtefactError, match="more than plain weights"):
            convert(folder, tmp_path / f"new{number}", "bundled/x", 256)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Malicious(mark)))
    assert mark.exists(), "the attack works where it is let in"


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    for number, (change, words) in enumerate(
        (
            ({"out_features": 3}, "must be equal"),
            ({"hidden_features": 7}, "linear1.weight is missing"),
            ({"in_features": 4, "out_features": 4}, "has shape"),
            ({"hidden_features": 7, "activation_fn_str": "swish"}, "activation is 'swish'"),
        )
    ):
        folder = write(tmp_path / f"old{number}", OldLinear(bias=True), **change)
        with pytest.raises(ArtefactError, match=words):
            convert(folder, tmp_path / f"new{number}", "bundled/x", 256)
    with pytest.raises(ArtefactError, match=r"config.json cannot be read"):
        convert(tmp_path / "nowhere", tmp_path / "new", "bundled/x", 256)


def test_an_imported_adapter_is_a_model_of_the_project(tmp_path: Path) -> None:
    project = projects.create("p").id
    folder = write(tmp_path / "my old adapter", OldLinear(bias=True))
    job_id = models.import_adapter(project, folder)
    job = jobs.wait(job_id)
    assert not job.error
    (view,) = models.listing(project)
    assert (view.name, view.recipe, view.id) == ("my old adapter", "embedding_adapter", job.result["model_id"])
    assert {snippet.framework for snippet in models.snippets(view.id)} == {"LlamaIndex", "NumPy"}
    with pytest.raises(ArtefactError, match="no folder"):
        models.import_adapter(project, tmp_path / "nothing")
