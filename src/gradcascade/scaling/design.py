"""Before measuring: how wide an interval across scales will be, what it will show, and the cheapest way there.

Points are the means of runs, and the standard error is that of :mod:`gradcascade.scaling.run_errors`. Where that is
the ordinary one, its square is taken as a multiple of chi squared whose mean and degrees of freedom follow from the
variances (Satterthwaite, Biometrics Bulletin 2, 1946); the power is that of Student's t around a difference. With
several runs, or eight and more sizes, the error depends on the scatter that is found in no such simple way: it is
that of :data:`DRAWS` studies drawn with the variances of the design, always the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.scaling.regression import MIN_SCALES, t_quantile
from gradcascade.scaling.run_errors import MIN_HC3, SizeMeans, coefficient_errors

POWER = 0.8
"""Chance of showing a difference that a design is asked for."""

MOST_RUNS = 200
"""Runs of one scale beyond which no design is looked for."""

DRAWS = 4000
"""Studies that are drawn of a design with several runs: shares of them err by 0.6 % at 80 %."""

Floats = NDArray[np.float64]
Runs = tuple[int, ...]
Enough = Callable[[Sequence[int]], bool]


@dataclass(frozen=True)
class Design:
    """Sizes N with the number of runs of each, and how much their logarithms scatter.

    ``run_sd`` is what the mean of a run over the window scatters from run to run, of each size or of all;
    ``step_sd`` and ``phi`` the scatter from step to step and its correlation, over ``steps`` steps, if it does not
    hold that already; ``scale_sd`` what a size lies off the power law whatever its runs.
    """

    sizes: tuple[int, ...]
    runs: tuple[int, ...]
    run_sd: tuple[float, ...]
    scale_sd: float = 0.0
    step_sd: float = 0.0
    phi: float = 0.0
    steps: int = 1

    @classmethod
    def of(
        cls, sizes: Sequence[int], runs: int | Sequence[int], run_sd: float | Sequence[float], **more: Any
    ) -> Design:
        """Check a design; one number of runs, and one SD, stand for all sizes."""
        n = tuple(int(size) for size in sizes)
        counts = tuple([runs] * len(n) if isinstance(runs, int) else runs)
        spread = tuple([float(run_sd)] * len(n) if isinstance(run_sd, (int, float)) else map(float, run_sd))
        if len(set(n)) < MIN_SCALES or min(n) < 1:
            raise InputError(
                f"a design needs {MIN_SCALES} different sizes above 0 or more, got {', '.join(map(str, n))}"
            )
        for name, values in (("runs", counts), ("SD between runs", spread)):
            if len(values) != len(n):
                raise InputError(
                    f"the design has {len(n)} sizes and {len(values)} values of {name}; give one, or one each"
                )
        made = cls(n, counts, spread, **more)
        if min(counts) < 1 or made.steps < 1 or not -1 < made.phi < 1:
            raise InputError(
                "a design has at least one run of each size and one step, and a correlation between -1 and 1"
            )
        if min(*spread, made.scale_sd, made.step_sd) < 0 or not max(*spread, made.step_sd) > 0:
            raise InputError("the scatter of runs and steps must not be negative, and one of them above 0")
        return made

    @property
    def variances(self) -> Floats:
        """Variance of the mean of each size."""
        lags = np.arange(1, self.steps)
        correlated = (1 + 2 * ((1 - lags / self.steps) * self.phi**lags).sum()) / self.steps
        own = np.square(self.run_sd) + self.step_sd**2 * correlated
        return self.scale_sd**2 + own / np.array(self.runs)

    def moments(self) -> tuple[float, float, float]:
        """Variance of the slope, mean of its squared ordinary error, and the degrees of freedom of that."""
        x = np.log(self.sizes) - np.mean(np.log(self.sizes))
        k, weights, v = x.size, x / (x @ x), self.variances
        maker = np.eye(k) - 1 / k - np.outer(x, x) / (x @ x)
        spread = maker @ np.diag(v) * (weights @ weights) / (k - 2)
        mean = float(np.trace(spread))
        return float(weights**2 @ v), mean, mean**2 / float(np.trace(spread @ spread))

    @property
    def _drawn_from(self) -> bool:
        """Whether the standard error is not the ordinary one."""
        return max(self.runs) > 1 or len(self.sizes) >= MIN_HC3

    def half_width(self) -> float:
        """Median half width of the interval of the slope."""
        from scipy.stats import chi2

        quantile = t_quantile(len(self.sizes) - 2)
        if self._drawn_from:
            return quantile * float(np.median(_drawn(self)[1]))
        _, mean, degrees = self.moments()
        return quantile * float(np.sqrt(mean * chi2.ppf(0.5, degrees) / degrees))

    def power(self, difference: float) -> float:
        """Chance that the interval of a slope this far from zero leaves zero out."""
        if self._drawn_from:
            return self._share(abs(difference))
        least, degrees = self._threshold()
        return _chance(abs(difference) / self.moments()[0] ** 0.5, least, degrees)

    def smallest(self, power: float = POWER) -> float:
        """Smallest difference of the slope from zero that is shown with this chance."""
        if self._drawn_from:
            high = float(np.median(_drawn(self)[1]))
            while self._share(high) < power:
                high *= 2
            low = 0.0
            for _ in range(40):
                middle = (low + high) / 2
                low, high = (middle, high) if self._share(middle) < power else (low, middle)
            return high
        least, degrees = self._threshold()
        # Rounded, so that designs that differ in their scatter alone share the answer.
        return _noncentrality(round(least, 10), round(degrees, 10), power) * self.moments()[0] ** 0.5

    def _share(self, difference: float) -> float:
        """Share of the drawn studies, each with its slope's error and the opposite one, that show a difference."""
        error, se = _drawn(self)
        half = t_quantile(len(self.sizes) - 2) * se
        return float(np.mean([np.abs(difference + sign * error) > half for sign in (1, -1)]))

    def _threshold(self) -> tuple[float, float]:
        """How many true standard errors off zero a slope must be to be shown, and the degrees of freedom."""
        variance, mean, degrees = self.moments()
        return t_quantile(len(self.sizes) - 2) * float(np.sqrt(mean / variance)), degrees


@lru_cache(maxsize=64)
def _drawn(design: Design) -> tuple[Floats, Floats]:
    """Errors of the slope and their standard errors in :data:`DRAWS` studies of a design."""
    rng = np.random.default_rng(42)
    x = np.log(design.sizes) - np.mean(np.log(design.sizes))
    k, runs = x.size, np.array(design.runs)
    line = np.stack([np.ones(k), x], axis=1).astype(np.float64)
    means = np.sqrt(design.variances) * rng.standard_normal((DRAWS, k))
    # Of every size a stream of its own: another number of runs of one size leaves the others as they are.
    chi2 = np.stack([np.random.default_rng([42, i]).chisquare(max(n - 1, 1), DRAWS) for i, n in enumerate(runs)], 1)
    own = (design.variances - design.scale_sd**2) * runs
    variance = np.where(runs > 1, own * chi2 / np.maximum(runs - 1, 1), np.nan)
    sizes = SizeMeans(np.log(design.sizes), means, variance, runs)
    se = coefficient_errors(sizes, line, 1)[0]
    return means @ x / (x @ x), se


def _chance(away: float, least: float, degrees: float) -> float:
    from scipy.stats import nct

    if away > 37:  # nct has no more digits there, and the answer is certain
        return 1.0
    return float(nct.sf(least, degrees, away) + nct.cdf(-least, degrees, away))


@lru_cache(maxsize=256)
def _noncentrality(least: float, degrees: float, power: float) -> float:
    """True standard errors off zero that are shown with this chance."""
    low, high = 0.0, 2.0
    while _chance(high, least, degrees) < power:
        low, high = high, 2 * high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _chance(middle, least, degrees) < power else (low, middle)
    return high


def cheapest_design(
    design: Design,
    difference: float,
    costs: Sequence[float] | None = None,
    power: float = POWER,
) -> Design:
    """Add runs until a difference is shown with this chance, where they narrow the interval most for their cost.

    Or as many of every size, if that is cheaper: how noisy sizes of one run are is not known.
    ``costs`` are of one run of each size; by default in proportion to N, the cost of as many tokens at every size.
    """
    cost = np.array(costs if costs is not None else design.sizes, dtype=np.float64)
    if cost.size != len(design.sizes) or not (cost > 0).all():
        raise InputError(f"costs are {len(design.sizes)} numbers above 0, one for a run of each size")
    if not difference:
        raise InputError("no design can show a difference of 0")
    endless = replace(design, runs=tuple([MOST_RUNS] * len(design.sizes)))
    if endless.power(difference) < power:
        raise InputError(
            f"{MOST_RUNS} runs of each size would not show a difference of {difference:g}: their smallest is "
            f"{endless.smallest(power):.3g}; add sizes, or a wider range of them"
        )

    def enough(runs: Sequence[int]) -> bool:
        return replace(design, runs=tuple(runs)).power(difference) >= power

    found = [
        _pruned(runs, design.runs, cost, enough) for runs in (_greedy(design, cost, enough), _even(design, enough))
    ]
    return replace(design, runs=min(found, key=lambda runs: float(np.dot(runs, cost))))


def _greedy(design: Design, cost: Floats, enough: Enough) -> Runs:
    """Add runs where they narrow the interval most for their cost."""
    x = np.log(design.sizes) - np.mean(np.log(design.sizes))
    runs = np.array(design.runs)
    own = (design.variances - design.scale_sd**2) * runs * (x / (x @ x)) ** 2
    while not enough(runs.tolist()):
        gain = own * (1 / runs - 1 / (runs + 1)) / cost
        runs[int(np.argmax(np.where(runs < MOST_RUNS, gain, -1.0)))] += 1
    return tuple(runs.tolist())


def _even(design: Design, enough: Enough) -> Runs:
    """As many runs of every size, or of each what there is if that is more."""
    for count in range(1, MOST_RUNS):
        runs = tuple(max(count, there) for there in design.runs)
        if enough(runs):
            return runs
    return (MOST_RUNS,) * len(design.runs)


def _pruned(runs: Runs, least: Runs, cost: Floats, enough: Enough) -> Runs:
    """Take away what is superfluous, dear runs first."""
    for size in np.argsort(-cost).tolist():
        while runs[size] > least[size]:
            fewer = tuple(count - (place == size) for place, count in enumerate(runs))
            if not enough(fewer):
                break
            runs = fewer
    return runs
