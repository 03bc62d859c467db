"""A key is in the environment and nowhere else: not in a file of the home folder, not in a log, not on a page."""

import pytest

from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers import retries
from finetune_core.storage import database
from finetune_core.workspace import generation, jobs
from tests.generation_fixtures import corpus, provider
from tests.ui.conftest import ROOT, OpenPage
from tests.vendors.openai_chat import serving_chat
from tests.vendors.server import KEY


def test_a_key_that_was_used_is_nowhere(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(retries, "pause_s", lambda state: 0.0)
    project_id = corpus()
    with serving_chat() as vendor:
        provider(vendor, monkeypatch)
        params = {"generator": "endpoint", "provider": "Loopback", "questions_per_chunk": 1, "filters": []}
        job_id = generation.start(project_id, generation.params_from(params))
        run_queued_here()
        assert jobs.get(job_id).result["num_written"] == 12
        assert all(seen.authorization.endswith(KEY) for seen in vendor.requests), "the key was used"
        for page in sorted(path.stem for path in (ROOT / "pages").glob("*.py")):
            app = open_page(page, project=project_id)
            shown = (
                repr(app.main)
                + repr(app.sidebar)
                + repr([box.value for box in [*app.text_input, *app.text_area, *app.code]])
            )
            assert "LOOPBACK_API_KEY" in shown or page != "settings", "the sweep sees what Settings shows"
            assert KEY not in shown, page
    read = [path for path in database.home().rglob("*") if path.is_file()]
    assert len(read) > 2
    for path in read:
        assert KEY.encode() not in path.read_bytes(), path
    said = capfd.readouterr()
    assert KEY not in said.out + said.err
