"""How long a review key takes, from the press to the next pair on the screen, in a real browser.

    python -m tests.benchmarks.review_keys

A project of 100,000 pairs and 1,000,000 metric rows; 100 presses, each once the last was answered by the server. Two times
are told: until the next pair shows, and until the server has written the decision and the page knows.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.dashboard_server import dashboard

TARGET_P50_MS, TARGET_P95_MS = 300, 500
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
CHROMIUM = Path("/usr/bin/chromium")

# Times are taken in the page itself, so that the driver's own round trips do not count.
PRESS = """async (key) => {
  const root = () => [...document.querySelectorAll('*')].map((one) => one.shadowRoot?.querySelector('.ayar-review')
    ?? (one.classList?.contains('ayar-review') ? one : null)).find(Boolean);
  const box = root();
  const shown = () => box.querySelector('textarea[data-field=question]')?.value;
  const before = shown();
  const done = box.ayar.data.acked;
  const started = performance.now();
  document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, composed: true }));
  const until = (test) => new Promise((resolve) => {
    const look = () => (test() || performance.now() - started > 20000 ? resolve(performance.now() - started)
      : setTimeout(look, 2));
    look();
  });
  await until(() => shown() && shown() !== before);
  const painted = await new Promise((resolve) => requestAnimationFrame(() => setTimeout(() =>
    resolve(performance.now() - started))));
  const written = await until(() => box.ayar.data.acked > done && box.ayar.outbox.length === 0);
  return [painted, written];
}"""


def fill(num_pairs: int, num_metrics: int) -> str:
    """A project of that size in the current home; its id."""
    from sqlalchemy import insert

    from finetune_core.records import Passage
    from finetune_core.storage import database, documents, pairs, tables
    from finetune_core.workspace import projects

    project_id = projects.create("Large").id
    text = "A paragraph about thing {n}, what it is for, who uses it, and when it was last changed by hand. " * 12
    with database.writing() as connection:
        passages = [Passage(f"c{n}", text.format(n=n), f"d{n % 500}", f"Chapter {n % 50}") for n in range(20_000)]
        documents.insert_passages(connection, project_id, "", passages)
        new = (
            pairs.NewPair(f"q{n}", f"What is thing {n} for, and who uses it?", {f"c{n % 20_000}": 1}, f"d{n % 500}",
                          "generated", evidence=f"thing {n % 20_000}, what it is for", answer="For this. " * 10)
            for n in range(num_pairs)
        )  # fmt: skip
        pairs.insert(connection, project_id, new)
        job = {"id": "job", "project_id": project_id, "kind": "train", "params": {}, "heavy": True, "state": "done",
               "created_at": time.time()}  # fmt: skip
        connection.execute(insert(tables.job), job)
        for first in range(0, num_metrics, 50_000):
            rows = [{"job_id": "job", "name": "loss", "step": step, "attempt": 1, "value": 1.0, "at": 0.0}
                    for step in range(first, min(first + 50_000, num_metrics))]  # fmt: skip
            connection.execute(insert(tables.metric), rows)
    return project_id


def press_keys(page: Page, num_presses: int) -> tuple[list[float], list[float]]:
    """Milliseconds until the next pair shows, and until the decision is written, for each press."""
    shown, written = [], []
    for number in range(num_presses):
        times = page.evaluate(PRESS, "axs"[number % 3])
        shown.append(times[0])
        written.append(times[1])
    return shown, written


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--metrics", type=int, default=1_000_000)
    parser.add_argument("--presses", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        os.environ["AYAR_HOME"] = str(home)
        fill(arguments.pairs, arguments.metrics)
        with dashboard(home) as server, sync_playwright() as playwright:
            path = str(CHROMIUM) if CHROMIUM.exists() else None
            browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1366, "height": 900})
            page.goto(f"{server.url}/review")
            page.wait_for_selector("textarea[data-field=question]", timeout=60_000)
            page.wait_for_timeout(2000)
            shown, written = press_keys(page, arguments.presses)
            browser.close()
    report = {name: quantiles(times) for name, times in (("next pair shown", shown), ("decision written", written))}
    if arguments.json:
        print(json.dumps(report, indent=2))
        return
    print(f"{arguments.presses} presses, {arguments.pairs:,} pairs, {arguments.metrics:,} metric rows (milliseconds)")
    for name, row in report.items():
        print(
            f"{name:18} p50 {row['p50']:6.0f} (target {TARGET_P50_MS})   p95 {row['p95']:6.0f} (target {TARGET_P95_MS})"
        )


def quantiles(times: list[float]) -> dict[str, float]:
    """The median and the 95th percentile."""
    return {"p50": statistics.median(times), "p95": statistics.quantiles(times, n=20, method="inclusive")[18]}


if __name__ == "__main__":
    main()
