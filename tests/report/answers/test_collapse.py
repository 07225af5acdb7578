from __future__ import annotations

import polars as pl
import pytest
from tests.scaling.test_collapse import PICO
from tests.scaling.test_profile_collapse import table

from gradcascade.report.data import ReportData

from .asked import named


@pytest.fixture(scope="module")
def planted() -> pl.DataFrame:
    return table(PICO, 0.063, length=4.0)


def test_profiles_on_one_curve_are_said_to_be(planted: pl.DataFrame) -> None:
    said = named(ReportData.from_tables(planted))["collapse"]
    assert "one curve serves the profiles of all scales" in said[0]
    assert "; N0 has" in said[0]
    assert "give z = +0.06" in said[1]


def test_one_shape_off_the_power_law_and_no_shape_at_all() -> None:
    off = table(PICO, 0.2, run_sd=0.1)
    assert "have one shape, but" in named(ReportData.from_tables(off))["collapse"][0]
    halved = [
        [max(1, count // 2) if place > 3 else count for place, count in enumerate(activity)]
        if (scale, variant) == ("s1", "real")
        else activity
        for scale, variant, activity in off.select("scale", "variant", "activity").iter_rows()
    ]
    other = off.with_columns(activity=pl.Series(halved))
    assert "no single curve serves" in named(ReportData.from_tables(other))["collapse"][0]


def test_without_noise_or_profiles_the_answer_says_so(planted: pl.DataFrame) -> None:
    alone = planted.filter(pl.col("variant") == "real")
    assert "no noise to compare" in named(ReportData.from_tables(alone))["collapse"][0]
    short = planted.with_columns(activity=pl.col("activity").list.head(1))
    assert "cannot be collapsed" in named(ReportData.from_tables(short))["collapse"][0]
    assert "collapse" not in named(ReportData.from_tables(planted.drop("activity")))


def test_the_verdict_is_given_by_other_durations_too(planted: pl.DataFrame) -> None:
    last = named(ReportData.from_tables(planted))["verdicts"][-1]
    assert "by the extinction time" in last
    assert "by the stretch of the whole profile (z = +0.06" in last
