"""Before measuring: how wide an interval across scales will be, what it will show, and the cheapest way there.

Points are the means of runs, and the standard error is that of :mod:`gradcascade.scaling.run_errors`. Its square is
taken as a multiple of chi squared whose mean and degrees of freedom follow from the variances (Satterthwaite,
Biometrics Bulletin 2, 1946); the power is that of Student's t around a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.scaling.fits import EXPONENTS
from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.regression import CONFIDENCE, MIN_SCALES
from gradcascade.scaling.run_errors import MIN_HC3, SizeMeans, scatter, size_means
from gradcascade.scaling.window_means import trajectories
from gradcascade.scaling.windows import Window
from gradcascade.tables.inferred import INFERRED
from gradcascade.vocabulary import REAL

DESIGN_SCHEMA = INFERRED["designs"].schema
"""Columns of the designs, in order."""

POWER = 0.8
"""Chance of showing a difference that a design is asked for."""

MOST_RUNS = 200
"""Runs of one scale beyond which no design is looked for."""

Floats = NDArray[np.float64]


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
        """Variance of the slope, mean of its squared standard error, and the degrees of freedom of that."""
        x = np.log(self.sizes) - np.mean(np.log(self.sizes))
        k, weights, v = x.size, x / (x @ x), self.variances
        maker = np.eye(k) - 1 / k - np.outer(x, x) / (x @ x)
        if k >= MIN_HC3:
            form = maker @ np.diag((weights / np.diag(maker)) ** 2) @ maker
        elif max(self.runs) == 1:
            form = maker * (weights @ weights) / (k - 2)
        else:
            form = maker * (weights**2 @ v) / (np.diag(maker) @ v)
        spread = form @ np.diag(v)
        mean = float(np.trace(spread))
        return float(weights**2 @ v), mean, mean**2 / float(np.trace(spread @ spread))

    def half_width(self, confidence: float = CONFIDENCE) -> float:
        """Median half width of the interval of the slope."""
        from scipy.stats import chi2, t

        _, mean, degrees = self.moments()
        return float(
            t.ppf(0.5 + confidence / 2, len(self.sizes) - 2) * np.sqrt(mean * chi2.ppf(0.5, degrees) / degrees)
        )

    def power(self, difference: float, confidence: float = CONFIDENCE) -> float:
        """Chance that the interval of a slope this far from zero leaves zero out."""
        least, degrees = self._threshold(confidence)
        return _chance(abs(difference) / self.moments()[0] ** 0.5, least, degrees)

    def smallest(self, power: float = POWER, confidence: float = CONFIDENCE) -> float:
        """Smallest difference of the slope from zero that is shown with this chance."""
        least, degrees = self._threshold(confidence)
        # Rounded, so that designs that differ in their scatter alone share the answer.
        return _noncentrality(round(least, 10), round(degrees, 10), power) * self.moments()[0] ** 0.5

    def _threshold(self, confidence: float) -> tuple[float, float]:
        """How many true standard errors off zero a slope must be to be shown, and the degrees of freedom."""
        from scipy.stats import t

        variance, mean, degrees = self.moments()
        return float(t.ppf(0.5 + confidence / 2, len(self.sizes) - 2) * np.sqrt(mean / variance)), degrees


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
    confidence: float = CONFIDENCE,
) -> Design:
    """Add runs until a difference is shown with this chance, each where it narrows the interval most for its cost.

    ``costs`` are of one run of each size; by default in proportion to N, the cost of as many tokens at every size.
    """
    cost = np.array(costs if costs is not None else design.sizes, dtype=np.float64)
    if cost.size != len(design.sizes) or not (cost > 0).all():
        raise InputError(f"costs are {len(design.sizes)} numbers above 0, one for a run of each size")
    if not difference:
        raise InputError("no design can show a difference of 0")
    endless = replace(design, runs=tuple([MOST_RUNS] * len(design.sizes)))
    if endless.power(difference, confidence) < power:
        raise InputError(
            f"{MOST_RUNS} runs of each size would not show a difference of {difference:g}: their smallest is "
            f"{endless.smallest(power, confidence):.3g}; add sizes, or a wider range of them"
        )
    x = np.log(design.sizes) - np.mean(np.log(design.sizes))
    runs = np.array(design.runs)
    own = (design.variances - design.scale_sd**2) * runs * (x / (x @ x)) ** 2
    while replace(design, runs=tuple(runs.tolist())).power(difference, confidence) < power:
        gain = own * (1 / runs - 1 / (runs + 1)) / cost
        runs[int(np.argmax(np.where(runs < MOST_RUNS, gain, -1.0)))] += 1
    for size in np.argsort(-cost):  # what was added early may have become superfluous
        while runs[size] > design.runs[size]:
            fewer = runs - (np.arange(runs.size) == size)
            if replace(design, runs=tuple(fewer.tolist())).power(difference, confidence) < power:
                break
            runs = fewer
    return replace(design, runs=tuple(runs.tolist()))


def measured_design(
    cascades: Cascades, family: str, field: str, exponent: str = "z", window: Window = None
) -> tuple[Design, str]:
    """The design that was measured, and in words where its scatter comes from.

    With several runs of a scale, their scatter is that of the runs' means over the window, pooled over the scales,
    and what the scales scatter about the line beyond it is ``scale_sd``. With one run of each, all of the scatter
    about the line counts as that of runs.
    """
    points = points_of(cascades, window)
    found = {each.name: each for each in trajectories(points)}.get((family, field, REAL))
    means = found.means() if found is not None else None
    if means is None or means.reason or means.sizes < MIN_SCALES:
        why = (means.reason if means is not None else None) or "no real field of these was measured"
        raise InputError(f"{family}, {field}: {why}; give the sizes and the scatter instead of a study")
    sizes = _small_first(size_means(means))
    place = list(EXPONENTS).index(exponent)
    k, free = sizes.log_n.size, int((sizes.runs - 1).sum())
    run, off = (float(variance[place]) ** 0.5 for variance in scatter(sizes))
    n = tuple(np.rint(np.exp(sizes.log_n)).astype(int).tolist())
    runs = tuple(sizes.runs.tolist())
    if not free:
        return Design.of(n, runs, off), f"the scatter of the {k} scales about their line ({k - 2} degrees of freedom)"
    words = f"the scatter of {sizes.runs.sum()} runs ({free} degrees of freedom)"
    return Design.of(n, runs, run, scale_sd=off), words


def _small_first(sizes: SizeMeans) -> SizeMeans:
    order = np.argsort(sizes.log_n)
    return SizeMeans(sizes.log_n[order], sizes.means[:, order], sizes.variance[:, order], sizes.runs[order])


def designs(cascades: Cascades, window: Window = None) -> pl.DataFrame:
    """What the exponents of every real field are known to as measured, and would be with more runs and one more size.

    With the scatter of :func:`measured_design`; ``smallest`` is the difference that is shown in four of five cases.
    """
    points = points_of(cascades, window)
    rows: list[dict[str, Any]] = []
    for family, field in points.windows:
        for exponent in EXPONENTS:
            names = {"family": family, "field": field, "exponent": exponent}
            try:
                known, source = measured_design(points, family, field, exponent)
            except InputError as error:
                rows.append(names | {"reason": str(error)})
                continue
            rows += [
                names
                | {"design": words, "half_width": each.half_width(), "smallest": each.smallest(), "scatter": source}
                | {"n_scales": len(each.sizes), "n_runs": sum(each.runs)}
                for words, each in further(known)
            ]
    return pl.DataFrame(rows, schema=DESIGN_SCHEMA)


def further(known: Design) -> list[tuple[str, Design]]:
    """The design itself, with more runs of every size, and with one larger size; in words."""
    ratio = (known.sizes[-1] / known.sizes[0]) ** (1 / (len(known.sizes) - 1))
    more = [("as it is", known)]
    for extra in (1, 2, 5):
        words = f"{extra} more run{'s' * (extra > 1)} of each"
        more.append((words, replace(known, runs=tuple(count + extra for count in known.runs))))
    larger = replace(
        known,
        sizes=(*known.sizes, round(known.sizes[-1] * ratio)),
        runs=(*known.runs, known.runs[-1]),
        run_sd=(*known.run_sd, known.run_sd[-1]),
    )
    return [*more, (f"one more size, {larger.sizes[-1]:.2g}", larger)]
