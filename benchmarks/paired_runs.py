"""How often the answers about matched runs are right: paired intervals, primary questions, claims after correction.

python benchmarks/paired_runs.py [--repetitions 2000] [--only pairs,lists,...]

Prints the tables of the chapter "Matched runs" of docs/validation.md. Seeds are fixed. Every repetition is one
experiment with planted exponents, answered through the functions that ``gradcascade experiment`` uses.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from calibration import heading, line
from scipy import stats

from gradcascade.scaling.combinations import combined
from gradcascade.scaling.comparison import independent_difference
from gradcascade.scaling.design import Design
from gradcascade.scaling.ladder import Ladder
from gradcascade.scaling.ladder_compressibility import seed_r2
from gradcascade.scaling.ladder_questions import PRIMARY, REST, STEP, SUPPORTING, Question, answers, questions
from gradcascade.scaling.ladder_stretches import judged
from gradcascade.scaling.multiplicity import holm
from gradcascade.scaling.run_errors import size_means
from gradcascade.scaling.run_means import RunMeans
from gradcascade.scaling.window_means import slopes_across

SIX = [64 * width**2 for width in (24, 48, 72, 96, 120, 144)]
SIZES = {4: [SIX[0], SIX[1], SIX[3], SIX[5]], 6: SIX}
SPANS = (1, 2, 5, 10, 20, 50)
Rungs = list[tuple[str, int | None]]
RUNGS: Rungs = [("gradient", None), ("mean-gradient", None), ("momentum", None), ("direction", None)]
RUNGS += [("update", span) for span in SPANS]
ADAM, SGD = "adamw-constant", "sgd-momentum-constant"
CONDITIONS = (ADAM, SGD)
Z, FALL = 0.16, 0.11
MEAN_SD = 0.01
"""What the steps of a window leave in a run's mean, whatever their number."""

Planted = Callable[[int, int], float]


def flat(condition: int, rung: int) -> float:
    """z is the same everywhere: every question has the answer none."""
    return Z


def falling(condition: int, rung: int) -> float:
    """z falls between direction and the first update, under the first condition alone."""
    return Z - FALL if condition == 0 and rung >= 4 else Z


def experiments(
    rng: np.random.Generator,
    repetitions: int,
    scales: int,
    seeds: int,
    planted: Planted,
    rungs: Rungs = RUNGS,
    *,
    shared_sd: float = 0.05,
    own_sd: float | np.ndarray = 0.01,
    scale_sd: float = 0.0,
    steps: int = 1,
    rounded: bool = False,
) -> np.ndarray:
    """Log durations of many experiments: repetitions, conditions, rungs, scales, seeds, steps.

    ``shared_sd`` is what all fields of a run have in common, ``own_sd`` what each has of its own for good (of all
    scales, or of each), ``scale_sd`` how far the fields of a scale lie off the law, whatever the run.
    """
    n = np.array(SIZES[scales])
    x = np.log(n) - np.log(n).mean()
    step_sd = MEAN_SD * steps**0.5
    shape = (repetitions, len(CONDITIONS), len(rungs), scales, seeds, steps)
    slopes = np.array([[planted(c, r) for r in range(len(rungs))] for c in range(len(CONDITIONS))])
    log = np.log(15) + (slopes[..., None] * x)[None, ..., None, None]
    log = log + scale_sd * rng.standard_normal((*shape[:4], 1, 1))
    log = log + shared_sd * rng.standard_normal((repetitions, 1, 1, scales, seeds, 1))
    own = np.broadcast_to(own_sd, (scales,))[:, None, None]
    log = log + own * rng.standard_normal((*shape[:5], 1)) + step_sd * rng.standard_normal(shape)
    return np.log(np.maximum(np.rint(np.exp(log)), 1)) if rounded else log


def cascades(rng: np.random.Generator, logs: np.ndarray, rungs: Rungs = RUNGS) -> pl.DataFrame:
    """One experiment of these, as a table."""
    index = np.indices(logs.shape).reshape(5, -1)
    field, span = (pl.Series([rung[place] for rung in rungs]) for place in (0, 1))
    entries = np.array(SIZES[logs.shape[2]])[index[2]]
    return pl.DataFrame(
        {
            "family": pl.Series(CONDITIONS)[index[0]],
            "field": field[index[1]],
            "span": span.cast(pl.Int64)[index[1]],
            "variant": "real",
            "scale": pl.Series([f"d{k}" for k in range(logs.shape[2])])[index[2]],
            "run": pl.Series([str(k) for k in range(logs.shape[3])])[index[3]],
            "step": index[4] + 1,
            "n": entries,
            "size": 0.135 * entries * np.exp(0.002 * rng.standard_normal(logs.size)),
            "duration": np.exp(logs).ravel(),
            "ceiling": False,
        }
    )


@dataclass(frozen=True)
class Lines:
    """Slopes of many sums of runs' means, shape (sums,), with their errors."""

    value: np.ndarray
    se: np.ndarray
    degrees: int

    @classmethod
    def of(cls, runs: np.ndarray, scales: int) -> Lines:
        """By the estimator of the package, from means of runs (sums, scales, seeds): all at once."""
        seeds = runs.shape[2]
        place = np.repeat(np.arange(scales), seeds)
        x = np.log(np.array(SIZES[scales], dtype=float))[place]
        value, se, _ = slopes_across(size_means(RunMeans(x, runs.reshape(len(runs), -1), place, 1)))
        return cls(value, se, scales - 2)

    @property
    def p(self) -> np.ndarray:
        """P values of slope zero."""
        return 2 * stats.t.sf(np.abs(self.value / self.se), self.degrees)

    def covered(self, planted: float) -> str:
        """How often the 95 % interval covers, in percent."""
        return f"{100 * np.mean(np.abs(self.value - planted) <= stats.t.ppf(0.975, self.degrees) * self.se):.1f}"

    @property
    def half(self) -> float:
        """Median half width."""
        return float(np.median(stats.t.ppf(0.975, self.degrees) * self.se))


def pairs(repetitions: int) -> None:
    """Paired intervals against those of two separate lines."""
    heading(
        "Gradients less updates, planted difference of z 0.11; coverage of the 95 % interval (%), and median half "
        "width, paired run by run and of two separate lines; predicted is the half width by `design`:",
        ["scales x seeds", "case", "paired", "separate", "half width", "separate ", "predicted"],
    )
    ends: Rungs = [RUNGS[0], RUNGS[-1]]
    cases: dict[str, dict[str, Any]] = {
        "runs share 5 %, own 1 %": {},
        "own 5 %, nothing shared": {"shared_sd": 0.0, "own_sd": 0.05},
        "fields of a scale 3 % off the law": {"scale_sd": 0.03},
        "own 5 to 0.5 % with size": {"own_sd": (0.05, 0.005)},
        "own 0.5 to 5 % with size": {"own_sd": (0.005, 0.05)},
        "durations rounded, 8 steps": {"rounded": True, "steps": 8},
    }
    for number, (scales, seeds) in enumerate(((4, 4), (6, 4), (6, 2))):
        for words, settings in cases.items():
            given: dict[str, Any] = settings | {"own_sd": own_sd(settings.get("own_sd", 0.01), scales)}
            rng = np.random.default_rng([31, number])
            logs = experiments(rng, repetitions, scales, seeds, lambda _, r: Z - FALL * r, ends, **given)[:, 0]
            first, second = logs.mean(axis=-1).swapaxes(0, 1)
            paired = Lines.of(first - second, scales)
            covers, half = _separate(Lines.of(first, scales), Lines.of(second, scales))
            per_run = np.sqrt(2 * (np.broadcast_to(given["own_sd"], (scales,)) ** 2 + MEAN_SD**2))
            design = Design.of(SIZES[scales], seeds, per_run.tolist(), scale_sd=2**0.5 * given.get("scale_sd", 0.0))
            line(
                f"{scales} x {seeds}", words, paired.covered(FALL), covers, f"{paired.half:.4f}", half,
                f"{design.half_width():.4f}",
            )  # fmt: skip


def own_sd(given: float | tuple[float, float], scales: int) -> float | np.ndarray:
    """One SD for all scales, or one that falls or rises from the smallest to the largest."""
    return np.geomspace(*given, scales) if isinstance(given, tuple) else given


def _separate(first: Lines, second: Lines) -> tuple[str, str]:
    """Coverage and median half width where the two are taken as independent."""
    rows = []
    for side in (first, second):
        rows.append([
            {"scales_value": v, "scales_se": s, "scales_low": 0.0, "scales_high": 0.0, "scales_reason": None}
            | {"n_scales": side.degrees + 2, "mean": None, "low": None}
            for v, s in zip(side.value.tolist(), side.se.tolist(), strict=True)
        ])  # fmt: skip
    gaps = [independent_difference(b, a) for a, b in zip(*rows, strict=True)]
    inside = [gap["low"] <= FALL <= gap["high"] for gap in gaps]
    return f"{100 * np.mean(inside):.1f}", f"{np.median([gap['high'] - gap['low'] for gap in gaps]) / 2:.4f}"


def lists(repetitions: int) -> None:
    """Claims on z over whole ladders of two conditions."""
    heading(
        "Whole ladders, 10 rungs, 2 optimizers, 35 questions on z: how often (%) a primary question with the answer "
        "none is answered otherwise, any further question is (family-wise), and, where z falls by 0.11 between "
        "direction and the first update, that step is claimed, and no other:",
        ["scales x seeds", "planted", "case", "primary", "any further", "the step found", "only it"],
    )
    cases: dict[str, dict[str, Any]] = {
        "runs share 5 %, own 1 %": {},
        "fields of a scale 1 % off the law": {"scale_sd": 0.01},
        "own 5 to 0.5 % with size": {"own_sd": (0.05, 0.005)},
    }
    for number, (scales, seeds) in enumerate(((4, 4), (6, 4))):
        for planted in (flat, falling):
            for words, settings in cases.items():
                given: dict[str, Any] = settings | {"own_sd": own_sd(settings.get("own_sd", 0.01), scales)}
                rng = np.random.default_rng([32, number])
                found = _claims(rng, repetitions, scales, seeds, planted, given)
                line(f"{scales} x {seeds}", planted.__name__, words, *found)


def _claims(
    rng: np.random.Generator, repetitions: int, scales: int, seeds: int, planted: Planted, settings: dict[str, Any]
) -> list[str]:
    asked = _template(rng, scales, seeds)
    weights = np.array([_weights(each) for each in asked])
    logs = experiments(rng, repetitions, scales, seeds, planted, **settings)[..., 0]
    sums = np.einsum("qcr,kcrsg->kqsg", weights, logs)
    p = Lines.of(sums.reshape(-1, scales, seeds), scales).p.reshape(repetitions, len(asked))
    _check(rng, logs[0], asked, p[0])
    slopes = np.array([[planted(c, r) for r in range(len(RUNGS))] for c in range(len(CONDITIONS))])
    none = np.abs((weights * slopes).sum(axis=(1, 2))) < 1e-9
    primary = np.array([each.primary for each in asked])
    steps = np.array([each.kind == STEP for each in asked])
    fall = np.array([each.kind == STEP and each.rung == "update 1" and each.condition == ADAM for each in asked])
    adjusted = p.copy()
    adjusted[:, ~primary] = [holm(row) for row in p[:, ~primary]]
    shown = adjusted <= 0.05
    found = shown[:, fall].all(axis=1)
    rates = [shown[:, primary & none], shown[:, ~primary & none].any(axis=1), found]
    rates.append(found & ~shown[:, steps & ~fall].any(axis=1))
    rate = [f"{100 * np.mean(values):.1f}" for values in rates]
    return rate if planted is falling else [*rate[:2], "", ""]


def _check(rng: np.random.Generator, logs: np.ndarray, asked: list[Question], p: np.ndarray) -> None:
    """What is computed at once here is what the package answers."""
    ladder = Ladder.of(cascades(rng, logs[..., None]), (1, 99), CONDITIONS)
    found = combined(ladder.points, [each.sum for each in asked], ladder.window).filter(exponent="z")
    assert np.allclose(found["p"].to_numpy(), p, rtol=1e-6), "the shortcut is not the package's answer"


def _template(rng: np.random.Generator, scales: int, seeds: int) -> list[Question]:
    logs = experiments(rng, 1, scales, seeds, flat)[0]
    return questions(Ladder.of(cascades(rng, logs), (1, 99), CONDITIONS))


def _weights(question: Question) -> np.ndarray:
    """Weights by condition and rung."""
    rungs = [kind if span is None else f"{kind} {span}" for kind, span in RUNGS]
    return np.array([[question.sum.weights.get((name, rung), 0.0) for rung in rungs] for name in CONDITIONS])


def stretched(repetitions: int) -> None:
    """Where the ladder changes, by its shortest stretches."""
    heading(
        "Stretches of the same ladders (a quarter of the repetitions): experiments (%) that claim one without a "
        "change, those that find the planted step as a shortest stretch, and those that find one around it:",
        ["scales x seeds", "planted", "case", "wrong", "the step", "a stretch around it"],
    )
    cases: dict[str, dict[str, Any]] = {
        "runs share 5 %, own 1 %": {},
        "fields of a scale 3 % off the law": {"scale_sd": 0.03},
    }
    for number, (scales, seeds) in enumerate(((4, 4), (6, 4))):
        for planted in (flat, falling):
            for words, settings in cases.items():
                rng = np.random.default_rng([34, number])
                found = _stretches(rng, max(repetitions // 4, 1), scales, seeds, planted, settings)
                found = found if planted is falling else [found[0], "", ""]
                line(f"{scales} x {seeds}", planted.__name__, words, *found)


def _stretches(
    rng: np.random.Generator, repetitions: int, scales: int, seeds: int, planted: Planted, settings: dict[str, Any]
) -> list[str]:
    count = len(RUNGS)
    pairs_ = list(combinations(range(count), 2))
    means = experiments(rng, repetitions, scales, seeds, planted, **settings)[..., 0]
    gaps = np.stack([means[:, :, j] - means[:, :, i] for i, j in pairs_], axis=2)
    p = Lines.of(gaps.reshape(-1, scales, seeds), scales).p.reshape(repetitions, len(CONDITIONS), len(pairs_))
    wrong = step = around = 0
    for experiment in p:
        bad = False
        for condition, values in enumerate(experiment):
            table = np.full((count, count), np.nan)
            for (i, j), value in zip(pairs_, values, strict=True):
                table[i, j] = value
            _, adjusted, shortest = judged(table, len(CONDITIONS))
            shown = [(i, j) for i, j in pairs_ if adjusted[i, j] <= 0.05]
            bad |= any(planted(condition, i) == planted(condition, j) for i, j in shown)
            if condition == 0:
                step += bool(shortest[3, 4])
                around += any(i <= 3 < 4 <= j for i, j in shown)
        wrong += bad
    return [f"{100 * value / repetitions:.1f}" for value in (wrong, step, around)]


def whole(repetitions: int) -> None:
    """The same through every function, with delta and R2."""
    heading(
        "The whole way, cascades to claims, where every answer is none (a tenth of the repetitions): experiments (%) "
        "with a false claim in each list; the primary list holds two questions at 5 % each:",
        ["scales x seeds", "primary", "rest", "supporting", "seconds each"],
    )
    for number, (scales, seeds) in enumerate(((4, 4), (6, 4))):
        rng = np.random.default_rng([33, number])
        wrong = {PRIMARY: 0, REST: 0, SUPPORTING: 0}
        count, start = max(repetitions // 10, 1), time.process_time()
        for logs in experiments(rng, count, scales, seeds, flat, steps=4):
            ladder = Ladder.of(cascades(rng, logs), (1, 99), CONDITIONS)
            found = answers(ladder, seed_r2(ladder))
            for name in wrong:
                wrong[name] += bool(found.filter(pl.col("list") == name)["shown"].any())
        seconds = (time.process_time() - start) / count
        line(f"{scales} x {seeds}", *(f"{100 * wrong[name] / count:.1f}" for name in wrong), f"{seconds:.2f}")


PARTS = {"pairs": pairs, "lists": lists, "stretches": stretched, "whole": whole}


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--only", default=",".join(PARTS))
    given = parser.parse_args()
    for name in given.only.split(","):
        start = time.process_time()
        PARTS[name](given.repetitions)
        print(f"\n({name}: {time.process_time() - start:.0f} s of CPU)\n")


if __name__ == "__main__":
    main()
