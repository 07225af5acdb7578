from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy import optimize

from gradcascade.scaling.duration_law import duration_laws, window_duration_law

Build = Callable[..., pl.DataFrame]
FIVE = {"a": 1000, "b": 5000, "c": 20_000, "d": 90_000, "e": 300_000}


def slow_laws(n: np.ndarray, duration: np.ndarray) -> dict[str, Any]:
    """The three fits by a general optimiser."""
    x, y, k = np.log(n), np.log(duration), len(n)

    def logarithm(parameters: np.ndarray) -> np.ndarray:
        at_ends = np.interp(x, [x.min(), x.max()], np.exp(parameters))  # positive at both ends, so in between
        return y - np.log(at_ends)

    best: Any = optimize.least_squares(logarithm, [y[0], y[-1]], xtol=1e-14, ftol=1e-14, gtol=1e-14)
    power: Any = np.polyfit(x, y, 1, full=True)
    ends = np.exp(best.x)
    rss = {"constant": ((y - y.mean()) ** 2).sum(), "logarithm": 2 * best.cost, "power": power[1][0]}
    aicc = {
        name: k * np.log(rss[name] / k) + 2 * p + 2 * p * (p + 1) / (k - p - 1) if k > p + 1 else None
        for name, p in {"constant": 2, "logarithm": 3, "power": 3}.items()
    }
    return {
        "z": power[0][0],
        "b": (ends[1] - ends[0]) / np.ptp(x),
        **{f"rss_{name}": value for name, value in rss.items()},
        **{f"aicc_{name}": value for name, value in aicc.items()},
        "difference": k * np.log(rss["logarithm"] / rss["power"]),
    }


@pytest.mark.parametrize("sizes", [FIVE, None], ids=["five", "four"])
def test_matches_a_general_optimiser(cascades: Build, sizes: dict[str, int] | None) -> None:
    table = cascades(sizes=sizes, steps=range(12))
    for row in duration_laws(table).iter_rows(named=True):
        rows = table.filter(pl.col("step") == row["step"]).sort("n")
        expected = slow_laws(rows["n"].to_numpy(), rows["duration"].to_numpy())
        for name, value in expected.items():
            if value is None:
                assert row[name] is None, name
            else:
                assert row[name] == pytest.approx(value, rel=1e-5, abs=1e-9), name
        four = "only 4 scales: the criteria of three-parameter laws need 5"
        assert row["reason"] == (None if sizes else four)


def planted(law: Callable[[np.ndarray], np.ndarray], noise: float, steps: int = 40) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    n = np.array([10**3, 10**4, 10**5, 10**6, 10**7], dtype=np.int64)
    return pl.DataFrame(
        {
            "family": "f",
            "field": "gradient",
            "variant": "real",
            "step": np.repeat(np.arange(steps), 5),
            "scale": [str(i) for i in range(5)] * steps,
            "n": np.tile(n, steps),
            "size": np.tile(n // 10, steps),
            "duration": np.tile(law(n), steps) * np.exp(noise * rng.standard_normal(5 * steps)),
        }
    )


@pytest.mark.parametrize(
    ("name", "law"), [("power", lambda n: 3 * n**0.2), ("logarithm", lambda n: -5 + 4 * np.log(n))], ids=["p", "l"]
)
def test_a_planted_law_is_found_over_the_window(name: str, law: Callable[[np.ndarray], np.ndarray]) -> None:
    found = window_duration_law(planted(law, 0.02), (0, 39)).row(0, named=True)
    assert found["law"] == name and found["n_steps"] == 40
    assert (found["mean"] > 0) == (name == "power")


def test_a_growth_too_small_to_tell_is_undecided() -> None:
    found = window_duration_law(planted(lambda n: 8 * n**0.01, 0.05), (0, 39)).row(0, named=True)
    assert found["law"] == "undecided" and found["low"] < 0 < found["high"]


def test_what_is_missing_is_said(cascades: Build) -> None:
    table = cascades(steps=range(8))
    assert duration_laws(table.filter(pl.col("scale") == "d24"))["reason"][0] == "only 1 scale in all, a fit needs 3"
    equal = table.with_columns(duration=pl.lit(7))
    row = duration_laws(equal).row(0, named=True)
    assert row["reason"] == "all durations are equal: every law fits exactly"
    assert row["difference"] is None and row["rss_power"] == 0 and row["z"] == 0
    exact = planted(lambda n: n**0.1, 0.0, 2)
    assert duration_laws(exact)["reason"][0] == "a law fits exactly: there is no noise to weigh the laws by"
    found = window_duration_law(equal)
    assert found["law"].to_list() == [None] and found["n_steps"].to_list() == [0]
    assert found["reason"].to_list()[0].startswith("all durations are equal, or lie on a power law")
    three = window_duration_law(table.filter(pl.col("scale") != "d24"))
    assert three["reason"].to_list() == ["only 3 scales of different n: to weigh two laws takes 4"]
    assert duration_laws(table.head(0)).is_empty()


def test_the_weight_is_that_of_the_j_test() -> None:
    table = planted(lambda n: 3 * n**0.2, 0.05, 10)
    row = window_duration_law(table, (0, 9)).row(0, named=True)
    means = table.group_by("n").agg(pl.col("duration").log().mean()).sort("n")
    x, y = np.log(means["n"].to_numpy()), means["duration"].to_numpy()
    fit: Any = optimize.curve_fit(lambda x, a, b: np.log(a + b * x), x, y, p0=(1.0, 3.0))[0]
    logarithm, power = np.log(fit[0] + fit[1] * x), np.polyval(np.polyfit(x, y, 1), x)
    known = sm.OLS(y, np.column_stack([np.ones(5), x, logarithm - power])).fit()
    expected = [known.params[2], *known.conf_int()[2]]
    np.testing.assert_allclose([row[name] for name in ("weight", "low", "high")], expected, rtol=1e-3)
