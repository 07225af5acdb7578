"""How often the intervals, tests and verdicts are right, on planted cascades; prints a chapter of docs/validation.md.

python benchmarks/calibration.py [--repetitions 2000] [--only steps,means4,...] [--out FOLDER]

Every repetition is one family in one table of cascades, so that what is measured is what a user runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import stats
from scipy.signal import lfilter

from gradcascade.scaling.compressibility import compressibility_null
from gradcascade.scaling.curvature import curvature
from gradcascade.scaling.exponents import fit_exponents
from gradcascade.scaling.weighted import weighted_exponents
from gradcascade.scaling.window_means import window_intervals

FOUR = [589_824, 9_437_184, 37_748_736, 150_994_944]
FIVE = [14_067_712, 30_494_720, 70_426_624, 162_322_944, 405_334_016]
SIZES = {4: FOUR, 5: FIVE}
STEPS = {4: 56, 5: 70}


def autoregression(rng: np.random.Generator, phi: float, shape: tuple[int, ...]) -> np.ndarray:
    """Gaussian first-order autoregressions of variance one along the last axis, stationary from the first step."""
    shocks = rng.standard_normal(shape) * np.sqrt(1 - phi**2)
    shocks[..., 0] /= np.sqrt(1 - phi**2)
    return np.asarray(lfilter([1.0], [1.0, -phi], shocks, axis=-1))


def planted(
    rng: np.random.Generator,
    repetitions: int,
    scales: int,
    *,
    phi: float = 0.0,
    z: float = 0.2,
    D: float = 1.0,
    level: float = 15.0,
    noise: float | np.ndarray = 0.08,
    run_noise: float = 0.0,
    rounded: str = "nearest",
    steps: int | None = None,
    variant: str = "real",
    white: float = 0.0,
    replicates: int = 1,
) -> pl.DataFrame:
    """Cascades with planted exponents: one family for each repetition.

    ``level`` is the duration at the geometric mean of the sizes, ``noise`` the standard deviation of its logarithm
    (of all scales, or of each), ``white`` that of a part of it without memory, ``run_noise`` that of a deviation a
    scale keeps over all steps; the size has a fifth of the noise. Durations are rounded to the nearest step, up, or
    not at all.
    """
    n = np.array(SIZES[scales])
    steps = steps or STEPS[scales]
    x = np.log(n) - np.log(n).mean()
    shape = (repetitions, scales, steps)
    sd = np.broadcast_to(noise, (scales,))[:, None]
    total = sd * autoregression(rng, phi, shape) + run_noise * rng.standard_normal((repetitions, scales, 1))
    log_duration = (np.log(level) + z * x[:, None] + total)[..., None]
    log_duration = log_duration + white * rng.standard_normal((*shape, replicates))
    log_size = (np.log(0.13 * n)[:, None] + (D - 1) * x[:, None] + 0.2 * sd * autoregression(rng, phi, shape))[
        ..., None
    ]
    log_size = log_size + 0.2 * white * rng.standard_normal((*shape, replicates))
    duration = np.exp(log_duration)
    if rounded == "nearest":
        duration = np.maximum(np.rint(duration), 1)
    elif rounded == "up":
        duration = np.ceil(duration)
    index = np.indices(duration.shape).reshape(4, -1)
    return pl.DataFrame(
        {
            "family": pl.Series(np.char.zfill(np.arange(repetitions).astype(str), 5))[index[0]],
            "field": "gradient",
            "variant": variant,
            "scale": pl.Series([f"s{k}" for k in range(scales)])[index[1]],
            "step": 1000 * (index[2] + 1),
            "replicate": index[3],
            "n": n[index[1]],
            "size": np.rint(np.exp(log_size)).ravel(),
            "duration": duration.ravel(),
            "ceiling": False,
        }
    )


def covered(table: pl.DataFrame, low: str, high: str, truth: float) -> float:
    """Share of the intervals that contain the truth, in percent."""
    return 100 * table.select(pl.lit(truth).is_between(pl.col(low), pl.col(high)).mean()).item()


INTERVALS = ("z", "D", "delta", "weighted z", "along training", "across scales", "naive")
TESTS = (
    "curvature",
    "R2 above null",
    "shifts, Pearson",
    "shifts, Spearman",
    "naive Pearson",
    "shifts of differences",
    "best lag",
)
NOMINAL: dict[str, float] = {**dict.fromkeys(INTERVALS, 95.0), **dict.fromkeys(TESTS, 5.0)}
"""What the shares (%) in the columns of these names should be."""

RECORDS: list[dict[str, object]] = []
"""Every share with a nominal value, for the figure: part, case, quantity, nominal, share."""

_open: dict[str, Any] = {}


def heading(words: str, columns: Iterable[str]) -> None:
    names = list(columns)
    _open.update(part=words.split(",")[0].split(":")[0], columns=names)
    print(f"\n{words}\n\n| {' | '.join(names)} |\n| {' | '.join('---' for _ in names)} |", flush=True)


def line(*cells: object) -> None:
    named = list(zip(_open["columns"], cells, strict=True))
    shares = {name: cell for name, cell in named if isinstance(cell, float) and name in NOMINAL}
    labels = takewhile(lambda pair: not isinstance(pair[1], float), named)
    words = [
        f"{cell} {name}" if isinstance(cell, int) else f"phi {cell}" if name == "phi" else str(cell)
        for name, cell in labels
    ]
    for quantity, share in shares.items():
        case = {"part": _open["part"], "case": ", ".join(words), "quantity": quantity}
        RECORDS.append({**case, "nominal": NOMINAL[quantity], "share": share})
    print(
        "| " + " | ".join(f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in cells) + " |",
        flush=True,
    )


def per_step(repetitions: int) -> None:
    """Intervals of single steps."""
    heading(
        "Intervals of single steps, covering the planted exponent (%); curvature and R2 above its null are the "
        "shares found where there is none (5 % is right; the R2 at a planted z of 0):",
        ["scales", "durations", "noise", "z", "D", "delta", "weighted z", "curvature", "R2 above null"],
    )
    cases = [(4, 15.0, "nearest"), (5, 15.0, "nearest"), (4, 8.0, "nearest"), (5, 8.0, "nearest"), (4, 8.0, "up")]
    for number, (scales, level, rounded) in enumerate(cases):
        rng = np.random.default_rng([1, number])
        table = planted(rng, repetitions, scales, level=level, rounded=rounded, steps=2, z=0.1)
        fits = fit_exponents(table)
        shares = [
            covered(fits.filter(pl.col("exponent") == name), "low", "high", truth)
            for name, truth in (("z", 0.1), ("D", 1.0), ("delta", -0.1))
        ]
        noisy = planted(
            rng, repetitions // 10, scales, z=0.1, level=level, rounded=rounded, noise=0.0, steps=20,
            white=0.1, replicates=4,
        )  # fmt: skip
        weights = weighted_exponents(noisy).filter(pl.col("exponent") == "z")
        bends = curvature(table).filter(pl.col("exponent") == "z").drop_nulls("p")
        flat = planted(rng, repetitions, scales, level=level, rounded=rounded, steps=2, z=0.0)
        r2 = compressibility_null(fit_exponents(flat)).filter(pl.col("exponent") == "z").drop_nulls("exceeds")
        line(
            scales, f"about {level:g}, rounded {rounded if rounded == 'up' else 'to nearest'}", "8 %", *shares,
            covered(weights, "low", "high", 0.1), 100 * bends.select((pl.col("p") < 0.05).mean()).item(),
            100 * r2.select(pl.col("exceeds").mean()).item(),
        )  # fmt: skip


def window_means(repetitions: int, scales: int) -> None:
    """Intervals of window means."""
    heading(
        "Intervals of window means, covering the planted z (%), and their median half widths. The naive interval "
        "divides the SD by the root of the steps:",
        [
            "scales",
            "steps",
            "case",
            "along training",
            "across scales",
            "naive",
            "half width along",
            "across",
        ],
    )
    cases: list[tuple[str, dict[str, object]]] = [(f"phi {phi:g}", {"phi": phi}) for phi in (0.0, 0.3, 0.6, 0.8, 0.9)]
    cases += [
        ("phi 0.6, durations about 8", {"phi": 0.6, "level": 8.0}),
        ("phi 0.6, durations about 8 rounded up", {"phi": 0.6, "level": 8.0, "rounded": "up"}),
        ("phi 0.6 and as much white noise", {"phi": 0.6, "white": 0.08}),
        ("phi 0.9 and as much white noise", {"phi": 0.9, "white": 0.08}),
        ("phi 0.6, noise of the scales 1:2:3:4", {"phi": 0.6, "noise": 1}),
        ("phi 0.6, runs differ by 4 %", {"phi": 0.6, "run_noise": 0.04}),
        ("phi 0.6, durations about 8 not rounded", {"phi": 0.6, "level": 8.0, "rounded": "no"}),
    ]
    for number, (words, settings) in enumerate(cases):
        if settings.get("noise") is not None:
            settings = settings | {"noise": 0.16 * np.arange(1, scales + 1) / scales}
        rng = np.random.default_rng([2, scales, number])
        table = planted(rng, repetitions, scales, **settings)  # pyright: ignore[reportArgumentType]
        found = window_intervals(table, (0, 10**9)).filter(pl.col("exponent") == "z")
        mean, sd, root = pl.col("mean"), pl.col("sd"), pl.col("n_steps").sqrt()
        found = found.with_columns(n0=mean - 2.0 * sd / root, n1=mean + 2.0 * sd / root)
        widths = [
            f"{found.select((pl.col(high) - pl.col(low)).median() / 2).item():.4f}"
            for low, high in (("low", "high"), ("scales_low", "scales_high"))
        ]
        ends = (("low", "high"), ("scales_low", "scales_high"), ("n0", "n1"))
        line(scales, STEPS[scales], words, *(covered(found, *pair, 0.2) for pair in ends), *widths)


def tests_of_association(repetitions: int) -> None:
    """Rejections of independent series."""
    from gradcascade.performance.permutation import lag_test, shift_test

    heading(
        "Tests of association at the 5 % level, rejecting independent autocorrelated series (%). The naive test "
        "takes steps as independent; the lag test looks for the best of eleven lags, by random phases:",
        ["steps", "phi", "shifts, Pearson", "shifts, Spearman", "naive Pearson", "shifts of differences", "best lag"],
    )
    for number, (steps, phi) in enumerate([(T, phi) for T in (21, 56, 70, 125) for phi in (0.0, 0.5, 0.8, 0.9)]):
        rng = np.random.default_rng([3, number])
        x, y = autoregression(rng, phi, (repetitions, steps)), autoregression(rng, phi, (repetitions, steps))
        r, p = shift_test(x, y)
        naive = 2 * stats.t.sf(np.abs(r) * np.sqrt((steps - 2) / (1 - r**2)), steps - 2)
        ranks = shift_test(stats.rankdata(x, axis=1), stats.rankdata(y, axis=1))[1]
        changes = shift_test(np.diff(x), np.diff(y))[1]
        lagged = [lag_test(x[i], y[i], 5, draws=199)[2] for i in range(repetitions)]
        columns = (p, ranks, naive, changes, np.array(lagged))
        line(steps, f"{phi:g}", *(100 * float(np.mean(values <= 0.05)) for values in columns))
    heading(
        "The same for two random walks without a common cause, which no test of levels survives:",
        ["steps", "shifts, Pearson", "naive Pearson", "shifts of differences"],
    )
    for steps in (21, 70):
        rng = np.random.default_rng([4, steps])
        x, y = (rng.standard_normal((repetitions, steps)).cumsum(axis=1) for _ in range(2))
        r, p = shift_test(x, y)
        naive = 2 * stats.t.sf(np.abs(r) * np.sqrt((steps - 2) / (1 - r**2)), steps - 2)
        changes = shift_test(np.diff(x), np.diff(y))[1]
        line(steps, *(100 * float(np.mean(values <= 0.05)) for values in (p, naive, changes)))


def found_windows(repetitions: int) -> None:
    """Windows planted in v_rel."""
    from gradcascade.scaling.found_windows import plateaus

    heading(
        "Windows found in 125 steps of v_rel: start-up comes down along a parabola to step 20, drift leaves at step "
        "90. Right: each end within 12 steps (a tenth) of the planted one, and no start-up or drift invented (%). "
        "Heights are in standard deviations of the noise:",
        ["phi", "start-up", "drift", "right", "first, 5 to 95 %", "last, 5 to 95 %"],
    )
    steps, place = 125, np.arange(125)
    cases = [(phi, up, down) for phi in (0.0, 0.6) for up, down in ((0, 0), (10, 0), (0, 5), (10, 5), (20, 10))]
    for number, (phi, up, down) in enumerate(cases):
        rng = np.random.default_rng([5, number])
        begin, end = (20 if up else 0), (90 if down else steps - 1)
        shape = up * np.maximum(0, (begin - place) / 20) ** 2 - down * np.maximum(0, (place - end) / 34)
        found = plateaus(shape + autoregression(rng, phi, (repetitions, steps)))
        right = (np.abs(found - [begin, end]) <= 12).all(axis=1) & ((found[:, 0] > 0) | (up == 0))
        right &= ((found[:, 0] == 0) | (up > 0)) & ((found[:, 1] == steps - 1) | (down > 0))
        low, high = np.quantile(found, [0.05, 0.95], axis=0)
        ends = [f"{low[k]:.0f} to {high[k]:.0f}" for k in range(2)]
        line(f"{phi:g}", up or "none", down or "none", 100 * float(right.mean()), *ends)


def regimes(repetitions: int, scales: int) -> None:
    """Verdicts on planted regimes."""
    from gradcascade.scaling.verdict import BELOW, FLAT, LIKE, MARGIN, SUPPORTED, verdicts

    heading(
        f"Regime verdicts (margin {MARGIN:g}; phi 0.6, 8 % noise of durations, runs that differ by 2 %, durations "
        "rounded): share of each verdict, of the wrong ones among all repetitions, and among the verdicts given (%). "
        "A verdict is wrong if what it says is not so of the planted exponents:",
        ["scales", "z", "z of the null", SUPPORTED, FLAT, BELOW, LIKE, "undecided", "wrong of all", "wrong of given"],
    )
    given = wrong_given = 0
    plants = (
        (0.22, 0.06), (-0.03, 0.06), (-0.1, 0.06), (0.0, 0.0), (0.06, 0.06), (0.05, 0.06), (0.12, 0.12), (0.14, 0.12),
        (0.07, 0.12),
    )  # fmt: skip
    for number, (z, null) in enumerate(plants):
        rng = np.random.default_rng([6, scales, number])
        common: dict[str, Any] = {"phi": 0.6, "run_noise": 0.02}
        real = planted(rng, repetitions, scales, z=z, **common)
        noise = planted(
            rng, repetitions, scales, z=null, level=9.0, noise=0.0, white=0.06, variant="N0", replicates=3
        )
        found = (
            verdicts(pl.concat([real, noise]), (0, 10**9), together=False)
            .get_column("verdict")
            .to_numpy()
            .astype(str)
        )
        true = {SUPPORTED: z > null, FLAT: abs(z) <= MARGIN, BELOW: z < null, LIKE: abs(z - null) < MARGIN}
        shares = {name: float(np.mean(found == name)) for name in (*true, "undecided")}
        wrong = sum(shares[name] for name, holds in true.items() if not holds)
        decided = 1 - shares["undecided"]
        given, wrong_given = given + decided, wrong_given + wrong
        of_given = 100 * wrong / decided if decided else 0.0
        cells = (100 * share for share in (*shares.values(), wrong))
        line(scales, f"{z:+.2f}", f"{null:+.2f}", *cells, of_given)
    print(f"\nOver all of these regimes together, {100 * wrong_given / given:.1f} % of the verdicts given are wrong.")


def speed(repetitions: int) -> None:
    """Time of every answer for a study of 10,000 cascades."""
    del repetitions
    from gradcascade.inference import infer

    rng = np.random.default_rng(7)
    parts = [planted(rng, 1, 4, steps=625, phi=0.6, variant=name) for name in ("real", "N0", "N1", "N2")]
    table = pl.concat(parts)
    profiles = [np.maximum(1, 1e5 * 0.5 ** np.arange(int(d))).astype(int).tolist() for d in table["duration"]]
    table = table.with_columns(pl.Series("activity", profiles, dtype=pl.List(pl.Int64)))
    begun = time.perf_counter()
    fit_exponents(table)
    fitted = time.perf_counter()
    infer(table)
    ended = time.perf_counter()
    print(f"\n{table.height:,} cascades: exponents {fitted - begun:.2f} s, every answer {ended - fitted:.1f} s.")


PARTS: dict[str, Callable[[int], None]] = {
    "steps": per_step,
    "means4": lambda repetitions: window_means(repetitions, 4),
    "means5": lambda repetitions: window_means(repetitions, 5),
    "association": tests_of_association,
    "windows": found_windows,
    "regimes4": lambda repetitions: regimes(repetitions, 4),
    "regimes5": lambda repetitions: regimes(repetitions, 5),
    "speed": speed,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--out", type=Path, help="folder for calibration.csv and its figure")
    arguments = parser.parse_args()
    for part in arguments.only.split(","):
        begun = time.perf_counter()
        PARTS[part](arguments.repetitions)
        print(f"\n{arguments.repetitions} repetitions each, {time.perf_counter() - begun:.0f} s.", flush=True)
    if arguments.out is not None and RECORDS:
        from calibration_figure import Calibration

        arguments.out.mkdir(parents=True, exist_ok=True)
        table = pl.DataFrame(RECORDS).with_columns(repetitions=pl.lit(arguments.repetitions, pl.Int64))
        Calibration(table).save(arguments.out)
