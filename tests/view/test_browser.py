"""The frame around the report, in a real browser: it follows the study and keeps the reader's place."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gradcascade as gc
from gradcascade.view.live import LiveReport
from gradcascade.view.server import ReportServer, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FrameLocator, Page

REPORT = """<!doctype html><html><head><meta charset="utf-8"><title>{count} cascades</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'">
</head><body><h1>{count} cascades</h1><input type="range" id="step" min="0" max="9" value="0">
<a href="figures/a.svg">figure</a>
<div><details><summary>more</summary><p>words</p></details></div><div id="tall"></div><p>end</p>
<script>
document.getElementById("tall").append(...Array.from({{length: 300}}, () => document.createElement("br")));
const step = document.getElementById("step");
step.value = sessionStorage.getItem(location.pathname) ?? "0";
step.addEventListener("input", () => sessionStorage.setItem(location.pathname, step.value));
</script></body></html>"""


def render(study: Path, out: Path) -> None:
    with gc.Study.open(study) as opened:
        count = opened.cascades(everything=True).height
    (out / "figures").mkdir(parents=True)
    (out / "index.html").write_text(REPORT.format(count=count), encoding="utf-8")
    (out / "figures" / "a.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')


@pytest.fixture
def server(study: Path) -> Iterator[ReportServer]:
    live = LiveReport(study, render)
    stopped = threading.Event()
    thread = threading.Thread(target=live.follow, args=[stopped])
    with serving(live) as running:
        thread.start()
        yield running
        stopped.set()
        thread.join()


@pytest.fixture
def page(browser: Browser, server: ReportServer) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 800, "height": 600})
    context.set_default_timeout(30_000)
    opened = context.new_page()
    wrong: list[str] = []
    # A page's own complaints, and whatever leaves the loopback address.
    opened.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
    opened.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    opened.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))

    def asked(url: str) -> None:
        if not url.startswith((server.url, "data:")):
            wrong.append(url)

    opened.on("request", lambda request: asked(request.url))
    opened.goto(server.url)
    yield opened
    context.close()
    # The picture's script is refused, and so is what a test takes away; the browser says so.
    assert [words for words in wrong if "a.svg" not in words and "ERR_FAILED" not in words] == []


def headed(page: Page, count: int) -> FrameLocator:
    """The report once it shows so many cascades and is the only one left."""
    from playwright.sync_api import expect

    expect(page).to_have_title(f"{count} cascades", timeout=30_000)
    expect(page.locator("iframe")).to_have_count(1, timeout=30_000)
    frame = page.frame_locator("iframe")
    frame.get_by_role("heading", name=f"{count} cascades").wait_for(state="attached")
    return frame


def test_the_report_is_replaced_at_the_same_place(page: Page, study: Path, add_cascade: Callable[[gc.Study], None]):
    frame = headed(page, 42)
    frame.locator("summary").click()
    frame.locator("#step").fill("7")
    frame.locator("html").evaluate("() => window.scrollTo(0, 1234)")
    with gc.Study.open(study) as opened:
        add_cascade(opened)
        page.locator("body.measuring").wait_for(state="attached")
        frame = headed(page, 43)
    assert frame.locator("html").evaluate("() => window.scrollY") == 1234
    assert frame.locator("details").evaluate("part => part.open") is True
    assert frame.locator("#step").input_value() == "7"
    page.get_by_text(re.compile("Measuring has ended: 43 cascades")).wait_for()


def test_a_reader_who_looks_at_a_figure_is_let_be(page: Page, study: Path, add_cascade: Callable[[gc.Study], None]):
    frame = headed(page, 42)
    frame.get_by_role("link", name="figure").click()
    page.frame_locator("iframe").locator("svg").wait_for(state="attached")
    with gc.Study.open(study) as opened:
        add_cascade(opened)
    page.get_by_text(re.compile("Measuring has ended: 43 cascades")).wait_for()
    page.wait_for_timeout(2_000)
    assert page.frame_locator("iframe").locator("svg").count() == 1
    page.evaluate("history.back()")
    headed(page, 43)


def test_a_server_that_has_ended_is_said(page: Page):
    headed(page, 42)
    page.route("**/version", lambda route: route.abort())
    page.get_by_text("gradcascade view has ended").wait_for()
    page.unroute("**/version")
    page.get_by_text("42 cascades").wait_for()
