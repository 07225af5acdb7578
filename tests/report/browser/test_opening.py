from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import EVIL, Opened

CHARTS = ("v_rel", "n_steps", "size_per_n", "metric", "exponents", "loglog", "activity", "r2", "differences")


def scroll_through(shown: Opened) -> None:
    """Bring every chart into view, so that each is drawn."""
    for name in CHARTS:
        shown.page.locator(f"#chart-{name} .plot").first.scroll_into_view_if_needed()
        shown.page.locator(f"#chart-{name} :is([data-drawn], .absent:not([hidden]))").first.wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 800, 1440])
def test_every_chart_is_drawn_within_the_page(show: Callable[..., Opened], width: int, scheme: str) -> None:
    shown = show(width=width, color_scheme=scheme)
    scroll_through(shown)
    page = shown.page
    assert page.locator(".plot[data-drawn]").count() == len(CHARTS) + 3  # four panels of exponents
    assert page.evaluate("document.documentElement.scrollWidth") == width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(ground.removeprefix("rgb(").split(",")[0]) < 60) == (scheme == "dark")
    for box in page.locator(".plot canvas").all():
        inside = box.bounding_box()
        assert inside is not None and inside["x"] >= 0 and inside["x"] + inside["width"] <= width


@pytest.mark.parametrize("width", [360, 1440])
def test_what_is_read_stays_in_its_place_while_charts_are_drawn(show: Callable[..., Opened], width: int) -> None:
    shown = show(width=width)
    heights = "all => all.map((chart) => chart.getBoundingClientRect().height)"
    cards = shown.page.locator("article[data-chart]")
    before = cards.evaluate_all(heights)
    scroll_through(shown)
    assert len(before) == len(CHARTS) and min(before) > 300
    assert cards.evaluate_all(heights) == pytest.approx(before, abs=1)


@pytest.mark.parametrize(
    ("name", "chart", "words"),
    [
        ("one scale", "exponents", "needs at least 3 scales and this study has 1"),
        ("gaps", "metric", "No external metric"),
        ("only nulls", "differences", "needs exponents of the real fields"),
        ("13 scales", "metric", "No external metric"),
        ("one step", "metric", "No external metric"),
        ("500 steps", "differences", "No "),
    ],
)
def test_unusual_studies_say_what_is_missing(show: Callable[..., Opened], name: str, chart: str, words: str) -> None:
    shown = show(name)
    scroll_through(shown)
    missing = shown.page.locator(f"#chart-{chart} .plot .absent").first
    if name == "500 steps":
        assert shown.page.locator("#chart-differences .key").count() == 3
    else:
        assert words in missing.inner_text()
    assert shown.page.locator("#chart-v_rel .plot[data-drawn]").count() == 1


def test_a_study_of_nulls_alone_shows_them(show: Callable[..., Opened]) -> None:
    page = show("only nulls").page
    assert page.locator("#choices input:checked").evaluate_all("all => all.map(i => i.value)")[:2] == [
        "gradient",
        "N0",
    ]


def test_a_study_without_cascades_has_no_charts(show: Callable[..., Opened]) -> None:
    page = show("nothing").page
    assert page.locator("#charts").count() == 0
    assert "Nothing was measured yet" in page.locator("#found").inner_text()


def test_names_from_outside_are_text_everywhere(show: Callable[..., Opened]) -> None:
    shown = show("named to run")
    page = shown.page
    scroll_through(shown)
    assert page.locator("img, b:not(.key b, .tooltip b)").count() == 0
    assert page.title() == f"</title>{EVIL}"
    family = page.get_by_label("Family", exact=True)
    assert family.locator("option").all_inner_texts() == ["__proto__", f"fam{EVIL}"]
    family.select_option(f"fam{EVIL}")
    page.locator("#chart-v_rel").scroll_into_view_if_needed()
    page.locator("#chart-v_rel .key", has_text=EVIL).wait_for()
    page.get_by_label("Metric", exact=True).select_option(f"metric{EVIL}")
    plot = page.locator("#chart-v_rel .u-over")
    plot.scroll_into_view_if_needed()
    plot.hover()
    assert EVIL in page.locator("#chart-v_rel .tooltip").inner_text()
    family.select_option("__proto__")
    page.locator("#chart-v_rel").scroll_into_view_if_needed()
    page.locator("#chart-v_rel .key", has_text="d24").wait_for()
    scroll_through(shown)
    page.get_by_label("Metric", exact=True).select_option("constructor")
    assert page.locator("#chart-v_rel .key").count() == 4
    assert EVIL in page.locator("#provenance").inner_text()
    assert page.locator("img").count() == 0


def test_without_scripts_the_figures_stand_in_the_page(show: Callable[..., Opened]) -> None:
    page = show(java_script_enabled=False).page
    assert page.locator("#transport svg").is_visible()
    assert not page.locator("#charts").is_visible()
    assert not page.locator("button.copy").first.is_visible()
    assert page.locator("#headline table").first.is_visible()


def test_in_print_the_figures_stand_for_the_charts(show: Callable[..., Opened]) -> None:
    page = show(color_scheme="dark").page
    assert not page.locator("#transport svg").is_visible()
    page.emulate_media(media="print")
    assert page.locator("#transport svg").is_visible()
    assert not page.locator("#charts").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_what_was_chosen_outlives_a_reload(show: Callable[..., Opened]) -> None:
    page = show().page
    page.get_by_label("updates", exact=True).check(force=True)
    page.locator("#step").press("Home")
    page.locator("#step-value").filter(has_text="step 20").wait_for()
    page.wait_for_timeout(400)  # choices are written once the reader pauses
    page.reload()
    assert page.locator("#step-value").inner_text() == "step 20"
    assert page.get_by_label("updates", exact=True).is_checked()
