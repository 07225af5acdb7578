from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcascade.report import page_data
from gradcascade.report.data import ReportData
from gradcascade.report.page_data import chart_data, json_text, rounded

from .cascades import perplexities, study_cascades


def of_slow(data: ReportData, **wanted: object) -> list[dict]:
    rows = data.channels.to_dicts()
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def test_channels_are_those_of_the_cascades_that_enter_the_fits() -> None:
    cascades = study_cascades(steps=(1, 2, 3, 5))
    dropped = (pl.col("step") == 2) & (pl.col("scale") == "d48")
    data = ReportData.from_tables(cascades.with_columns(ceiling=dropped))
    for group in chart_data(data)["groups"]:
        assert group["steps"] == [1, 2, 3, 5]
        for variant, part in group["variants"].items():
            for place, scale in enumerate(group["scales"]):
                for i, step in enumerate(group["steps"]):
                    (row,) = of_slow(data, field=group["field"], variant=variant, scale=scale, step=step)
                    size, duration = part["size_per_n"][place][i], part["n_steps"][place][i]
                    if not row["included"]:
                        assert (size, duration) == (None, None)
                        continue
                    assert size == pytest.approx(row["size"] / row["n"], rel=1e-4)
                    assert size / duration == pytest.approx(row["v_rel"], rel=1e-4)


def test_replicates_are_averaged_in_logarithms() -> None:
    one = study_cascades(steps=(1,))
    other = one.with_columns(replicate=pl.lit(1, pl.Int64), duration=pl.col("duration") * 4)
    part = chart_data(ReportData.from_tables(pl.concat([one, other])))["groups"][0]["variants"]["real"]
    single = chart_data(ReportData.from_tables(one))["groups"][0]["variants"]["real"]
    assert [row[0] for row in part["n_steps"]] == pytest.approx([2 * row[0] for row in single["n_steps"]], rel=1e-4)


def test_exponents_and_their_intervals_can_be_made_from_what_is_stored(data: ReportData) -> None:
    content = chart_data(data)
    for fit in data.fits.to_dicts():
        (group,) = (g for g in content["groups"] if g["field"] == fit["field"])
        part, place = group["variants"][fit["variant"]], group["steps"].index(fit["step"])
        beta = fit["exponent"] == "beta"
        stored = part["exponents"]["delta" if beta else fit["exponent"]]
        value, half = stored["value"][place] + beta, stored["half"][place]
        assert value == pytest.approx(fit["value"], abs=1e-4)
        assert (value - half, value + half) == pytest.approx((fit["low"], fit["high"]), abs=1e-4)
        assert part["exponents"][fit["exponent"]]["r2"][place] == pytest.approx(fit["r2"], abs=1e-4)


def test_profiles_of_long_studies_are_thinned_evenly(data: ReportData, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = chart_data(data)["groups"][0]
    assert whole["activity_at"] == list(range(10))
    monkeypatch.setattr(page_data, "ACTIVITY_LIMIT", 1500)
    thin = chart_data(data)["groups"][0]
    assert len(thin["activity_at"]) < 10
    assert {0, 9} <= set(thin["activity_at"])
    for scale in range(4):
        for place, at in enumerate(thin["activity_at"]):
            kept = thin["variants"]["real"]["activity"][scale][place]
            assert kept == whole["variants"]["real"]["activity"][scale][at]


def test_metrics_keep_their_own_steps_and_the_scales_that_have_them() -> None:
    cascades = study_cascades(steps=(1, 2, 3))
    metrics = perplexities(cascades).with_columns(pl.col("step") * 10).filter(pl.col("scale") != "d48")
    metrics = metrics.with_columns(
        value=pl.when((pl.col("step") == 20) & (pl.col("scale") == "d24")).then(math.nan).otherwise("value")
    )
    (metric,) = chart_data(ReportData.from_tables(cascades, metrics))["metrics"]
    assert metric["steps"] == [10, 20, 30]
    assert metric["scales"] == ["d24", "d96", "d192"]
    assert metric["values"][0][1] is None
    assert metric["values"][1][1] is not None


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True)))
def test_rounding_keeps_five_digits_and_drops_what_is_no_number(values: list[float]) -> None:
    for before, after in zip(values, rounded(np.array(values, dtype=np.float64)), strict=True):
        if math.isfinite(before):
            assert after == pytest.approx(before, rel=5e-5)
        else:
            assert after is None


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda part: st.lists(part) | st.dictionaries(st.text(), part)
    )
)
def test_json_is_read_back_and_cannot_end_its_element(content: object) -> None:
    text = json_text(content)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == json.loads(json.dumps(content).encode("utf-8", "replace"))


def test_numbers_that_json_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_text([math.nan])
