"""How often intervals and tests hold where runs of a scale differ, before runs were the unit and now.

python benchmarks/interval_coverage.py [--repetitions 2000] [--only intervals,along,...]

Prints the tables of the chapter "Runs as the unit" of docs/validation.md. Seeds are fixed; every repetition is one
family of a table of cascades, answered through the same functions that a study is fitted by. "Before" is the rule
that took steps or points as they come.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from calibration import FIVE, FOUR, autoregression, covered, heading, line
from scipy import stats

from gradcascade.scaling.window_means import window_intervals

FOURTEEN = np.geomspace(5e5, 2e9, 14).astype(np.int64).tolist()
SIZES = {4: FOUR, 5: FIVE, 14: FOURTEEN}
DESIGNS = ((4, 1), (4, 3), (5, 9), (14, 1), (14, 3))
Z = 0.2


def spreads(scales: int) -> dict[str, np.ndarray]:
    """Standard deviations of runs by scale, small scales first."""
    falling = np.geomspace(0.2, 0.02, scales)
    return {"5 % at every scale": np.full(scales, 0.05), "20 to 2 %": falling, "2 to 20 %": falling[::-1]}


def families(
    rng: np.random.Generator,
    repetitions: int,
    scales: int,
    runs: int = 1,
    *,
    run_sd: float | np.ndarray = 0.05,
    scale_sd: float = 0.0,
    phi: float = 0.6,
    steps: int = 12,
    noise: float = 0.08,
    z: float = Z,
    bend: float = 0.0,
    jump: float = 0.0,
    rounded: bool = True,
    missing: float = 0.0,
    seeds_as_scales: bool = False,
    variant: str = "real",
) -> tuple[pl.DataFrame, np.ndarray]:
    """Cascades with planted exponents, and their log durations (repetitions, scales, runs, steps).

    ``run_sd`` is what a run keeps of its own over all steps, ``scale_sd`` what all runs of a scale share off the law,
    ``jump`` one change of a run's level at a random step, ``missing`` the share of cascades left out at random.
    """
    n = np.array(SIZES[scales])
    x = np.log(n) - np.log(n).mean()
    shape = (repetitions, scales, runs, steps)
    log = np.log(15) + (z * x + bend * x**2)[:, None, None] + noise * autoregression(rng, phi, shape)
    log = log + np.broadcast_to(run_sd, (scales,))[:, None, None] * rng.standard_normal((*shape[:3], 1))
    log = log + scale_sd * rng.standard_normal((*shape[:2], 1, 1))
    if jump:
        log = log + jump * rng.standard_normal((*shape[:3], 1)) * (
            np.arange(steps) >= rng.integers(0, steps, (*shape[:3], 1))
        )
    duration = np.exp(log)
    if rounded:
        duration = np.maximum(np.rint(duration), 1)
    size = np.rint(0.13 * n[:, None, None] * np.exp(0.2 * noise * autoregression(rng, phi, shape)))
    index = np.indices(shape).reshape(4, -1)
    scale = pl.Series([f"s{k:02}" for k in range(scales)])[index[1]]
    run = pl.Series([str(k) for k in range(runs)])[index[2]]
    table = pl.DataFrame(
        {
            "family": pl.Series(np.char.zfill(np.arange(repetitions).astype(str), 5))[index[0]],
            "field": "gradient",
            "variant": variant,
            "scale": scale + "-" + run if seeds_as_scales else scale,
            "run": "0" if seeds_as_scales else run,
            "step": 1000 * (index[3] + 1),
            "n": n[index[1]],
            "size": size.ravel(),
            "duration": duration.ravel(),
            "ceiling": False,
        }
    )
    return (table.filter(pl.Series(rng.random(table.height) >= missing)) if missing else table), np.log(duration)


def plain(logs: np.ndarray, scales: int) -> tuple[np.ndarray, np.ndarray]:
    """Slope and half width of the line that takes scales as equally noisy, from means over runs and steps."""
    x = np.log(SIZES[scales]) - np.log(SIZES[scales]).mean()
    means = logs.mean(axis=(2, 3))
    slope = means @ x / (x @ x)
    rest = means - means.mean(axis=1, keepdims=True) - slope[:, None] * x
    half = stats.t.ppf(0.975, scales - 2) * np.sqrt((rest**2).sum(axis=1) / (scales - 2) / (x @ x))
    return slope, half


def of_z(table: pl.DataFrame) -> pl.DataFrame:
    return table.filter(pl.col("exponent") == "z")


def half_width(found: pl.DataFrame) -> str:
    return f"{found.select((pl.col('scales_high') - pl.col('scales_low')).median() / 2).item():.4f}"


def intervals(repetitions: int) -> None:
    """Intervals across scales."""
    heading(
        "Intervals across scales, covering the planted z (%), and their median half widths; runs of a scale differ "
        "for good, 12 steps, phi 0.6, durations rounded:",
        ["scales x runs", "runs differ by", "before", "now", "half width before", "now "],
    )
    for number, (scales, runs) in enumerate(DESIGNS):
        for words, sd in spreads(scales).items():
            rng = np.random.default_rng([21, number])
            table, logs = families(rng, repetitions, scales, runs, run_sd=sd)
            found = of_z(window_intervals(table, (0, 10**9), along=False))
            slope, half = plain(logs, scales)
            before = 100 * float(np.mean(np.abs(slope - Z) <= half))
            now = covered(found, "scales_low", "scales_high", Z)
            line(f"{scales} x {runs}", words, before, now, f"{np.median(half):.4f}", half_width(found))


def kinds(repetitions: int) -> None:
    """The same under other trouble."""
    heading(
        "The same where more is wrong (%):",
        ["scales x runs", "case", "interval given", "covers", "half width"],
    )
    cases: list[tuple[str, dict[str, Any]]] = [
        (f"phi {phi:g}", {"phi": phi, "run_sd": 0.02}) for phi in (0.0, 0.9, 0.95)
    ]
    cases += [
        ("durations not rounded", {"rounded": False}),
        ("a jump of 10 % in every run", {"jump": 0.1}),
        ("scales lie 5 % off the law", {"scale_sd": 0.05}),
        ("30 % of cascades missing", {"missing": 0.3, "steps": 8}),
    ]
    for number, (scales, runs) in enumerate(DESIGNS):
        for words, settings in cases:
            rng = np.random.default_rng([22, number])
            table, _ = families(rng, repetitions, scales, runs, **settings)
            found = of_z(window_intervals(table, (0, 10**9), along=False))
            given = 100 * found.select(pl.col("scales_low").is_not_null().mean()).item()
            line(
                f"{scales} x {runs}", words, given, covered(found, "scales_low", "scales_high", Z), half_width(found)
            )


def along(repetitions: int) -> None:
    """Intervals along training, which only describe."""
    heading(
        "Intervals along training, covering the planted z (%): they describe these very runs (4 x 1, phi 0.6), and "
        "beside them those across scales:",
        ["steps", "runs differ by", "along training", "across scales"],
    )
    for number, (steps, sd) in enumerate([(T, sd) for T in (56, 150) for sd in (0.0, 0.05, 0.1)]):
        rng = np.random.default_rng([23, number])
        table, _ = families(rng, max(repetitions // 2, 1), 4, run_sd=sd, steps=steps)
        found = of_z(window_intervals(table, (0, 10**9)))
        line(steps, f"{sd:.0%}", covered(found, "low", "high", Z), covered(found, "scales_low", "scales_high", Z))


def comparisons(repetitions: int) -> None:
    """Two families."""
    from gradcascade.scaling.comparison import independent_difference

    heading(
        "Differences of z of two families of the same z, covering zero (%); Welch's degrees of freedom before:",
        ["scales x runs of both", "runs differ by", "before", "now"],
    )
    cases = [
        ((4, 1), (4, 1), 0.05, 0.05), ((4, 1), (5, 1), 0.05, 0.05), ((4, 1), (14, 1), 0.05, 0.05),
        ((4, 3), (5, 9), 0.05, 0.05), ((4, 1), (4, 1), 0.02, 0.1), ((4, 1), (5, 1), 0.1, 0.02),
        ((14, 3), (14, 3), 0.05, 0.1), ((4, 1), (5, 1), -1.0, -1.0), ((4, 3), (4, 3), -1.0, -1.0),
    ]  # fmt: skip
    for number, (first, second, sd, other) in enumerate(cases):
        rng = np.random.default_rng([24, number])
        parts = []
        for (scales, runs), each in ((first, sd), (second, other)):
            run_sd = spreads(scales)["20 to 2 %"] if each < 0 else each
            table, _ = families(rng, repetitions, scales, runs, run_sd=run_sd)
            parts.append(of_z(window_intervals(table, (0, 10**9), along=False)).to_dicts())
        nothing = dict.fromkeys(("low", "high", "mean"))
        rows = [independent_difference(a | nothing, b | nothing) for a, b in zip(*parts, strict=True)]
        now = np.mean([row["low"] <= 0 <= row["high"] for row in rows])
        welch = []
        for a, b, row in zip(*parts, rows, strict=True):
            v = [(part["scales_se"] ** 2, part["n_scales"] - 2) for part in (a, b)]
            degrees = sum(s for s, _ in v) ** 2 / sum(s * s / d for s, d in v)
            welch.append(abs(row["difference"]) <= stats.t.ppf(0.975, degrees) * row["se"])
        words = "20 to 2 % in both" if sd < 0 else f"{sd:.0%} and {other:.0%}"
        line(
            f"{first[0]} x {first[1]}, {second[0]} x {second[1]}",
            words,
            100 * float(np.mean(welch)),
            100 * float(now),
        )


def bends(repetitions: int) -> None:
    """Bends where there is none, and where there is one."""
    from gradcascade.scaling.along_training import along_training
    from gradcascade.scaling.curvature import curvature, window_curvature

    heading(
        "Bends of z claimed (%): before by the interval along training, now across scales, alone and (of all) "
        "after Holm over D, z and delta; runs differ by 5 %, phi 0.6, 56 steps, 12 of several runs:",
        ["scales x runs", "curvature", "before", "now", "of all"],
    )
    for number, (scales, runs) in enumerate([*DESIGNS, (5, 1)]):
        for bend in (0.0, 0.02):
            rng = np.random.default_rng([25, number])
            table, _ = families(rng, repetitions, scales, runs, bend=bend, steps=56 if runs == 1 else 12)
            window = (0, 10**9)
            some = table.filter(pl.col("family") < f"{min(repetitions, 400):05}")
            series = of_z(curvature(some)).sort("family", "step").partition_by("family")
            old = pl.DataFrame(along_training([part["curvature"].to_numpy() for part in series]))
            found = of_z(window_curvature(table, window))
            line(
                f"{scales} x {runs}", f"{bend:g}", 100 - covered(old, "low", "high", 0.0),
                100 * found.select((pl.col("p") <= 0.05).mean()).item(),
                100 * found.select((pl.col("p_adjusted") <= 0.05).mean()).item(),
            )  # fmt: skip


def lacks(repetitions: int) -> None:
    """Lack of fit."""
    from gradcascade.scaling.lack_of_fit import window_lack_of_fit

    heading(
        "Lack of fit claimed at 5 % (%), where the scales follow one power law and where they lie 5 % off it; the "
        "classical F takes runs of all scales as equally noisy:",
        ["scales x runs", "runs differ by", "off the law", "classical F", "with each scale's own variance"],
    )
    for number, (scales, runs) in enumerate([(4, 3), (5, 9), (14, 3)]):
        for words, sd in spreads(scales).items():
            for off in (0.0, 0.05):
                rng = np.random.default_rng([26, number])
                table, _ = families(rng, repetitions, scales, runs, run_sd=sd, scale_sd=off)
                found = of_z(window_lack_of_fit(table, (0, 10**9)))
                shares = (100 * found.select((pl.col(p) <= 0.05).mean()).item() for p in ("p_equal", "p"))
                line(f"{scales} x {runs}", words, f"{off:.0%}", *shares)


def seeds(repetitions: int) -> None:
    """Seeds that go under names of their own."""
    heading(
        "Seeds given as scales of their own, and scales that lie off the law (5 x 9): before, each of the 45 was a "
        "point of its own; now those of one N are one (% covering the planted z):",
        ["off the law", "before", "now"],
    )
    for number, off in enumerate((0.0, 0.02, 0.05)):
        rng = np.random.default_rng([27, number])
        table, logs = families(rng, repetitions, 5, 9, scale_sd=off, seeds_as_scales=True)
        found = of_z(window_intervals(table, (0, 10**9), along=False))
        x = np.repeat(np.log(FIVE) - np.log(FIVE).mean(), 9)
        means = logs.mean(axis=3).reshape(repetitions, 45)
        slope = means @ x / (x @ x)
        rest = means - means.mean(axis=1, keepdims=True) - slope[:, None] * x
        half = stats.t.ppf(0.975, 43) * np.sqrt((rest**2).sum(axis=1) / 43 / (x @ x))
        before = 100 * float(np.mean(np.abs(slope - Z) <= half))
        line(f"{off:.0%}", before, covered(found, "scales_low", "scales_high", Z))


def trends(steps: int) -> dict[str, np.ndarray]:
    """What two series may share without having anything to do with each other."""
    t = np.arange(steps) / (steps - 1)
    return {
        "nothing": 0 * t, "a line": 10 * t, "exp(-4 t)": 10 * np.exp(-4 * t), "exp(-10 t)": 10 * np.exp(-10 * t),
        "(1 + 20 t)^-0.7": 10 * (1 + 20 * t) ** -0.7, "a late step": 10 / (1 + np.exp(-12 * (t - 0.4))),
    }  # fmt: skip


def association(repetitions: int) -> None:
    """Series that share a trend."""
    from gradcascade.performance.permutation import changes_test, residuals, shift_test, trend_test

    heading(
        "Associations claimed at 5 % (%) of two series with nothing in common but a trend of ten standard "
        "deviations of the noise: levels by shifts and given a cosine learning rate, as published; plain changes; "
        "changes less a smooth trend, which count; and the p that levels with such trends reach by themselves:",
        ["steps", "both share", "phi", "levels", "given rate", "changes", "changes less trend", "p by trend"],
    )
    for steps in (21, 56, 125):
        for number, (words, trend) in enumerate(trends(steps).items()):
            for phi in (0.0, 0.9):
                rng = np.random.default_rng([28, steps, number])
                x, y = (sign * trend + autoregression(rng, phi, (repetitions, steps)) for sign in (1, -1))
                rate = 0.55 + 0.45 * np.cos(np.pi * np.arange(steps) / steps)[None]
                found = [
                    shift_test(x, y)[1], shift_test(residuals(x, rate), residuals(y, rate))[1],
                    shift_test(np.diff(x), np.diff(y))[1],
                    np.array([changes_test(*pair)[1] for pair in zip(x, y, strict=True)]),
                    np.array([trend_test(*pair) for pair in zip(x, y, strict=True)]),
                ]  # fmt: skip
                line(steps, words, f"{phi:g}", *(100 * float(np.mean(p <= 0.05)) for p in found))


def windows(repetitions: int) -> None:
    """Ends of windows."""
    from gradcascade.scaling import found_windows as module

    heading(
        "Windows of series with neither start-up nor drift (first five) and with both: start-up or drift invented, "
        "cannot be told, and both ends within a tenth of the steps of the planted ones (%); before by the "
        "criterion alone:",
        ["steps", "phi", "planted", "invented before", "invented", "cannot be told", "right"],
    )
    cases = [(T, phi, 0, 0) for T in (56, 125) for phi in (0.0, 0.6, 0.8, 0.9, 0.95)]
    cases += [(125, phi, 10, 5) for phi in (0.0, 0.6, 0.9)] + [(125, 0.6, 20, 10), (56, 0.6, 20, 10)]
    gains = module.STARTUP_GAIN, module.DRIFT_GAIN
    for number, (steps, phi, up, down) in enumerate(cases):
        rng = np.random.default_rng([29, number])
        place, begin, end = np.arange(steps), round(0.16 * steps), round(0.72 * steps)
        shape = up * np.maximum(0, (begin - place) / begin) ** 2 - down * np.maximum(
            0, (place - end) / (steps - 1 - end)
        )
        series = shape + autoregression(rng, phi, (repetitions, steps))
        found, untold = module.searched(series)
        module.STARTUP_GAIN = module.DRIFT_GAIN = -1.0
        before = module.plateaus(series)
        module.STARTUP_GAIN, module.DRIFT_GAIN = gains
        ends = [begin if up else 0, end if down else steps - 1]
        right = (np.abs(found - ends) <= steps / 10).all(axis=1)
        invented = [((f != [0, steps - 1]) & [not up, not down]).any(axis=1) for f in (before, found)]
        words = "none" if not up else f"{up} and {down} SD"
        shares = (100 * float(np.mean(share)) for share in (*invented, untold.any(axis=1), right))
        line(steps, f"{phi:g}", words, *shares)


def moves(repetitions: int) -> None:
    """Choices that do nothing."""
    from gradcascade.scaling.choice_shifts import PLANNED, choice_shifts

    heading(
        "Robustness, choices that do nothing (4 x 1, 8 steps; the choices' differences have a noise of 5 % and phi "
        "along training, and differ between runs by 2 %): p of z at most 5 %, by the steps before and across "
        "scales now; and families in which any of 20 choices is said to move any exponent (%):",
        ["phi", "before", "now", "any of 20 before", "any of 20 now"],
    )
    from scipy.stats import false_discovery_control

    for number, phi in enumerate((0.0, 0.6, 0.9, 0.95)):
        rng = np.random.default_rng([30, number])
        count = max(repetitions // 20, 10)
        base, _ = families(rng, count, 4, steps=8, noise=0.0, run_sd=0.0, rounded=False)
        parts = [base.with_columns(choice=pl.lit(PLANNED), kind=pl.lit("plan"))]
        for choice in range(20):
            own = [
                (
                    0.05 * autoregression(rng, phi, (count, 4, 1, 8)) + 0.02 * rng.standard_normal((count, 4, 1, 1))
                ).ravel()
                for _ in range(2)
            ]
            moved = base.with_columns(pl.col("duration") * np.exp(own[0]), pl.col("size") * np.exp(own[1]))
            parts.append(moved.with_columns(choice=pl.lit(f"alpha {choice:02}"), kind=pl.lit("alpha")))
        found = choice_shifts(pl.concat(parts)).filter(pl.col("exponent") != "beta")
        steps = 2 * stats.t.sf(np.abs(found["shift"] / found["sd"] * np.sqrt(8)), 7)
        found = found.with_columns(_steps=pl.Series(steps))
        any_before = np.mean(
            [
                (false_discovery_control(part["_steps"].to_numpy()) <= 0.05).any()
                for _, part in found.group_by("family")
            ]
        )
        any_now = found.group_by("family").agg((pl.col("verdict") == "moves").any())["verdict"].mean()
        single = of_z(found)
        line(
            f"{phi:g}", *(100 * single.select((pl.col(p) <= 0.05).mean()).item() for p in ("_steps", "p")),
            100 * float(any_before), 100 * float(any_now),  # pyright: ignore[reportArgumentType]
        )  # fmt: skip


def missing(repetitions: int) -> None:
    """Cascades missing at random."""
    heading(
        "Fourteen scales, 8 steps, 30 % of the cascades missing at random (runs differ by 2 %, phi 0.6): steps at "
        "which all scales are there, families with an interval, its coverage (%), and half width; before over the "
        "steps with all scales, where there are any, now by the two-way model. All runs share a step's effect of "
        "10 %:",
        ["", "steps with all", "interval given", "covers", "half width"],
    )
    rng = np.random.default_rng(31)
    table, _ = families(rng, repetitions, 14, steps=8, run_sd=0.02, rounded=False)
    common = pl.Series(np.exp(0.1 * rng.standard_normal(8)))[(table["step"] // 1000 - 1).to_numpy()]
    table = table.with_columns(duration=pl.col("duration") * common)
    table = table.filter(pl.Series(rng.random(table.height) >= 0.3))
    whole = table.filter(pl.len().over("family", "step") == 14)
    steps = whole.select("family", "step").unique().height / repetitions
    for words, part in (("before", whole), ("now", table)):
        found = of_z(window_intervals(part, (0, 10**9), along=False))
        given = found.drop_nulls("scales_low")
        share = 100 * given.height / repetitions
        line(words, f"{steps:.2f}", share, covered(given, "scales_low", "scales_high", Z), half_width(given))


def verdicts_of_many(repetitions: int) -> None:
    """Many questions."""
    from gradcascade.scaling.verdict import UNDECIDED, verdicts

    heading(
        "Verdicts of tables with several families, real fields and nulls alike (z 0.06, not flat), runs differ by "
        "5 %: tables with any verdict, all of them wrong (%), each family alone and over all:",
        ["scales x runs", "families", "alone", "over all"],
    )
    for number, ((scales, runs), asked) in enumerate([(design, m) for design in ((4, 1), (14, 1)) for m in (1, 6)]):
        rng = np.random.default_rng([32, number])
        count = max(repetitions // 4, 20)
        real, _ = families(rng, count * asked, scales, runs, z=0.06)
        null, _ = families(rng, count * asked, scales, runs, z=0.06, variant="N0", run_sd=0.0)
        rows = pl.concat([real, null]).with_columns(_table=pl.col("family").cast(pl.Int64) // asked)
        alone = over = 0
        for _, part in rows.group_by("_table"):
            found = verdicts(part.drop("_table"), (0, 10**9))
            over += bool((found["verdict"] != UNDECIDED).any())
            alone += bool((found["p"] <= 0.05).any())
        line(f"{scales} x {runs}", asked, 100 * alone / count, 100 * over / count)


def borrowed(repetitions: int) -> None:
    """Scatter of runs taken from another family."""
    from gradcascade.scaling.borrowed import borrowed_intervals

    heading(
        "Intervals of four scales of one run with the scatter between runs (5 %) of another family, 5 x 9, "
        "covering the planted z (%), by how much more the borrower's runs scatter, and half widths beside those "
        "across scales:",
        ["scatter", "covers", "half width", "across scales"],
    )
    for number, times in enumerate((0.7, 1.0, 1.5, 2.0)):
        rng = np.random.default_rng([35, number])
        parts, tables, window = [], [], (0, 10**9)
        for _ in range(40):  # lenders: how their own runs happen to scatter matters
            lender, _ = families(rng, 1, 5, 9)
            part, _ = families(rng, max(repetitions // 40, 1), 4, run_sd=0.05 * times, noise=0.08 * times)
            parts.append(of_z(borrowed_intervals(part, lender, window, window)))
            tables.append(part.with_columns(family=pl.format("{}-{}", "family", pl.lit(len(parts)))))
        found, table = pl.concat(parts), pl.concat(tables)
        half = found.select((pl.col("high") - pl.col("low")).median() / 2).item()
        own = of_z(window_intervals(table, (0, 10**9), along=False))
        line(f"x {times:g}", covered(found, "low", "high", Z), f"{half:.4f}", half_width(own))


def designs(repetitions: int) -> None:
    """What a design is said to give beside what it gives."""
    from gradcascade.scaling.design import Design

    heading(
        "Designs (runs differ by 5 %, or by 20 to 2 %; noise 8 %, phi 0.6, 12 steps): median half width and chance "
        "of showing the smallest difference that is said to be shown with 80 %, as `gradcascade design` says and "
        "as found:",
        ["scales x runs", "runs differ by", "half width said", "found", "smallest difference", "chance found"],
    )
    for number, (scales, runs) in enumerate(DESIGNS):
        for words, sd in list(spreads(scales).items())[:2]:
            rng = np.random.default_rng([34, number])
            known = Design.of(SIZES[scales], runs, sd.tolist(), step_sd=0.08, phi=0.6, steps=12)
            table, _ = families(rng, repetitions, scales, runs, run_sd=sd, z=known.smallest(), rounded=False)
            found = of_z(window_intervals(table, (0, 10**9), along=False))
            shown = 100 * found.select(((pl.col("scales_low") > 0) | (pl.col("scales_high") < 0)).mean()).item()
            said = f"{known.half_width():.4f}"
            line(f"{scales} x {runs}", words, said, half_width(found), f"{known.smallest():.4f}", shown)


def speed(repetitions: int) -> None:
    """Time of every fit of 100 families of ten runs."""
    del repetitions
    from gradcascade.scaling.curvature import window_curvature
    from gradcascade.scaling.exponents import fit_exponents
    from gradcascade.scaling.lack_of_fit import window_lack_of_fit
    from gradcascade.scaling.verdict import verdicts

    table, _ = families(np.random.default_rng(33), 100, 5, 2, steps=56)
    begun = time.perf_counter()
    for answers in (fit_exponents, window_intervals, window_curvature, window_lack_of_fit, verdicts):
        answers(table)
    print(f"\n100 families of 5 x 2 runs, {table.height:,} cascades: {time.perf_counter() - begun:.1f} s.")


PARTS: dict[str, Callable[[int], None]] = {
    "intervals": intervals,
    "kinds": kinds,
    "along": along,
    "compare": comparisons,
    "bends": bends,
    "lacks": lacks,
    "seeds": seeds,
    "missing": missing,
    "association": association,
    "windows": windows,
    "moves": moves,
    "verdicts": verdicts_of_many,
    "design": designs,
    "borrowed": borrowed,
    "speed": speed,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--only", default=",".join(PARTS))
    arguments = parser.parse_args()
    for part in arguments.only.split(","):
        begun = time.perf_counter()
        PARTS[part](arguments.repetitions)
        print(f"\n{arguments.repetitions} repetitions, {time.perf_counter() - begun:.0f} s.", flush=True)
