"""How often tests and claims are wrong where runs differ and steps are correlated, before runs were the unit and now.

python benchmarks/claims.py [--repetitions 2000] [--only bends,lacks,...]

Prints tables of the chapter "Runs as the unit" of docs/validation.md, beside `benchmarks/interval_coverage.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from calibration import autoregression, heading, line
from interval_coverage import main, share
from planted_runs import DESIGNS, across, centred, durations, points, sizes_of, spreads
from scipy import stats

from gradcascade.scaling.multiplicity import holm


def bends(repetitions: int) -> None:
    """Bends where there is none, and where there is one."""
    from gradcascade.scaling.along_training import along_training
    from gradcascade.scaling.run_errors import coefficient_errors

    heading(
        "Bends of z claimed (%): before by the interval along training, now across scales, alone and (of all) "
        "after Holm over D, z and delta; runs differ by 5 %, phi 0.6, 56 steps, 12 of several runs:",
        ["scales x runs", "curvature", "before", "now", "of all"],
    )
    for number, (scales, runs) in enumerate([*DESIGNS, (5, 1)]):
        x = centred(scales)
        design = np.stack([np.ones(scales), x, x**2], axis=1)
        weights = np.linalg.pinv(design)[2]
        for bend in (0.0, 0.02):
            rng = np.random.default_rng([25, number])
            steps = 56 if runs == 1 else 12
            duration = durations(rng, repetitions, scales, runs, bend=bend, steps=steps)
            size = sizes_of(rng, repetitions, scales, runs, 0.6, steps)
            series = np.einsum("rkst,k->rt", duration, weights) / runs
            old = pl.DataFrame(along_training(list(series)))
            p = []
            for logs in (duration, size, size - duration):
                found = points(logs, scales)
                se = coefficient_errors(found, design, 2)[0]
                p.append(2 * stats.t.sf(np.abs(found.means @ weights) / se, scales - 3))
            adjusted = np.array([holm(each) for each in np.transpose(p)])
            before = old.select(pl.lit(0.0).is_between("low", "high")).to_series().to_numpy()
            line(
                f"{scales} x {runs}", f"{bend:g}", share(~before.astype(bool)), share(p[0] <= 0.05),
                share(adjusted[:, 0] <= 0.05),
            )  # fmt: skip


def lacks(repetitions: int) -> None:
    """Lack of fit."""
    from gradcascade.scaling.lack_of_fit import line_tests

    heading(
        "Lack of fit claimed at 5 % (%), where the scales follow one power law and where they lie 5 % off it; the "
        "classical F takes runs of all scales as equally noisy; and any lack of D, z and delta after Holm:",
        [
            "scales x runs",
            "runs differ by",
            "off the law",
            "classical F",
            "with each scale's own variance",
            "any of 3",
        ],
    )
    for number, (scales, runs) in enumerate([(4, 3), (5, 9), (14, 3)]):
        for words, sd in spreads(scales).items():
            for off in (0.0, 0.05):
                rng = np.random.default_rng([26, number])
                duration = durations(rng, repetitions, scales, runs, run_sd=sd, scale_sd=off)
                size = sizes_of(rng, repetitions, scales, runs, 0.6, 12)
                found, *others = (line_tests(points(logs, scales)) for logs in (duration, size, size - duration))
                adjusted = np.array([holm(p) for p in np.stack([each["p"] for each in (found, *others)], axis=1)])
                line(
                    f"{scales} x {runs}", words, f"{off:.0%}", *(share(found[p] <= 0.05) for p in ("p_equal", "p")),
                    share(adjusted.min(axis=1) <= 0.05),
                )  # fmt: skip


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
        "changes less a smooth trend, which count; and the p that levels with such trends, and these given the rate, "
        "reach by themselves:",
        [
            "steps",
            "both share",
            "phi",
            "levels",
            "given rate",
            "changes",
            "changes less trend",
            "p by trend",
            "given rate ",
        ],
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
                    np.array([trend_test(*pair, rate) for pair in zip(x, y, strict=True)]),
                ]  # fmt: skip
                line(steps, words, f"{phi:g}", *(100 * float(np.mean(p <= 0.05)) for p in found))


def lagged(repetitions: int) -> None:
    """The best of several lags."""
    from gradcascade.performance.permutation import lag_test

    count = max(repetitions // 4, 20)
    heading(
        f"The best of eleven lags claimed at 5 % (%) of series that share nothing, or a learning curve ({count} "
        "repetitions): a description, which no statement rests on:",
        ["steps", "both share", "phi", "best lag"],
    )
    for steps in (21, 56, 125):
        for words in ("nothing", "exp(-4 t)"):
            for phi in (0.0, 0.9):
                rng = np.random.default_rng([37, steps])
                trend = trends(steps)[words]
                x, y = (sign * trend + autoregression(rng, phi, (count, steps)) for sign in (1, -1))
                found = [lag_test(*pair, 5, draws=199)[2] for pair in zip(x, y, strict=True)]
                line(steps, words, f"{phi:g}", share(np.array(found) <= 0.05))


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
    heading(
        "Robustness, choices that do nothing (8 steps; the choices' differences have a noise of 5 % and phi along "
        "training, and differ between runs by 2 %): p of z at most 5 %, by the steps before and across scales now; "
        "and families in which any of 20 choices is said to move any exponent (%):",
        ["scales x runs", "phi", "before", "now", "any of 20 before", "any of 20 now"],
    )
    for number, (scales, runs) in enumerate(((4, 1), (4, 3), (14, 1))):
        x = centred(scales)
        for phi in (0.0, 0.6, 0.9, 0.95):
            rng = np.random.default_rng([30, number])
            p: list[list[np.ndarray]] = [[], []]
            for _ in range(20):
                shape = (repetitions, scales, runs, 8)
                own = [
                    0.05 * autoregression(rng, phi, shape) + 0.02 * rng.standard_normal((*shape[:3], 1))
                    for _ in range(2)
                ]
                for logs in (own[0], own[1], own[1] - own[0]):
                    slopes = np.einsum("rkst,k->rt", logs, x) / (x @ x) / runs
                    apart = slopes.mean(axis=1) / slopes.std(axis=1, ddof=1) * np.sqrt(8)
                    p[0].append(2 * stats.t.sf(np.abs(apart), 7))
                    value, half = across(points(logs, scales))
                    se = half / stats.t.ppf(0.975, scales - 2)
                    p[1].append(2 * stats.t.sf(np.abs(value) / se, scales - 2))
            line(
                f"{scales} x {runs}", f"{phi:g}", *(share(np.concatenate(each[::3]) <= 0.05) for each in p),
                *(share((stats.false_discovery_control(np.array(each), axis=0) <= 0.05).any(axis=0)) for each in p),
            )  # fmt: skip


def verdicts_of_many(repetitions: int) -> None:
    """Many questions."""
    from gradcascade.scaling.verdict import LIKE, MARGIN, UNDECIDED, Judged, judged

    def wrong(table: list[dict[str, Any]]) -> bool:
        return any(row["verdict"] not in (UNDECIDED, LIKE) for row in table)

    heading(
        "Verdicts of tables with several families, real fields and nulls alike (z 0.06, not flat), runs differ by "
        "5 %: tables with any verdict but *like the null*, all of them wrong (%), each family alone and over all:",
        ["scales x runs", "families", "alone", "over all"],
    )
    for number, ((scales, runs), asked) in enumerate([(design, m) for design in DESIGNS for m in (1, 6)]):
        rng = np.random.default_rng([32, number])
        count = repetitions * asked
        real, null = (durations(rng, count, scales, runs, z=0.06, run_sd=sd) for sd in (0.05, 0.0))
        size, other = (sizes_of(rng, count, scales, runs, 0.6, 12) - np.log(_n(scales)) for _ in range(2))
        channels = {"z": (real, null), "delta": (size - real, other - null)}
        found: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for name, (one, of_null) in channels.items():
            sizes, gap = points(one, scales), points(one - of_null, scales)
            found[name] = {
                "real": _rows(*across(sizes), scales), "close": _rows(*across(sizes, 0.9), scales, 0.9),
                "total": _rows(*across(gap), scales), "beside": _rows(*across(gap, 0.9), scales, 0.9),
            }  # fmt: skip
        parts = [Judged(**{part: _part(found, part, i) for part in Judged._fields}) for i in range(count)]
        shares = []
        for together in (False, True):
            rows = [judged(part, MARGIN, "N0", asked, together) for part in parts]
            shares.append(share(np.array([wrong(rows[i : i + asked]) for i in range(0, count, asked)])))
        line(f"{scales} x {runs}", asked, *shares)


def _part(found: dict[str, Any], part: str, i: int) -> dict[str, dict[str, Any]]:
    return {exponent: found[exponent][part][i] for exponent in found}


def _n(scales: int) -> np.ndarray:
    return np.exp(centred(scales))[:, None, None]


def _rows(value: np.ndarray, half: np.ndarray, scales: int, confidence: float = 0.95) -> list[dict[str, Any]]:
    """Intervals as the verdicts take them."""
    se = half / stats.t.ppf(0.5 + confidence / 2, scales - 2)
    columns = zip(value, se, value - half, value + half, strict=True)
    names = ("scales_value", "scales_se", "scales_low", "scales_high")
    return [dict(zip(names, map(float, row), strict=True)) | {"n_scales": scales} for row in columns]


PARTS: dict[str, Callable[[int], None]] = {
    "bends": bends,
    "lacks": lacks,
    "association": association,
    "lags": lagged,
    "windows": windows,
    "moves": moves,
    "verdicts": verdicts_of_many,
}

if __name__ == "__main__":
    main(PARTS)
