from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from scipy import stats

from gradcascade.scaling.decomposition import decompose
from gradcascade.scaling.exponents import fit_exponents
from gradcascade.scaling.null_differences import STEP_SCHEMA, WINDOW_SCHEMA, null_differences, window_null_errors

Build = Callable[..., pl.DataFrame]


def measured(cascades: Build, replicates: int = 4, steps: range = range(6)) -> pl.DataFrame:
    real = cascades(steps=steps)
    nulls = cascades(steps=steps, variants=("N0", "N2"), replicates=replicates, seed=1)
    return pl.concat([real, nulls])


def pick(table: pl.DataFrame, **names: object) -> dict:
    return table.row(
        by_predicate=pl.all_horizontal(pl.col(name) == value for name, value in names.items()), named=True
    )


def test_differences_are_those_of_the_exponents(cascades: Build) -> None:
    table = measured(cascades)
    found = null_differences(table)
    assert found.columns == list(STEP_SCHEMA)
    known = decompose(fit_exponents(table))
    assert found["difference"].unique(maintain_order=True).to_list() == ["total", "dist", "assign"]
    for row in known.iter_rows(named=True):
        for name in ("total", "dist", "assign"):
            here = pick(found, step=row["step"], exponent=row["exponent"], difference=name)
            assert here["value"] == pytest.approx(row[name], abs=1e-12)
            assert here["low"] < here["value"] < here["high"]
            assert here["replicates_low"] < here["value"] < here["replicates_high"]


def test_errors_from_replicates_match_the_textbook(cascades: Build) -> None:
    table = measured(cascades)
    scales = sorted(set(table.select("scale", "n").rows()), key=lambda row: row[1])
    x = np.log([n for _, n in scales])
    w = (x - x.mean()) / ((x - x.mean()) ** 2).sum()

    def pooled(variant: str, scale: str) -> tuple[float, int]:
        here = table.filter((pl.col("variant") == variant) & (pl.col("scale") == scale))
        groups = [np.log(part["duration"].to_numpy()) for part in here.partition_by("step")]
        degrees = sum(len(group) - 1 for group in groups)
        return sum(((group - group.mean()) ** 2).sum() for group in groups) / degrees, degrees

    parts = {name: [pooled(name, scale) for scale, _ in scales] for name in ("N0", "N2")}
    terms = [w[i] ** 2 * parts[name][i][0] / 4 for name in ("N0", "N2") for i in range(4)]
    degrees = sum(terms) ** 2 / sum(term**2 / 18 for term in terms)
    row = pick(null_differences(table), step=3, exponent="z", difference="dist")
    assert row["replicates_se"] == pytest.approx(np.sqrt(sum(terms)))
    assert row["replicates_high"] - row["value"] == pytest.approx(stats.t.ppf(0.975, degrees) * np.sqrt(sum(terms)))
    window = pick(window_null_errors(table, (0, 5)), exponent="z", difference="dist")
    assert window["replicates_se"] == pytest.approx(np.sqrt(sum(terms) / 6))
    values = null_differences(table).filter((pl.col("exponent") == "z") & (pl.col("difference") == "dist"))["value"]
    assert window["mean"] == pytest.approx(values.mean()) and window["n_steps"] == 6
    half = stats.t.ppf(0.975, degrees) * np.sqrt(sum(terms) / 6)
    assert window["replicates_high"] - window["mean"] == pytest.approx(half)


def test_real_minus_a_null_has_the_nulls_error_alone(cascades: Build) -> None:
    table = null_differences(measured(cascades)).filter((pl.col("exponent") == "z") & (pl.col("step") == 2))
    total, dist, assign = (pick(table, difference=name)["replicates_se"] for name in ("total", "dist", "assign"))
    assert dist**2 == pytest.approx(total**2 + assign**2)


def test_intervals_cover_what_other_draws_give(cascades: Build) -> None:
    rng = np.random.default_rng(3)
    real = cascades(steps=range(5))
    one = cascades(steps=range(5), variants=("N0",), replicates=3)
    families, truth = 400, -0.1
    n = one["n"].cast(pl.Float64).to_numpy()
    tables = []
    for number in range(families):
        drawn = np.exp(3 + truth * np.log(n / 36_864) + rng.normal(0, 0.05 + 0.1 * (n < 1e5), n.size))
        name = pl.lit(f"f{number:03}").alias("family")
        tables += [
            one.with_columns(name, duration=pl.Series(drawn)),
            real.with_columns(name, duration=pl.lit(20.0)),
        ]
    table = pl.concat(tables)
    step = null_differences(table).filter((pl.col("exponent") == "z") & (pl.col("step") == 1))
    window = window_null_errors(table, (0, 4)).filter(pl.col("exponent") == "z")
    for found in (step, window):
        assert found.height == families
        inside = found.select((pl.lit(-truth).is_between("replicates_low", "replicates_high")).mean()).item()
        assert inside == pytest.approx(0.95, abs=3.5 * np.sqrt(0.05 * 0.95 / families))


def test_a_null_measured_once_has_no_error_and_says_so(cascades: Build) -> None:
    found = null_differences(measured(cascades, replicates=1))
    assert found["replicates_se"].null_count() == found.height and found["value"].null_count() == 0
    assert pick(found, step=1, exponent="z", difference="total")["replicates_reason"] == (
        "N0 was measured once at every step; replicates give an error"
    )
    window = window_null_errors(measured(cascades, replicates=1))
    assert window["mean"].null_count() == 0 and window["replicates_se"].null_count() == window.height
    assert window.columns == list(WINDOW_SCHEMA)


def test_controls_come_along_where_they_were_measured(cascades: Build) -> None:
    controls = cascades(steps=range(6), variants=("signs", "in-block"), replicates=2, seed=4)
    clipped = cascades(steps=range(6), variants=("clipped",), seed=5)
    found = null_differences(pl.concat([cascades(steps=range(6)), controls, clipped]))
    assert found["difference"].unique(maintain_order=True).to_list() == ["signs", "in-block", "clipped"]
    row = pick(found, step=0, exponent="z", difference="clipped")
    assert row["replicates_se"] == 0 and row["replicates_low"] == row["value"]  # nothing is drawn
    fits = fit_exponents(pl.concat([cascades(steps=range(6)), controls]))
    value = {v: pick(fits, step=0, exponent="z", variant=v)["value"] for v in ("real", "signs")}
    assert pick(found, step=0, exponent="z", difference="signs")["value"] == pytest.approx(
        value["real"] - value["signs"]
    )


def test_too_few_scales_are_named(cascades: Build) -> None:
    table = measured(cascades).filter(
        (pl.col("variant") != "N0") | (pl.col("step") != 2) | pl.col("scale").is_in(["d24", "d48"])
    )
    row = pick(null_differences(table), step=2, exponent="D", difference="total")
    assert row["value"] is None and row["n_scales"] == 2
    assert row["reason"] == "2 scales have both variants; a slope needs 3 of different n"
    assert row["replicates_reason"] == row["reason"]
    assert pick(window_null_errors(table, (0, 5)), exponent="D", difference="total")["n_steps"] == 5
    nothing = pick(window_null_errors(table, (2, 2)), exponent="D", difference="total")
    assert nothing["mean"] is None and nothing["replicates_reason"] == "no step in the window has the value"


def test_a_table_without_nulls_has_no_differences(cascades: Build) -> None:
    assert null_differences(cascades()).is_empty() and window_null_errors(cascades()).is_empty()


def test_the_order_of_the_rows_does_not_matter_to_the_last_digit(cascades: Build) -> None:
    table = measured(cascades)
    for seed in range(5):
        mixed = table.sample(fraction=1.0, shuffle=True, seed=seed)
        assert null_differences(mixed).equals(null_differences(table))
        assert window_null_errors(mixed).equals(window_null_errors(table))


def test_runs_with_the_same_draws_of_a_null_narrow_nothing(cascades: Build) -> None:
    """The seed of a null is that of the step: N0 repeats itself in every run, N1 and N2 nearly."""
    table = measured(cascades).with_columns(pl.col("duration").cast(pl.Float64), run=pl.lit("0"))
    other = table.with_columns(
        run=pl.lit("1"), duration=pl.when(pl.col("variant") == "N2").then(1.001).otherwise(1.0) * pl.col("duration")
    )
    once, twice = (window_null_errors(rows).filter(exponent="z") for rows in (table, pl.concat([table, other])))
    np.testing.assert_allclose(once["replicates_se"], twice["replicates_se"], rtol=1e-6)
