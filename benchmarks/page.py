"""How fast the page of the report is: time to write, size, first paint, frames while the slider moves.

    python benchmarks/page.py

Needs playwright and a Chromium. The studies are made up (tests/report/cascades.py); figures for paper are left out of
the studies that are opened, because they take no part in what is measured there.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.report.cascades import ENTRIES, perplexities, study_cascades

from gradcascade.report import figure_views
from gradcascade.report.data import ReportData
from gradcascade.report.page import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CASES = ((250, 13), (2_000, 4), (10_000, 4))
"""Steps and scales of the studies that are opened."""

MOVE = """() => new Promise((done) => {
  const slider = document.getElementById("step");
  const last = Number(slider.max);
  const times = [];
  const start = performance.now();
  const frame = (now) => {
    times.push(now);
    if (now - start > 3000) return done(times);
    slider.value = String(Math.round((times.length * 7) % last));
    slider.dispatchEvent(new Event("input"));
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})"""
PAINT = """() => performance.getEntriesByName("first-contentful-paint")[0].startTime"""


def study(steps: int, scales: int = 4) -> ReportData:
    """A study of gradients and N0 along many steps."""
    entries = dict(list(ENTRIES.items())[:scales]) if scales <= 4 else {f"s{i}": 1000 * 2**i for i in range(scales)}
    cascades = study_cascades(entries=entries, steps=range(steps), fields=("gradient",), variants=("real", "N0"))
    return ReportData.from_tables(cascades, perplexities(cascades))


def opened(browser: Browser, page: Path, name: str) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    tab = context.new_page()
    tab.goto(page.as_uri())
    paint = tab.evaluate(PAINT)
    print(f"{name}: {page.stat().st_size / 1e6:.2f} MB, first paint {paint:.0f} ms", end="")
    for chart in ("v_rel", "exponents", "loglog"):
        tab.locator(f"#chart-{chart}").scroll_into_view_if_needed()
        tab.wait_for_timeout(500)
        times = tab.evaluate(MOVE)
        gaps = sorted(after - before for before, after in pairwise(times))
        rate = 1000 * len(gaps) / (times[-1] - times[0])
        print(f", slider at {chart} {rate:.0f} frames/s (95 % within {gaps[int(0.95 * len(gaps))]:.0f} ms)", end="")
    print()
    context.close()


def main() -> None:
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        cascades = study_cascades(entries=ENTRIES | {"d384": 9_437_184}, steps=range(1, 251))
        start, worked = time.perf_counter(), time.process_time()
        page = write_report(ReportData.from_tables(cascades, perplexities(cascades)), Path(folder) / "written")
        seconds, worked = time.perf_counter() - start, time.process_time() - worked
        size = page.stat().st_size / 1e6
        print(
            f"{cascades.height:,} cascades: written in {seconds:.1f} s ({worked:.1f} s of processor), {size:.2f} MB"
        )
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        opened(browser, page, "10,000 cascades, figures included")
        figure_views.all_figures = lambda data: []
        for steps, scales in CASES:
            start = time.perf_counter()
            page = write_report(study(steps, scales), Path(folder) / f"{steps}")
            print(f"{steps:,} steps, {scales} scales: written without figures in {time.perf_counter() - start:.1f} s")
            opened(browser, page, f"{steps:,} steps, {scales} scales")
        browser.close()


if __name__ == "__main__":
    main()
