"""Opening pages in Streamlit's AppTest, through the shell that every reader goes through."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit import config
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[2]
OpenPage = Callable[..., AppTest]


@pytest.fixture(scope="session", autouse=True)
def _installed_components_found_once() -> Iterator[None]:
    """Each AppTest reads the metadata of every installed package, which stay the same and cost more than most pages."""
    with pytest.MonkeyPatch.context() as patch:
        scan = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", scan)
        yield


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    """What one test's pages cached must not reach the next one's home."""
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """`open_page("runs", project=…, run=…)`: the page as AppTest, run once; parameters go into the URL."""
    monkeypatch.chdir(ROOT)
    config.set_option("client.showErrorDetails", "full")
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)
    monkeypatch.setattr("finetune_core.workspace.playground.prepare", lambda *_: None)

    def open_named(name: str, **parameters: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "components" / "shell.py"), default_timeout=120)
        for key, value in parameters.items():
            app.query_params[key] = value
        app.run()
        if name != "home":
            app.switch_page(f"../pages/{name}.py")
            for key, value in parameters.items():
                app.query_params[key] = value
            app.run()
        return app

    return open_named
