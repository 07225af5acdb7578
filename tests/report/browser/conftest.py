"""Pages of small studies opened in it from the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from gradcascade.report import figure_views
from gradcascade.report.data import ReportData
from gradcascade.report.figures.transport_over_steps import TransportOverSteps
from gradcascade.report.page import write_report

from ..cascades import perplexities, study_cascades

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

EVIL = "<img src=x onerror=alert(1)>"


@dataclass
class Opened:
    """A page in the browser, and whatever it did that it must not do."""

    page: Page
    context: BrowserContext
    wrong: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Write the page of a study once; with a single figure for paper, since drawing those takes the time."""
    pages: dict[str, Path] = {}

    def write(name: str) -> Path:
        if name not in pages:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(figure_views, "all_figures", lambda data: [TransportOverSteps(data)])
                pages[name] = write_report(STUDIES[name](), tmp_path_factory.mktemp("page"))
        return pages[name]

    return write


@pytest.fixture
def show(browser: Browser, written: Callable[[str], Path]) -> Iterator[Callable[..., Opened]]:
    """Open the page of a study; at the end of the test it must have asked for nothing and complained of nothing."""
    opened: list[Opened] = []

    def open_page(name: str = "usual", width: int = 1200, script: str = "", **options: Any) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        context.set_default_timeout(30_000)
        if script:
            context.add_init_script(script)
        shown = Opened(context.new_page(), context)
        opened.append(shown)
        wrong = shown.wrong
        shown.page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
        shown.page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        shown.page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
        path = written(name)

        def asked(url: str) -> None:
            if url != path.as_uri() and not url.startswith("data:"):
                wrong.append(f"request: {url}")

        shown.page.on("request", lambda request: asked(request.url))
        shown.page.goto(path.as_uri())
        return shown

    yield open_page
    for shown in opened:
        shown.context.close()
        assert shown.wrong == []


def _usual() -> ReportData:
    cascades = study_cascades()
    return ReportData.from_tables(cascades, perplexities(cascades), {"alpha": 0.3}, {}, 'families = ["nano"]\n')


def _named_to_run() -> ReportData:
    sizes = {EVIL: 10_000, "</script><b>": 40_000, "'\"&": 160_000}
    cascades = study_cascades(family=f"fam{EVIL}", entries=sizes).with_columns(source=pl.lit(EVIL))
    other = study_cascades(family="__proto__", steps=(1, 2, 3), fields=("update",))
    every = pl.concat([cascades, other])
    metrics = pl.concat([perplexities(every, f"metric{EVIL}"), perplexities(every, "constructor")])
    return ReportData.from_tables(every, metrics, {EVIL: EVIL}, {EVIL: EVIL}, EVIL, title=f"</title>{EVIL}")


def _gaps() -> ReportData:
    cascades = study_cascades(steps=range(0, 400, 10))
    lost = (pl.col("step") % 50 == 0) & (pl.col("scale") == "d96") | pl.col("step").is_between(100, 140)
    each = pl.when(pl.col("scale") == "d24").then(1_000_000).otherwise(2_500_000)
    tokens = cascades.select("family", "scale", "step", tokens=pl.col("step") * each).unique()
    kept = cascades.filter(~lost).with_columns(ceiling=pl.col("step") == 200)
    return ReportData.from_tables(kept, tokens=tokens)


STUDIES: dict[str, Callable[[], ReportData]] = {
    "usual": _usual,
    "named to run": _named_to_run,
    "gaps": _gaps,
    "one scale": lambda: ReportData.from_tables(study_cascades(entries={"d24": 36_864})),
    "one step": lambda: ReportData.from_tables(study_cascades(steps=(0,))),
    "only nulls": lambda: ReportData.from_tables(study_cascades(variants=("N0", "N1"))),
    "nothing": lambda: ReportData.from_tables(study_cascades(steps=(1,)).clear()),
    "13 scales": lambda: ReportData.from_tables(study_cascades(entries={f"s{i}": 1000 * 2**i for i in range(13)})),
    "500 steps": lambda: ReportData.from_tables(
        study_cascades(steps=range(500), fields=("gradient",), variants=("real", "N0"))
    ),
}
