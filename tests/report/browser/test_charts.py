from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import polars as pl
import pytest

from gradcascade.scaling.channels import channels
from gradcascade.scaling.exponents import fit_exponents

from ..cascades import study_cascades
from .conftest import Opened

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

SLIDER = "#step"


@pytest.fixture
def page(show: Callable[..., Opened]) -> Page:
    shown = show()
    shown.page.locator("#chart-v_rel").scroll_into_view_if_needed()
    shown.page.locator("#chart-v_rel .plot[data-drawn]").wait_for()
    return shown.page


def at_step(page: Page, step: int) -> None:
    page.locator(SLIDER).evaluate(
        "(slider, place) => { slider.value = place; slider.dispatchEvent(new Event('input')) }", step // 20 - 1
    )
    wait_for_step(page, step)


def wait_for_step(page: Page, step: int) -> None:
    page.locator("#step-value").filter(has_text=re.compile(rf"^step {step}\b")).wait_for()


def in_view(page: Page, chart: str) -> None:
    """Scroll to a chart; out of view it is not drawn and follows nothing until it comes back."""
    page.locator(f"#chart-{chart}").scroll_into_view_if_needed()
    page.locator(f"#chart-{chart} .plot[data-drawn]").last.wait_for()
    page.wait_for_timeout(150)


def legend(page: Page, chart: str) -> dict[str, float]:
    """The values that stand beside the names, as numbers."""
    page.locator(f"#chart-{chart} .plot[data-drawn]").first.wait_for()
    found = {}
    for key in page.locator(f"#chart-{chart} .key").all():
        name, value = key.locator("span").inner_text(), key.locator("b").inner_text()
        found[name] = float(value.replace("−", "-").replace(",", ""))
    return found


def measured(channel: str, step: int, field: str = "gradient", variant: str = "real") -> dict[str, float]:
    rows = channels(study_cascades()).filter(
        pl.col("step") == step, pl.col("field") == field, pl.col("variant") == variant
    )
    return dict(rows.select("scale", channel).iter_rows())


def fitted(exponent: str, step: int, field: str = "gradient", variant: str = "real") -> float:
    rows = fit_exponents(study_cascades()).filter(
        pl.col("step") == step,
        pl.col("field") == field,
        pl.col("variant") == variant,
        pl.col("exponent") == exponent,
    )
    return rows["value"].item()


def drag(page: Page, plot: Locator, start: float, end: float) -> None:
    box = plot.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + (start + end) / 2 * box["width"], middle, steps=3)
    page.mouse.move(box["x"] + end * box["width"], middle, steps=3)
    page.mouse.up()


def picture(plot: Locator) -> str:
    return plot.locator("canvas").evaluate("canvas => canvas.toDataURL()")


def test_the_slider_moves_every_panel(page: Page) -> None:
    for step in (20, 140):
        at_step(page, step)
        in_view(page, "v_rel")
        assert legend(page, "v_rel") == pytest.approx(measured("v_rel", step), rel=1e-3)
        assert legend(page, "n_steps") == measured("duration", step)
        in_view(page, "exponents")
        values = page.locator("#chart-exponents .key b").all_inner_texts()
        shown = [float(value.replace("−", "-")) for value in values[::2]]
        assert shown == pytest.approx([fitted(name, step) for name in ("D", "z", "beta", "delta")], abs=6e-4)
        in_view(page, "loglog")
        line = page.locator("#chart-loglog .key span", has_text="real gradients").inner_text()
        assert float(line.split("= ")[1].replace("−", "-")) == pytest.approx(fitted("delta", step), abs=6e-4)


def test_tokens_stand_beside_the_step_where_they_are_known(show: Callable[..., Opened]) -> None:
    page = show("gaps").page
    page.locator(SLIDER).evaluate("slider => { slider.value = 24; slider.dispatchEvent(new Event('input')) }")
    page.locator("#step-value").filter(
        has_text=re.compile(r"^step 290, 290 million to 725 million tokens")
    ).wait_for()


def test_the_line_of_the_slider_stands_at_its_step(page: Page) -> None:
    def share() -> float:
        line = page.locator("#chart-v_rel .marker").bounding_box()
        plot = page.locator("#chart-v_rel .u-over").bounding_box()
        assert line is not None and plot is not None
        return (line["x"] + 1 - plot["x"]) / plot["width"]

    for step in (20, 100, 180):
        at_step(page, step)
        assert share() == pytest.approx((step - 20) / 180, abs=0.01)


def test_pointing_shows_the_values_of_that_step(page: Page) -> None:
    plot = page.locator("#chart-v_rel .u-over")
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 4 / 9, box["y"] + 40)
    tooltip = page.locator("#chart-v_rel .tooltip")
    tooltip.wait_for()
    assert tooltip.locator("strong").inner_text() == "step 100"
    values = dict(zip(tooltip.locator("span").all_inner_texts(), tooltip.locator("b").all_inner_texts(), strict=True))
    assert {name: float(value) for name, value in values.items()} == pytest.approx(measured("v_rel", 100), rel=1e-3)
    page.mouse.click(box["x"] + box["width"] * 4 / 9, box["y"] + 40)
    wait_for_step(page, 100)
    page.mouse.move(5, 5)
    tooltip.wait_for(state="hidden")


def test_dragging_zooms_every_chart_of_steps_and_the_button_resets(page: Page) -> None:
    plots = [page.locator(f"#chart-{name} .plot") for name in ("v_rel", "n_steps")]
    whole = [picture(plot) for plot in plots]
    drag(page, plots[0].locator(".u-over"), 0.3, 0.6)
    reset = page.get_by_role("button", name="Reset zoom")
    reset.wait_for()
    at_step(page, 20)
    assert page.locator("#chart-v_rel .marker").is_hidden()
    assert [picture(plot) != was for plot, was in zip(plots, whole, strict=True)] == [True, True]
    reset.click()
    reset.wait_for(state="hidden")
    assert [picture(plot) == was for plot, was in zip(plots, whole, strict=True)] == [True, True]


@pytest.mark.parametrize("how", ["double click", "Escape"])
def test_the_whole_training_comes_back(page: Page, how: str) -> None:
    plot = page.locator("#chart-v_rel .u-over")
    reset = page.get_by_role("button", name="Reset zoom")
    drag(page, plot, 0.2, 0.5)
    reset.wait_for()
    if how == "Escape":
        page.locator("#chart-v_rel .plot").press("Escape")
    else:
        plot.dblclick()
    reset.wait_for(state="hidden")


def test_a_click_in_the_legend_hides_a_scale_in_every_chart(page: Page) -> None:
    plot = page.locator("#chart-n_steps .plot")
    before = picture(plot)
    page.locator("#chart-v_rel .key").nth(1).click()
    page.locator("#chart-n_steps .key[aria-pressed=false]").wait_for()
    assert page.locator("#chart-n_steps .key").evaluate_all("all => all.map(k => k.ariaPressed)") == [
        "true",
        "false",
        "true",
        "true",
    ]
    assert picture(plot) != before
    page.locator("#chart-n_steps .key").nth(1).press("Enter")
    page.locator("#chart-v_rel .key[aria-pressed=false]").wait_for(state="detached")
    page.wait_for_timeout(100)
    assert picture(plot) == before


def test_nulls_and_the_other_field_take_the_place_of_the_real_ones(page: Page) -> None:
    at_step(page, 60)
    page.get_by_label("N2", exact=True).check(force=True)
    page.wait_for_timeout(100)
    assert legend(page, "n_steps") == measured("duration", 60, variant="N2")
    page.get_by_label("updates", exact=True).check(force=True)
    page.wait_for_timeout(100)
    assert legend(page, "n_steps") == measured("duration", 60, "update", "N2")


def test_real_fields_of_the_other_kind_stand_beside(page: Page) -> None:
    at_step(page, 60)
    page.get_by_label("Beside it").select_option("field:update")
    page.locator("#chart-exponents").scroll_into_view_if_needed()
    key = page.locator("#chart-exponents .key", has_text="real updates").nth(1)
    key.wait_for()
    assert float(key.locator("b").inner_text().replace("−", "-")) == pytest.approx(
        fitted("z", 60, "update"), abs=6e-4
    )


def test_axes_change_between_linear_and_logarithmic(page: Page) -> None:
    plot = page.locator("#chart-v_rel .plot")
    linear_steps = picture(plot)
    page.get_by_role("group", name="Steps", exact=True).get_by_label("log").check(force=True)
    page.wait_for_timeout(150)
    log_steps = picture(plot)
    page.locator("#chart-v_rel .switches").get_by_label("linear").check(force=True)
    page.wait_for_timeout(150)
    assert len({linear_steps, log_steps, picture(plot)}) == 3


def test_the_arrow_keys_on_a_chart_move_the_step(page: Page) -> None:
    at_step(page, 100)
    plot = page.locator("#chart-n_steps .plot")
    for key, step in (("ArrowRight", 120), ("ArrowLeft", 100), ("End", 200), ("Home", 20), ("ArrowLeft", 20)):
        plot.press(key)
        wait_for_step(page, step)


def test_the_page_can_be_used_with_the_keyboard_alone(page: Page) -> None:
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("(document.activeElement.className || document.activeElement.id).split(' ')[0]"))
    assert {"skip", "step", "key", "plot", "copy"} <= reached


def test_the_profile_is_that_of_the_step(page: Page) -> None:
    at_step(page, 40)
    page.locator("#chart-activity").scroll_into_view_if_needed()
    plot = page.locator("#chart-activity .u-over")
    plot.wait_for()
    plot.hover(position={"x": 2, "y": 20})
    tooltip = page.locator("#chart-activity .tooltip")
    tooltip.wait_for()
    assert tooltip.locator("strong").inner_text() == "relaxation step 0, training step 40"
    assert [float(text) for text in tooltip.locator("b").all_inner_texts()] == pytest.approx([0.1] * 4, rel=1e-3)
