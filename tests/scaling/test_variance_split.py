from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm

from gradcascade.scaling.measured_designs import BETWEEN, BEYOND, RUNS, design_curves, designs
from gradcascade.scaling.variance_split import SPLIT_SCHEMA, variance_split

SIZES = tuple(np.geomspace(1e4, 1e8, 14).astype(int).tolist())


def planted(runs: int, steps: int = 12, missing: float = 0.0) -> pl.DataFrame:
    """Scales 8 % off the law, runs 4 %, steps 6 % of all and 3 % of each."""
    rng = np.random.default_rng(3)
    shape = (len(SIZES), runs, steps)
    log = 0.2 * np.log(SIZES)[:, None, None] + 0.08 * rng.standard_normal((shape[0], 1, 1))
    log = (
        log
        + 0.04 * rng.standard_normal((*shape[:2], 1))
        + 0.06 * rng.standard_normal(steps)
        + 0.03 * rng.standard_normal(shape)
    )
    k, r, t = np.indices(shape).reshape(3, -1)
    n = np.array(SIZES)[k]
    table = pl.DataFrame(
        {
            "scale": k.astype(str),
            "run": r.astype(str),
            "step": t,
            "n": n,
            "size": 0.1 * n,
            "duration": np.exp(log).ravel(),
        }
    )
    table = table.with_columns(family=pl.lit("f"), field=pl.lit("gradient"), variant=pl.lit("real"))
    return table.filter(pl.Series(rng.random(table.height) >= missing))


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_planted_variances_come_back(missing: float) -> None:
    found = variance_split(planted(9, missing=missing), (0, 99))
    assert found.schema == SPLIT_SCHEMA
    row = found.filter(channel="duration").row(0, named=True)
    off = 0.08 * np.random.default_rng(3).standard_normal(14)  # the first that are drawn
    realised = np.sqrt(sm.OLS(off, sm.add_constant(np.log(SIZES))).fit().mse_resid)
    assert row["scale_sd"] == pytest.approx(realised, rel=0.1)
    for name, sd, tolerance in (("run_sd", 0.04, 0.1), ("common_sd", 0.06, 0.45), ("step_sd", 0.03, 0.05)):
        assert row[name] == pytest.approx(sd, rel=tolerance), name
    assert (row["n_scales"], row["n_steps"], row["draw_sd"]) == (14, 12, None) and row["n_runs"] >= 120


def test_the_rest_is_that_of_a_two_way_model() -> None:
    table = planted(2, 5, 0.15)
    row = variance_split(table, (0, 99)).filter(channel="duration").row(0, named=True)
    cells = np.unique(
        table["scale"].to_numpy().astype(str).astype(object) + "-" + table["run"].to_numpy().astype(str),
        return_inverse=True,
    )[1]
    steps = table["step"].to_numpy()
    design = np.hstack([np.eye(28)[cells], np.eye(5)[steps][:, 1:]])
    known = sm.OLS(table["duration"].log().to_numpy(), design).fit()
    assert row["step_sd"] == pytest.approx(np.sqrt(known.mse_resid), rel=1e-6)


def test_draws_of_the_data_and_of_a_null_are_told_apart() -> None:
    """Four batches at the same weights differ by 5 %, three draws of a null of each by 2 %."""
    rng = np.random.default_rng(5)
    once = planted(1).drop("duration")
    law = 0.2 * np.log(once["n"].to_numpy())
    parts = []
    for batch in range(4):
        data = law + 0.05 * rng.standard_normal(once.height)
        parts.append(once.with_columns(replicate=1000 * batch, duration=pl.Series(np.exp(data))))
        for draw in range(3):
            log = data + 0.02 * rng.standard_normal(once.height)
            null = once.with_columns(variant=pl.lit("N2"), replicate=1000 * batch + draw)
            parts.append(null.with_columns(duration=pl.Series(np.exp(log))))
    found = variance_split(pl.concat(parts, how="diagonal"), (0, 99)).filter(channel="duration")
    real, null = (found.filter(variant=name).row(0, named=True) for name in ("real", "N2"))
    assert real["data_sd"] == pytest.approx(0.05, rel=0.1) and real["draw_sd"] is None
    assert null["data_sd"] == pytest.approx(0.05, rel=0.1) and null["draw_sd"] == pytest.approx(0.02, rel=0.1)
    assert real["order_sd"] is None


def test_with_one_run_of_each_scales_and_runs_are_one() -> None:
    row = variance_split(planted(1), (0, 99)).filter(channel="duration").row(0, named=True)
    assert row["run_sd"] is None and 0.05 < row["scale_sd"] < 0.15
    two = planted(1).filter(pl.col("n") < 3 * SIZES[0])
    assert variance_split(two)["reason"].unique().to_list() == [
        "only 2 scales are there at half of the window's steps or more"
    ]


def test_designs_go_on_from_what_was_measured() -> None:
    found = designs(planted(3), (0, 99)).filter(exponent="z")
    assert found["design"].to_list()[:2] == ["as it is", "1 more run of each"]
    assert found["n_runs"].to_list() == [42, 56, 70, 112, 45] and found["n_scales"].to_list() == [14] * 4 + [15]
    curves = design_curves(planted(3), (0, 99)).filter(exponent="z")
    at = {(row["change"], row["number"]): row for row in curves.to_dicts()}
    assert at[RUNS, 3]["half_width"] == at[BETWEEN, 14]["half_width"] == found["half_width"][0]
    assert at[RUNS, 3]["cost"] == 1 and at[RUNS, 6]["cost"] == 2
    assert (
        at[RUNS, 8]["half_width"] == found["half_width"][3] and at[BEYOND, 15]["half_width"] == found["half_width"][4]
    )
    wide = found["half_width"].to_numpy()
    assert wide[0] > wide[1] > wide[2] > wide[3] > 0.9 * wide[0]  # scales off the law remain
    missing = designs(planted(1).filter(pl.col("n") < 3 * SIZES[0]))
    assert missing["reason"].null_count() == 0 and missing.height == 4
