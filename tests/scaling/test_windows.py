from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from gradcascade import families
from gradcascade.errors import InputError
from gradcascade.scaling.exponents import EXPONENTS, fit_exponents
from gradcascade.scaling.windows import (
    default_window,
    in_window,
    summarise,
    windows,
)

Build = Callable[..., pl.DataFrame]


@pytest.mark.parametrize(
    ("steps", "window"),
    [
        ([7], (7, 7)),
        ([1, 2], (1, 2)),
        ([30, 10, 20, 20, 10], (20, 30)),
        (range(9), (3, 8)),
        (range(10), (3, 9)),
        (pl.Series([0, 1, 2, 3]), (1, 3)),
    ],
    ids=str,
)
def test_default_window_is_the_last_two_thirds(steps: list[int], window: tuple[int, int]) -> None:
    assert default_window(steps) == window


def test_no_steps_no_window() -> None:
    with pytest.raises(InputError, match="there is no step"):
        default_window([])


@pytest.mark.parametrize(("family", "count"), [("pico-lm", 56), ("pythia", 70)])
def test_published_windows_hold_the_published_number_of_steps(family: str, count: int) -> None:
    first, last = families.family(family).window or (0, 0)
    assert len(range(first, last + 1, 1000)) == count


def test_windows_per_family_and_field(cascades: Build) -> None:
    table = pl.concat([cascades(steps=range(9)), cascades(steps=range(0, 60, 20), field="update")])
    key = ("nano", "gradient")
    assert windows(table) == {key: (3, 8), ("nano", "update"): (20, 40)}
    assert windows(table, (2, 20)) == {key: (2, 20), ("nano", "update"): (2, 20)}
    assert windows(table, {key: (1, 2)}) == {key: (1, 2), ("nano", "update"): (20, 40)}
    assert in_window(table, {key: (1, 2)}).sum() == 4 * (2 + 2)


@pytest.mark.parametrize("window", [(5, 4), (1, 2, 3)], ids=str)
def test_bad_windows_are_refused(cascades: Build, window: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="a window is a first and a last step"):
        windows(cascades(), window)  # pyright: ignore[reportArgumentType]


def test_a_table_in_place_of_a_window_is_named_and_not_printed(cascades: Build) -> None:
    with pytest.raises(InputError, match=r"or a mapping of them, got a DataFrame$"):
        windows(cascades(), cascades())  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("window", [None, (2, 5), {("nano", "gradient"): (2, 5)}], ids=str)
def test_summary_matches_numpy(cascades: Build, window: tuple[int, int] | None) -> None:
    fits = fit_exponents(cascades(variants=("real", "N0")).sample(fraction=1, shuffle=True, seed=1))
    summary = summarise(fits, window)
    first, last = (3, 9) if window is None else (2, 5)
    assert summary.columns == ["family", "field", "variant", "exponent", "mean", "sd", "mean_r2", "n_steps"]
    assert summary["exponent"].to_list() == list(EXPONENTS) * 2
    for row in summary.iter_rows(named=True):
        used = fits.filter(
            (pl.col("variant") == row["variant"])
            & (pl.col("exponent") == row["exponent"])
            & pl.col("step").is_between(first, last)
        )
        value = used["value"].to_numpy()
        expected = [value.mean(), value.std(ddof=1), used["r2"].to_numpy().mean(), len(value)]
        np.testing.assert_allclose([row[name] for name in ("mean", "sd", "mean_r2", "n_steps")], expected, rtol=1e-12)


def test_missing_steps_are_not_counted(cascades: Build) -> None:
    table = cascades().with_columns(ceiling=pl.col("step").is_in([4, 5]))
    summary = summarise(fit_exponents(table), (3, 6))
    assert summary["n_steps"].to_list() == [2] * 4
    assert summary["mean"].null_count() == 0


def test_window_without_exponents_is_shown_as_empty(cascades: Build) -> None:
    summary = summarise(fit_exponents(cascades()), (100, 200))
    assert summary["n_steps"].to_list() == [0] * 4
    assert summary.select("mean", "sd", "mean_r2").null_count().row(0) == (4, 4, 4)


def test_one_step_has_no_spread(cascades: Build) -> None:
    summary = summarise(fit_exponents(cascades(steps=[5])))
    assert summary["n_steps"].to_list() == [1] * 4
    assert summary["sd"].null_count() == 4 and summary["mean"].null_count() == 0


def test_mean_r2_leaves_out_undefined_ones(cascades: Build) -> None:
    table = cascades(steps=[0, 1, 2]).with_columns(
        duration=pl.when(pl.col("step") == 1).then(9).otherwise(pl.col("duration"))
    )
    fits = fit_exponents(table)
    z = summarise(fits, (0, 2)).row(1, named=True)
    assert z["exponent"] == "z" and z["n_steps"] == 3
    assert z["mean_r2"] == pytest.approx(np.mean(fits.filter(pl.col("exponent") == "z")["r2"].drop_nulls().to_list()))


def test_empty_fits(cascades: Build) -> None:
    assert summarise(fit_exponents(cascades()[:0])).height == 0
