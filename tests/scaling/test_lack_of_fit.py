from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.anova import anova_lm
from tests.support.many_scales import many_scales

from gradcascade.scaling.lack_of_fit import SHARED, lack_of_fit, window_lack_of_fit

N = [10**4, 10**5, 10**6, 10**7]


def planted(
    runs: list[int], steps: int = 6, families: int = 1, sd: float | list[float] = 0.05, bend: float = 0.0
) -> pl.DataFrame:
    rng = np.random.default_rng(7)
    rows = []
    for family in range(families):
        for scale, (n, count) in enumerate(zip(N, runs, strict=True)):
            for run in range(count):
                own = np.broadcast_to(sd, 4)[scale] * rng.standard_normal()
                for step in range(steps):
                    x = np.log(n) - 13
                    rows.append(
                        (
                            f"{family:03}",
                            str(scale),
                            str(run),
                            step,
                            n,
                            0.1 * n,
                            20 * np.exp(0.2 * x + bend * x * x + own + 0.01 * rng.standard_normal()),
                        )
                    )
    names = ["family", "scale", "run", "step", "n", "size", "duration"]
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(
        field=pl.lit("gradient"), variant=pl.lit("real")
    )


@pytest.mark.parametrize("runs", [[3, 3, 3, 3], [5, 2, 4, 3]])
def test_with_equal_variances_it_is_the_f_test_of_two_nested_models(runs: list[int]) -> None:
    table = planted(runs)
    z = pl.col("exponent") == "z"
    means = (
        table.group_by("scale", "run").agg(pl.col("n").first(), pl.col("duration").log().mean()).sort("scale", "run")
    )
    for found, points in (
        (window_lack_of_fit(table, (0, 5)), means),
        (
            lack_of_fit(table).filter(pl.col("step") == 2),
            table.filter(pl.col("step") == 2).with_columns(pl.col("duration").log()),
        ),
    ):
        row = found.filter(z).row(0, named=True)
        y, x = points["duration"].to_numpy(), np.log(points["n"].to_numpy())
        line = sm.OLS(y, sm.add_constant(x)).fit()
        groups = np.eye(4)[points["scale"].cast(pl.Int64).to_numpy()]
        known: Any = anova_lm(line, sm.OLS(y, groups).fit())
        assert row["p_equal"] == pytest.approx(known["Pr(>F)"].iloc[1], rel=1e-8)
        assert (row["n_scales"], row["n_runs"], row["reason"]) == (4, sum(runs), None)


def test_with_unequal_variances_it_is_as_written_out_with_matrices() -> None:
    table = planted([6, 4, 5, 3], sd=[0.2, 0.1, 0.05, 0.02])
    row = window_lack_of_fit(table, (0, 5)).filter(pl.col("exponent") == "z").row(0, named=True)
    means = table.group_by("scale", "run").agg(pl.col("n").first(), pl.col("duration").log().mean())
    scales = means.group_by("scale").agg(
        pl.col("n").first(), pl.col("duration").mean(), v=pl.col("duration").var(), r=pl.len()
    )
    scales = scales.sort("scale")
    r, v, y = (scales[name].to_numpy() for name in ("r", "v", "duration"))
    design = np.sqrt(r)[:, None] * sm.add_constant(np.log(scales["n"].to_numpy()))
    maker = np.eye(4) - design @ np.linalg.pinv(design)
    spread = maker @ np.diag(v)
    above, below = ((maker @ (np.sqrt(r) * y)) ** 2).sum(), np.trace(spread)
    first = below**2 / np.trace(spread @ spread)
    second = below**2 / ((np.diag(maker) * v) ** 2 / (r - 1)).sum()
    assert row["f"] == pytest.approx(above / below, rel=1e-8)
    assert row["p"] == pytest.approx(stats.f.sf(above / below, first, second), rel=1e-8)


def test_it_finds_a_bend_and_invents_none() -> None:
    for bend, low, high in ((0.0, 0.0, 0.08), (0.02, 0.8, 1.0)):
        found = window_lack_of_fit(planted([3, 3, 3, 3], families=150, bend=bend, steps=3), (0, 5)).filter(
            pl.col("exponent") == "z"
        )
        assert low <= found.select((pl.col("p") <= 0.05).mean()).item() <= high


def test_over_the_exponents_of_a_trajectory_it_is_corrected() -> None:
    from statsmodels.stats.multitest import multipletests

    table = planted([3, 3, 3, 3], bend=0.01)
    size = pl.col("size") * (pl.col("step") + pl.col("run").cast(int)).sin().mul(0.02).exp()
    found = window_lack_of_fit(table.with_columns(size=size), (0, 9))
    own = found.filter(pl.col("exponent") != "beta")
    assert own["p"].is_not_null().all()
    expected = multipletests(own["p"].to_numpy(), method="holm")[1]
    np.testing.assert_allclose(own["p_adjusted"], np.asarray(expected))
    beta, delta = (found.filter(pl.col("exponent") == name)["p_adjusted"].item() for name in ("beta", "delta"))
    assert beta == delta


def test_what_is_missing_is_said() -> None:
    single = planted([1, 1, 1, 1])
    alone = "no scale has several runs, so nothing tells how much runs differ"
    assert lack_of_fit(single)["reason"].unique().to_list() == [alone]
    found = window_lack_of_fit(single)
    assert found["reason"].unique().to_list() == [alone] and found["p"].null_count() == 4
    assert found["r2"].null_count() == 0
    two = window_lack_of_fit(planted([2, 2, 2, 2]).filter(pl.col("scale").is_in(["0", "1"])))
    assert two["reason"][0] == "only 2 scales are there at half of the window's steps or more"
    same = planted([2, 2, 2, 2]).with_columns(duration=pl.lit(9))
    row = window_lack_of_fit(same).filter(pl.col("exponent") == "z").row(0, named=True)
    assert row["reason"] == "the runs of every scale are equal; they show no scatter"


def test_runs_that_share_a_nulls_draws_say_nothing_of_it() -> None:
    """Their seed is that of the step, so further runs repeat the same draw: N1 of them hardly differs."""
    table = many_scales(3).with_columns(variant=pl.lit("N1"))
    for found in (lack_of_fit(table), window_lack_of_fit(table, (0, 99))):
        assert found["p"].null_count() == found["f"].null_count() == found.height
        assert set(found["code"]) == {SHARED} and found["r2"].null_count() == 0
    assert lack_of_fit(many_scales(3))["p"].null_count() == 0
