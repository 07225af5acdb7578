"""How often intervals hold where runs of a scale differ, before runs were the unit and now.

python benchmarks/interval_coverage.py [--repetitions 2000] [--only intervals,along,...]

Prints tables of the chapter "Runs as the unit" of docs/validation.md; the rest of them is `benchmarks/claims.py`.
Seeds are fixed. A repetition is one family; many are answered at once by the functions that a study is fitted by,
after a check that this is what their tables of cascades give. "Before" is the rule that took steps or points as they
come.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from calibration import heading, line
from planted_runs import DESIGNS, SIZES, Z, across, centred, check, durations, families, gaps, points, spreads
from scipy import stats

from gradcascade.scaling.window_means import window_intervals


def share(held: np.ndarray) -> float:
    """In percent."""
    return 100 * float(np.mean(held))


def plain(logs: np.ndarray, scales: int) -> tuple[np.ndarray, np.ndarray]:
    """Slope and half width of the line that takes scales as equally noisy, from means over runs and steps."""
    x = centred(scales)
    means = logs.mean(axis=(2, 3))
    slope = means @ x / (x @ x)
    rest = means - means.mean(axis=1, keepdims=True) - slope[:, None] * x
    half = stats.t.ppf(0.975, scales - 2) * np.sqrt((rest**2).sum(axis=1) / (scales - 2) / (x @ x))
    return slope, half


def step_slopes(logs: np.ndarray, scales: int) -> np.ndarray:
    """Slopes of every step, shape (repetitions, steps)."""
    x = centred(scales)
    return np.einsum("rkst,k->rt", logs - logs.mean(axis=1, keepdims=True), x) / (x @ x) / logs.shape[2]


def intervals(repetitions: int) -> None:
    """Intervals across scales."""
    heading(
        "Intervals across scales, covering the planted z (%), and their median half widths; runs of a scale differ "
        "for good, 12 steps, phi 0.6, durations rounded:",
        ["scales x runs", "runs differ by", "before", "now", "half width before", "now "],
    )
    for number, (scales, runs) in enumerate(DESIGNS):
        for words, sd in spreads(scales).items():
            logs = durations(np.random.default_rng([21, number]), repetitions, scales, runs, run_sd=sd)
            (slope, before), (value, now) = plain(logs, scales), across(points(logs, scales))
            held = (share(np.abs(each - Z) <= half) for each, half in ((slope, before), (value, now)))
            line(f"{scales} x {runs}", words, *held, f"{np.median(before):.4f}", f"{np.median(now):.4f}")


def kinds(repetitions: int) -> None:
    """The same under other trouble."""
    heading("The same where more is wrong (%):", ["scales x runs", "case", "covers", "half width"])
    cases: list[tuple[str, dict[str, Any], float, float]] = [
        (f"phi {phi:g}", {"phi": phi, "run_sd": 0.02}, 0.0, 0.0) for phi in (0.0, 0.6, 0.9, 0.95)
    ]
    cases += [
        ("durations not rounded", {"rounded": False}, 0.0, 0.0),
        ("a jump of 10 % in every run", {"jump": 0.1}, 0.0, 0.0),
        ("scales lie 5 % off the law", {"scale_sd": 0.05}, 0.0, 0.0),
        ("30 % of cascades missing", {"steps": 8}, 0.3, 0.0),
        ("40 % of runs missing", {}, 0.0, 0.4),
        ("20 to 2 %, 40 % of runs and 30 % of cascades missing", {"run_sd": "20 to 2 %", "steps": 8}, 0.3, 0.4),
        ("2 to 20 %, 40 % of runs and 30 % of cascades missing", {"run_sd": "2 to 20 %", "steps": 8}, 0.3, 0.4),
    ]
    for number, (scales, runs) in enumerate(DESIGNS):
        for words, settings, cascades, lost in cases:
            if lost and runs == 1:
                continue
            rng = np.random.default_rng([22, number])
            sd = settings.get("run_sd", 0.05)
            own: dict[str, Any] = settings | {"run_sd": spreads(scales).get(str(sd), sd)}
            logs = durations(rng, repetitions, scales, runs, **own)
            found = [across(points(logs, scales))] if not (cascades or lost) else []
            for part, there in gaps(rng, repetitions, logs.shape[1:], cascades, lost) if cascades or lost else ():
                try:
                    found.append(across(points(logs[part], scales, there)))
                except ValueError:  # of four scales one is there at too few steps
                    nothing = np.full(len(logs[part]), np.nan)
                    found.append((nothing, nothing))
            value, half = (np.concatenate(each) for each in zip(*found, strict=True))
            given = np.isfinite(value)
            line(
                f"{scales} x {runs}",
                words + ("" if given.all() else f"; given in {share(given):.1f} %"),
                share(np.abs(value[given] - Z) <= half[given]),
                f"{np.median(half[given]):.4f}",
            )


def along(repetitions: int) -> None:
    """Intervals along training, which only describe."""
    from gradcascade.scaling.along_training import along_training

    heading(
        "Intervals along training, covering the planted z (%), and those of the difference of two such families, "
        "covering zero: they describe these very runs (4 x 1, phi 0.6); beside them those across scales:",
        ["steps", "runs differ by", "along training", "across scales", "difference along", "difference across"],
    )
    for number, (steps, sd) in enumerate([(T, sd) for T in (56, 150) for sd in (0.0, 0.05, 0.1)]):
        rng = np.random.default_rng([23, number])
        both = [durations(rng, repetitions, 4, run_sd=sd, steps=steps) for _ in range(2)]
        rows = [pl.DataFrame(along_training(list(step_slopes(logs, 4)))) for logs in both]
        mean, half = (
            np.stack([row.select(expr).to_series().to_numpy() for row in rows])
            for expr in ((pl.col("low") + pl.col("high")) / 2, (pl.col("high") - pl.col("low")) / 2)
        )
        value, wide = map(np.stack, zip(*(across(points(logs, 4)) for logs in both), strict=True))
        line(
            steps, f"{sd:.0%}", share(np.abs(mean[0] - Z) <= half[0]), share(np.abs(value[0] - Z) <= wide[0]),
            share(np.abs(mean[0] - mean[1]) <= np.hypot(*half)), share(_of_two(value, wide)),
        )  # fmt: skip


def _of_two(value: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Whether the intervals of the differences of two families of four scales hold zero."""
    from gradcascade.scaling.comparison import independent_difference

    se = half / stats.t.ppf(0.975, 2)
    rows = [
        independent_difference(_row(*a, 4), _row(*b, 4))
        for a, b in zip(zip(value[0], se[0], strict=True), zip(value[1], se[1], strict=True), strict=True)
    ]
    return np.array([row["low"] <= 0 <= row["high"] for row in rows])


def _row(value: float, se: float, scales: int) -> dict[str, Any]:
    """What a row of window means says across scales."""
    nothing = dict.fromkeys(("low", "high", "mean", "scales_low", "scales_high", "scales_reason"))
    return nothing | {"scales_value": value, "scales_se": se, "n_scales": scales}


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
        ((5, 9), (5, 9), -1.0, -1.0), ((14, 1), (14, 1), -1.0, -1.0), ((14, 3), (14, 3), -1.0, -1.0),
    ]  # fmt: skip
    for number, (first, second, sd, other) in enumerate(cases):
        rng = np.random.default_rng([24, number])
        parts = []
        for (scales, runs), each in ((first, sd), (second, other)):
            run_sd = spreads(scales)["20 to 2 %"] if each < 0 else each
            value, half = across(points(durations(rng, repetitions, scales, runs, run_sd=run_sd), scales))
            se = half / stats.t.ppf(0.975, scales - 2)
            parts.append([_row(*pair, scales) for pair in zip(value, se, strict=True)])
        rows = [independent_difference(a, b) for a, b in zip(*parts, strict=True)]
        now = share(np.array([row["low"] <= 0 <= row["high"] for row in rows]))
        v = np.array([[part["scales_se"] ** 2 for part in side] for side in parts])
        free = np.array([first[0] - 2, second[0] - 2])[:, None]
        welch = stats.t.ppf(0.975, v.sum(axis=0) ** 2 / (v**2 / free).sum(axis=0)) * np.sqrt(v.sum(axis=0))
        before = share(np.abs([row["difference"] for row in rows]) <= welch)
        words = "20 to 2 % in both" if sd < 0 else f"{sd:.0%} and {other:.0%}"
        line(f"{first[0]} x {first[1]}, {second[0]} x {second[1]}", words, before, now)


def seeds(repetitions: int) -> None:
    """Seeds that go under names of their own."""
    heading(
        "Seeds given as scales of their own, and scales that lie off the law (5 x 9): before, each of the 45 was a "
        "point of its own; now those of one N are one (% covering the planted z):",
        ["off the law", "before", "now"],
    )
    for number, off in enumerate((0.0, 0.02, 0.05)):
        logs = durations(np.random.default_rng([27, number]), repetitions, 5, 9, scale_sd=off)
        value, half = across(points(logs, 5, alone=True))
        x = np.repeat(centred(5), 9)
        means = logs.mean(axis=3).reshape(repetitions, 45)
        slope = means @ x / (x @ x)
        rest = means - means.mean(axis=1, keepdims=True) - slope[:, None] * x
        before = stats.t.ppf(0.975, 43) * np.sqrt((rest**2).sum(axis=1) / 43 / (x @ x))
        line(f"{off:.0%}", share(np.abs(slope - Z) <= before), share(np.abs(value - Z) <= half))


def missing(repetitions: int) -> None:
    """Cascades missing at random."""
    heading(
        "Fourteen scales, 8 steps, 30 % of the cascades missing at random (runs differ by 2 %, phi 0.6), all runs "
        "share a step's effect of 10 %: steps at which all scales are there, families with an interval, its coverage "
        "(%), and half width; before over the steps with all scales, where there are any, now by the two-way model:",
        ["", "steps with all", "interval given", "covers", "half width"],
    )
    rng = np.random.default_rng(31)
    logs = durations(rng, repetitions, 14, steps=8, run_sd=0.02, rounded=False)
    logs = logs + 0.1 * rng.standard_normal((repetitions, 1, 1, 8))
    found: dict[str, list[Any]] = {"before": [], "now": []}
    steps = []
    for part, there in gaps(rng, repetitions, logs.shape[1:], 0.3, 0.0):
        whole = there.all(axis=(0, 1))
        steps += [whole.sum()] * len(logs[part])
        found["now"].append(across(points(logs[part], 14, there)))
        if whole.any():
            found["before"].append(across(points(logs[part][..., whole], 14)))
    for words, each in found.items():
        if not each:
            line(words, f"{np.mean(steps):.2f}", 0.0, "none", "none")
            continue
        value, half = (np.concatenate(parts) for parts in zip(*each, strict=True))
        given = 100 * value.size / repetitions
        line(words, f"{np.mean(steps):.2f}", given, share(np.abs(value - Z) <= half), f"{np.median(half):.4f}")


def local(repetitions: int) -> None:
    """Local exponents and corrections to scaling."""
    from gradcascade.scaling.corrections import fitted
    from gradcascade.scaling.local_exponents import stretch, stretches
    from gradcascade.scaling.run_errors import coefficient_errors

    heading(
        "Corrections to scaling, channel ~ N^z (1 + b (N / N_min)^-omega): a bend claimed at 5 %, local exponents "
        "and the exponent at large N covered (%), the median half width of that, omega bounded on both sides (%):",
        ["scales x runs", "runs differ by", "b", "omega", "claimed", "local", "large N", "half width", "bounded"],
    )
    for number, (scales, runs) in enumerate(((6, 3), (14, 1), (14, 3))):
        x = np.log(SIZES[scales]) - np.log(SIZES[scales][0])
        for words, sd in spreads(scales).items():
            for b, omega in ((0.0, 0.5), (0.3, 0.2), (0.3, 0.5), (-0.3, 0.5), (0.3, 1.0)):
                law = np.log1p(b * np.exp(-omega * x))
                rng = np.random.default_rng([36, number])
                sizes = points(durations(rng, repetitions, scales, runs, run_sd=sd, law=law, rounded=False), scales)
                off = x - x.mean()
                design = np.stack([np.ones(scales), off, off**2], axis=1)
                se = coefficient_errors(sizes, design, 2)[0]
                value = sizes.means @ np.linalg.pinv(design)[2]
                claimed = np.abs(value) > stats.t.ppf(0.975, scales - 3) * se
                width = stretch(scales)
                slopes, errors = stretches(sizes, width)
                truth = [Z + np.polyfit(x[k : k + width], law[k : k + width], 1)[0] for k in range(slopes.shape[1])]
                inside = np.abs(slopes - truth) <= stats.t.ppf(0.975, scales - 3) * errors
                rows = pl.DataFrame(fitted(sizes), infer_schema_length=None)
                low, high = rows["low"].to_numpy(), rows["high"].to_numpy()
                bounded = (
                    rows.select((pl.col("omega_low") + pl.col("omega_high")).is_not_null()).to_series().to_numpy()
                )
                line(
                    f"{scales} x {runs}", words, f"{b:g}", f"{omega:g}" if b else "none",
                    share(claimed), share(inside),
                    share((low <= Z) & (high >= Z)), f"{np.median(high - low) / 2:.4f}", share(bounded),
                )  # fmt: skip


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
            lender = families(rng, 1, 5, 9)
            part = families(rng, max(repetitions // 40, 1), 4, run_sd=0.05 * times, noise=0.08 * times)
            found = borrowed_intervals(part, lender, window, window)
            parts.append(found.filter(pl.col("exponent") == "z"))
            tables.append(part.with_columns(family=pl.format("{}-{}", "family", pl.lit(len(parts)))))
        found, table = pl.concat(parts), pl.concat(tables)
        held = found.select(pl.lit(Z).is_between("low", "high")).to_series().to_numpy()
        half = found.select((pl.col("high") - pl.col("low")).median() / 2).item()
        own = window_intervals(table, (0, 10**9), along=False).filter(pl.col("exponent") == "z")
        wide = own.select((pl.col("scales_high") - pl.col("scales_low")).median() / 2).item()
        line(f"x {times:g}", share(held), f"{half:.4f}", f"{wide:.4f}")


def designs(repetitions: int) -> None:
    """What a design is said to give beside what it gives."""
    from gradcascade.scaling.design import Design

    heading(
        "Designs (noise 8 %, phi 0.6, 12 steps): median half width and chance of showing the smallest difference "
        "that is said to be shown with 80 %, as `gradcascade design` says and as found:",
        ["scales x runs", "runs differ by", "half width said", "found", "smallest difference", "chance found"],
    )
    for number, (scales, runs) in enumerate(DESIGNS):
        for words, sd in spreads(scales).items():
            known = Design.of(SIZES[scales], runs, sd.tolist(), step_sd=0.08, phi=0.6, steps=12)
            rng = np.random.default_rng([34, number])
            logs = durations(rng, repetitions, scales, runs, run_sd=sd, z=known.smallest(), rounded=False)
            value, half = across(points(logs, scales))
            found = f"{np.median(half):.4f}", f"{known.smallest():.4f}", share(np.abs(value) > half)
            line(f"{scales} x {runs}", words, f"{known.half_width():.4f}", *found)
    heading(
        "The smallest difference of z shown with 80 %, runs that differ by 5 % and 56 steps (8 %, phi 0.6); and with "
        "four times as many steps:",
        ["scales x runs", "56 steps", "224 steps"],
    )
    for scales, runs in ((4, 1), (4, 3), (4, 9), (14, 1), (14, 3)):
        said = (
            Design.of(SIZES[scales], runs, 0.05, step_sd=0.08, phi=0.6, steps=steps).smallest() for steps in (56, 224)
        )
        line(f"{scales} x {runs}", *(f"{value:.3f}" for value in said))


def speed(repetitions: int) -> None:
    """Time of every fit of 100 families of ten runs."""
    del repetitions
    from gradcascade.scaling.curvature import window_curvature
    from gradcascade.scaling.exponents import fit_exponents
    from gradcascade.scaling.lack_of_fit import window_lack_of_fit
    from gradcascade.scaling.verdict import verdicts

    table = families(np.random.default_rng(33), 100, 5, 2, steps=56)
    begun = time.process_time()
    for answers in (fit_exponents, window_intervals, window_curvature, window_lack_of_fit, verdicts):
        answers(table)
    print(
        f"\n100 families of 5 x 2 runs, {table.height:,} cascades: {time.process_time() - begun:.1f} s of one core."
    )


PARTS: dict[str, Callable[[int], None]] = {
    "intervals": intervals,
    "kinds": kinds,
    "along": along,
    "compare": comparisons,
    "seeds": seeds,
    "missing": missing,
    "local": local,
    "design": designs,
    "borrowed": borrowed,
    "speed": speed,
}


def main(parts: dict[str, Callable[[int], None]]) -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--only", default=",".join(parts))
    arguments = parser.parse_args()
    check()
    for part in arguments.only.split(","):
        begun = time.process_time()
        parts[part](arguments.repetitions)
        print(f"\n{arguments.repetitions} repetitions, {time.process_time() - begun:.0f} s of one core.", flush=True)


if __name__ == "__main__":
    main(PARTS)
