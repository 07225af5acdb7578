from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from gradcascade.errors import InputError
from gradcascade.scaling.design import MOST_RUNS, Design, cheapest_design
from gradcascade.scaling.measured_designs import measured_design
from gradcascade.scaling.run_errors import size_means
from gradcascade.scaling.run_means import RunMeans
from gradcascade.scaling.window_means import slopes_across

Build = Callable[..., pl.DataFrame]
PICO = (589_824, 9_437_184, 37_748_736, 150_994_944)
FOURTEEN = tuple(np.geomspace(5e5, 2e9, 14).astype(int).tolist())


def test_four_scales_of_runs_that_differ_by_5_percent() -> None:
    """The slope has SD 0.05 / sqrt(Sxx), its interval t(0.975, 2) of an error with two degrees of freedom."""
    design = Design.of(PICO, 1, 0.05)
    x = np.log(PICO)
    sd = 0.05 / np.sqrt(((x - x.mean()) ** 2).sum())
    variance, mean, degrees = design.moments()
    assert (variance, mean, degrees) == pytest.approx((sd**2, sd**2, 2))
    assert design.half_width() == pytest.approx(4.3027 * sd * np.sqrt(np.log(2)), rel=1e-4)
    # A third, and a little more: how unequal the scales are then counts as not known.
    assert Design.of(PICO, 9, 0.05).smallest() == pytest.approx(design.smallest() / 3, rel=0.04)
    whole = Design.of(PICO, 1, 0.05, step_sd=0.08, phi=0.6, steps=56)
    assert whole.smallest() == pytest.approx(0.075, abs=0.001)
    assert whole.power(whole.smallest()) == pytest.approx(0.8, abs=1e-6) and design.power(1e9) == 1.0


@pytest.mark.parametrize(("sizes", "runs"), [(PICO, 3), (FOURTEEN, 1), (FOURTEEN, 3)])
@pytest.mark.parametrize("unequal", [False, True])
def test_the_prediction_is_within_15_percent_of_simulation(sizes: tuple[int, ...], runs: int, unequal: bool) -> None:
    from scipy.stats import t

    k = len(sizes)
    sd = np.geomspace(0.1, 0.02, k) if unequal else np.full(k, 0.05)
    design = Design.of(sizes, runs, sd.tolist())
    rng, size = np.random.default_rng(1), np.repeat(np.arange(k), runs)
    x, slope = np.log(sizes)[size], design.smallest()
    half, shown = [], []
    for _ in range(250):
        means = RunMeans(x, slope * x + sd[size] * rng.standard_normal((4, size.size)), size, 1)
        value, se, _ = slopes_across(size_means(means))
        width = t.ppf(0.975, k - 2) * se
        half += width.tolist()
        shown += (np.abs(value) > width).tolist()
    assert np.median(half) == pytest.approx(design.half_width(), rel=0.15)
    assert np.mean(shown) == pytest.approx(0.8, rel=0.15)


def test_the_cheapest_design_puts_runs_where_they_are_cheap() -> None:
    start = Design.of(PICO, 1, 0.05)
    best = cheapest_design(start, 0.042)
    assert best.power(0.042) >= 0.8 and best.runs[0] > best.runs[-1]
    even = Design.of(PICO, 3, 0.05)
    assert even.power(0.042) >= 0.8
    assert np.dot(best.runs, PICO) < np.dot(even.runs, PICO)
    assert cheapest_design(start, 0.5) == start
    dear = cheapest_design(start, 0.042, costs=[1.0] * 4)
    assert sum(dear.runs) <= sum(even.runs)


def test_what_no_number_of_runs_shows_is_refused() -> None:
    off = Design.of(PICO, 1, 0.05, scale_sd=0.05)
    with pytest.raises(InputError, match=f"{MOST_RUNS} runs of each size would not show a difference of 0.01"):
        cheapest_design(off, 0.01)
    with pytest.raises(InputError, match="costs are 4 numbers above 0"):
        cheapest_design(off, 0.1, costs=[1.0])
    with pytest.raises(InputError, match="needs 3 different sizes"):
        Design.of((1000, 1000, 9000), 1, 0.05)
    with pytest.raises(InputError, match="4 sizes and 3 values of runs"):
        Design.of(PICO, [1, 2, 3], 0.05)
    with pytest.raises(InputError, match="one of them above 0"):
        Design.of(PICO, 1, 0.0)


def test_the_scatter_of_a_study_is_that_of_its_runs() -> None:
    rng = np.random.default_rng(4)
    rows = [
        ("f", "gradient", "real", f"s{k}", str(run), step, n, 0.1 * n, 20 * n**0.1 * np.exp(off))
        for k, n in enumerate(PICO)
        for run in range(9)
        for off in [0.05 * rng.standard_normal()]
        for step in range(3)
    ]
    names = ["family", "field", "variant", "scale", "run", "step", "n", "size", "duration"]
    table = pl.DataFrame(rows, schema=names, orient="row")
    design, words = measured_design(table, "f", "gradient")
    assert (
        design.runs == (9,) * 4 and design.sizes == PICO and words == "the scatter of 36 runs (32 degrees of freedom)"
    )
    assert design.run_sd[0] == pytest.approx(0.05, rel=0.3)
    alone, words = measured_design(table.filter(pl.col("run") == "0"), "f", "gradient")
    assert alone.runs == (1,) * 4 and "scatter of the 4 scales about their line" in words
    with pytest.raises(InputError, match="no real field of these was measured"):
        measured_design(table, "f", "update")
