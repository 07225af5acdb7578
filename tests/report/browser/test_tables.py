from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gradcascade.scaling.channels import channels
from gradcascade.scaling.exponents import fit_exponents

from ..cascades import study_cascades
from .conftest import Opened

if TYPE_CHECKING:
    from playwright.sync_api import Page

NO_CLIPBOARD = """
Object.defineProperty(navigator, "clipboard", {value: undefined});
document.addEventListener("copy", () => { window.copied = document.activeElement.value });
"""


def column(page: Page, place: int) -> list[str]:
    return page.locator(f"#headline tbody td:nth-child({place})").all_inner_texts()[:8]


def test_a_click_on_a_heading_sorts_and_another_turns_round(show: Callable[..., Opened]) -> None:
    page = show().page
    head = page.locator("#headline .grid").first.locator("th").nth(4)
    assert head.inner_text().startswith("z")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    values = [float(text.split("±")[0].replace("−", "-")) for text in column(page, 5)]
    assert values == sorted(values)
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    values = [float(text.split("±")[0].replace("−", "-")) for text in column(page, 5)]
    assert values == sorted(values, reverse=True)
    page.locator("#headline .grid").first.locator("th button").first.click()
    assert page.locator("#headline th[aria-sort]").count() == 1


@pytest.mark.parametrize("clipboard", [True, False])
def test_a_table_is_copied_as_csv(show: Callable[..., Opened], clipboard: bool) -> None:
    shown = show(script="" if clipboard else NO_CLIPBOARD)
    rows = copied(shown, "#headline button.copy", clipboard)
    assert rows[0][:4] == ["family", "field", "variant", "D"]
    assert len(rows) == 9
    assert shown.page.locator("#headline button.copy").first.inner_text() == "Copied"


def test_a_chart_is_copied_with_all_steps_scales_and_variants(show: Callable[..., Opened]) -> None:
    shown = show(script=NO_CLIPBOARD)
    cascades = study_cascades()
    rows = copied(shown, "#chart-v_rel button.copy", False)
    assert rows[0] == ["family", "field", "variant", "scale", "N", "step", "v_rel"]
    found = {(row[1], row[2], row[3], int(row[5])): float(row[6]) for row in rows[1:]}
    keys = ["field", "variant", "scale", "step"]
    expected = {
        row[:4]: row[4] for row in channels(cascades).select(*keys, "v_rel").iter_rows() if row[0] == "gradient"
    }
    assert found == pytest.approx(expected, rel=1e-4)
    rows = copied(shown, "#chart-exponents button.copy", False)
    found = {(row[2], int(row[3]), row[4]): [float(value) for value in row[5:9]] for row in rows[1:]}
    fits = fit_exponents(cascades).filter(field="gradient").rows(named=True)
    for fit in fits:
        values = found[fit["variant"], fit["step"], fit["exponent"]]
        assert values == pytest.approx([fit[name] for name in ("value", "low", "high", "r2")], abs=1e-4)
    assert len(found) == len(fits)


@pytest.mark.parametrize("chart", ["activity", "r2", "differences", "metric", "loglog"])
def test_every_chart_gives_its_numbers(show: Callable[..., Opened], chart: str) -> None:
    rows = copied(show(script=NO_CLIPBOARD), f"#chart-{chart} button.copy", False)
    assert len(rows) > 10
    assert {len(row) for row in rows} == {len(rows[0])}


def copied(shown: Opened, button: str, clipboard: bool) -> list[list[str]]:
    if clipboard:
        shown.context.grant_permissions(["clipboard-read", "clipboard-write"])
    place = shown.page.locator(button).first
    place.click()
    place.get_by_text("Copied").or_(place.filter(has_text="Copied")).first.wait_for()
    text = shown.page.evaluate("navigator.clipboard.readText()" if clipboard else "window.copied")
    return list(csv.reader(io.StringIO(text)))
