"""plotly.min.js for the live charts, taken from the installed wheel so that no browser ever asks another host for it."""

import shutil
from importlib.util import find_spec
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "static" / "plotly.min.js"


def provide_plotly(target: Path = TARGET) -> Path:
    """Copy the file beside the fonts unless the same one is there, and return where it is."""
    spec = find_spec("plotly")
    assert spec is not None, "requirements.txt installs plotly"
    assert spec.origin is not None, "plotly is a plain package"
    source = Path(spec.origin).parent / "package_data" / "plotly.min.js"
    if not target.is_file() or target.stat().st_size != source.stat().st_size:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        shutil.copyfile(source, part)
        part.replace(target)
    return target


if __name__ == "__main__":
    provide_plotly()
