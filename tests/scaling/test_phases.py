from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from gradcascade.errors import InputError
from gradcascade.scaling.phases import METHODS, exponent_along, phase_exponents
from gradcascade.scaling.window_means import window_intervals

SIZES = {"a": 100, "b": 400, "c": 1500, "d": 6000}
AT = {(scale, run): 20 + 10 * place + 10 * int(run) for place, scale in enumerate(SIZES) for run in "012"}


def made(before: float = 1.1, after: float = 0.9, noise: float = 0.0, at: dict | None = None, **more) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    rows = [
        {"scale": scale, "run": run, "step": step, "n": n, "size": n ** (before if step < moves else after), **more}
        for (scale, run), moves in (at or AT).items()
        for n in [SIZES[scale]]
        for step in range(0, 110, 10)
    ]
    table = pl.DataFrame(rows)
    own = table.select("scale", "run").unique(maintain_order=True)
    own = own.with_columns(_off=pl.Series(noise * rng.standard_normal(own.height)))
    each = pl.Series(noise * rng.standard_normal(table.height))
    return table.join(own, on=["scale", "run"]).with_columns(size=pl.col("size") * (pl.col("_off") + each).exp())


def cell(found: pl.DataFrame, method: str, phase: str) -> dict:
    return found.filter(pl.col("method") == method, pl.col("phase") == phase).row(0, named=True)


@pytest.mark.parametrize("method", METHODS)
def test_a_planted_change_is_found_exactly(method: str) -> None:
    found = phase_exponents(made(), AT, resamples=50)
    for phase, value in (("before", 1.1), ("after", 0.9), ("after - before", -0.2)):
        row = cell(found, method, phase)
        for name in ("value", "low", "high", "loo_low", "loo_high", "run_low", "run_high"):
            assert row[name] == pytest.approx(value, abs=1e-9), (phase, name)
        assert (row["n_scales"], row["n_runs"], row["left_out"]) == (4, 12, 0)
    assert cell(found, method, "before")["n_points"] == sum(step // 10 for step in AT.values())


def obvious(table: pl.DataFrame, at: dict, method: str, phase: str, only: set[int] | None = None) -> float:
    """Point by point, without weights; the method of steps at some of them alone."""
    points = {}
    for row in table.iter_rows(named=True):
        apart = row["step"] - at[row["scale"], row["run"]]
        if phase == "all" or (apart < 0) == (phase == "before"):
            points.setdefault((row["scale"], row["run"]), {})[apart] = np.log(row["size"])
    names = sorted({scale for scale, _ in points})
    x = np.log([SIZES[name] for name in names])
    if method == "pooled":
        every = [(np.log(SIZES[scale]), y) for (scale, _), own in points.items() for y in own.values()]
        places, logs = zip(*every, strict=True)
        return float(np.polyfit(places, logs, 1)[0])
    if method == "means":
        means = {name: float(np.mean(list(own.values()))) for name, own in points.items()}
        y = [np.mean([mean for (scale, _), mean in means.items() if scale == name]) for name in names]
        return float(np.polyfit(x, y, 1)[0])
    slopes = []
    for step in sorted({step for own in points.values() for step in own}):
        values: dict[str, list[float]] = {name: [] for name in names}
        for (scale, _), own in points.items():
            values[scale] += [own[step]] if step in own else []
        if all(values.values()) and step in (only or {step}):
            slopes.append(np.polyfit(x, [np.mean(own) for own in values.values()], 1)[0])
    return float(np.mean(slopes))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("phase", ["before", "after", "all"])
def test_values_are_those_of_the_obvious_way(method: str, phase: str) -> None:
    table = made(noise=0.1)
    found = cell(phase_exponents(table, AT, resamples=10), method, phase)
    assert found["value"] == pytest.approx(obvious(table, AT, method, phase), abs=1e-9)
    common = set(exponent_along(table, AT, resamples=1)["step"])
    least = obvious(table.filter(pl.col("scale") != found["without_low"]), AT, method, phase, common)
    assert found["loo_low"] == pytest.approx(least, abs=1e-9)
    runs = [
        obvious(table.filter((pl.col("scale") != scale) | (pl.col("run") != run)), AT, method, phase)
        for scale, run in AT
    ]
    assert (found["run_low"], found["run_high"]) == pytest.approx((min(runs), max(runs)), abs=1e-9)


def test_the_line_through_the_means_is_that_of_a_window() -> None:
    """With one transition for all, the phase after it is a window, with the project's own interval across scales."""
    at = dict.fromkeys(AT, 50)
    table = made(noise=0.1, at=at).with_columns(
        family=pl.lit("f"), field=pl.lit("gradient"), variant=pl.lit("real"), duration=2, ceiling=False
    )
    known = window_intervals(table, (50, 100), along=False).filter(pl.col("exponent") == "D").row(0, named=True)
    found = cell(phase_exponents(table, at, resamples=10), "means", "after")
    ours = [found[name] for name in ("value", "scales_se", "scales_low", "scales_high")]
    assert ours == pytest.approx([known[f"scales_{name}"] for name in ("value", "se", "low", "high")], rel=1e-9)


def test_the_interval_over_runs_covers_what_it_says() -> None:
    rng = np.random.default_rng(5)
    inside = 0
    x = np.log(list(SIZES.values()))
    for _ in range(120):
        logs = x[:, None] + 0.1 * rng.standard_normal((4, 3))
        rows = [
            {"scale": scale, "run": str(run), "step": step, "n": n, "size": np.exp(logs[place, run] + 0.3 * step)}
            for place, (scale, n) in enumerate(SIZES.items())
            for run in range(3)
            for step in (0, 1)
        ]
        table = pl.DataFrame(rows)
        found = phase_exponents(
            table, {(s, r): 1 for s, r in table.select("scale", "run").iter_rows()}, resamples=200
        )
        row = cell(found, "means", "all")
        inside += row["low"] <= 1 <= row["high"]
    assert 0.85 <= inside / 120 <= 0.97  # nearly normal, with a variance known from 8 degrees of freedom


def test_windows_of_steps_about_the_transition() -> None:
    table = made(noise=0.1)
    apart = pl.col("step") - pl.struct("scale", "run").map_elements(
        lambda own: AT[own["scale"], own["run"]], return_dtype=pl.Int64
    )
    near = table.filter(apart > -20, apart <= 10)
    found, known = phase_exponents(table, AT, before=20, after=10), phase_exponents(near, AT)
    assert found.equals(known)
    assert cell(found, "means", "all")["n_points"] == 12 * 3


def test_runs_without_a_transition_are_left_out_and_counted() -> None:
    at = AT | {("a", "0"): None, ("b", "1"): 1000}  # b1 is never measured after it
    found = phase_exponents(made(noise=0.1), at, resamples=20)
    rest = {name: step for name, step in at.items() if name not in {("a", "0"), ("b", "1")}}
    known = phase_exponents(made(noise=0.1), rest, resamples=20)
    assert set(found["left_out"]) == {2} and found.equals(known)


def test_too_few_scales_have_no_slope_but_are_counted() -> None:
    found = phase_exponents(made().filter(pl.col("n") < 1000), AT)
    assert set(found["n_scales"]) == {2} and found["value"].is_null().all() and found.height == 12
    none = phase_exponents(made(), dict.fromkeys(AT, None))
    assert set(none["left_out"]) == {12} and none["value"].is_null().all()


def test_single_runs_have_no_interval_over_runs() -> None:
    row = cell(phase_exponents(made(noise=0.1).filter(pl.col("run") == "0"), AT), "means", "before")
    assert row["value"] is not None and row["low"] is None and row["scales_low"] < row["scales_high"]


def test_the_exponent_along_training_and_about_the_transition() -> None:
    aligned = exponent_along(made(), AT, resamples=20)
    assert aligned["step"].to_list() == list(range(-40, 60, 10))  # the latest of a's runs, the earliest of d's
    for row in aligned.iter_rows(named=True):
        value = 1.1 if row["step"] < 0 else 0.9
        assert row["value"] == pytest.approx(value)
        if row["low"] is not None:  # where every scale still has two runs
            assert (row["low"], row["high"]) == pytest.approx((value, value))
    noisy = made(noise=0.1)
    known = [np.polyfit(np.log(list(SIZES.values())), y, 1)[0] for y in _means_by_step(noisy)]
    found = exponent_along(noisy, resamples=200)
    assert found["value"].to_list() == pytest.approx(known)
    assert (found["low"] < found["value"]).all() and (found["value"] < found["high"]).all()


def _means_by_step(table: pl.DataFrame) -> list[list[float]]:
    logs = table.group_by("step", "n").agg(pl.col("size").log().mean()).sort("step", "n")
    return [part["size"].to_list() for part in logs.partition_by("step", maintain_order=True)]


def test_values_that_are_missing_or_zero_count_as_not_measured() -> None:
    table = made(noise=0.1)
    hole = (pl.col("scale") == "b") & (pl.col("step") == 90)
    zero = table.with_columns(size=pl.when(hole).then(0.0).otherwise("size"))
    assert phase_exponents(zero, AT).equals(phase_exponents(table.filter(~hole), AT))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (made().drop("n"), "lacks the column n"),
        (pl.concat([made(), made()]), "share their place"),
        (made().with_columns(n=pl.col("n") + pl.col("step")), "scale a goes with n 100 and 110"),
        (made().with_columns(scale="run", run="scale"), "scale 0 goes with n 100 and 400"),
        (made().with_columns(n=pl.lit(7)), "n 7 goes with scale a and b"),
    ],
)
def test_what_cannot_be_fitted_is_refused(table: pl.DataFrame, words: str) -> None:
    with pytest.raises(InputError, match=words):
        phase_exponents(table, AT)
