"""The designs of what was measured: with what scatter it was, and what more runs and more scales would give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from gradcascade import vocabulary
from gradcascade.errors import InputError
from gradcascade.scaling.design import Design
from gradcascade.scaling.fits import EXPONENTS
from gradcascade.scaling.points import Cascades, Points, points_of
from gradcascade.scaling.run_errors import scatter, size_means, small_first
from gradcascade.scaling.window_means import trajectories
from gradcascade.scaling.windows import Window
from gradcascade.tables.inferred import INFERRED
from gradcascade.tables.reasons import Reason, told
from gradcascade.vocabulary import REAL

DESIGN_SCHEMA, CURVE_SCHEMA = INFERRED["designs"].schema, INFERRED["design_curves"].schema
"""Columns of the designs, and of their curves, in order."""

RUNS, BETWEEN, BEYOND = "runs of each size", "sizes between", "sizes beyond"
"""What a curve counts: runs; sizes spread evenly over the measured range; sizes added at its upper end."""

MOST_RUNS_EACH, MOST_SIZES, MOST_MORE = 10, 14, 3
"""How far the curves go: runs of each size, sizes (but at least so many more), and sizes beyond the largest."""


def measured_design(
    cascades: Cascades, family: str, field: str, exponent: str = "z", window: Window = None
) -> tuple[Design, str]:
    """The design that was measured, and in words where its scatter comes from.

    With several runs of a scale, their scatter is that of the runs' means over the window, pooled over the scales,
    and what the scales scatter about the line beyond it is ``scale_sd``. With one run of each, all of the scatter
    about the line counts as that of runs.
    """
    found = _measured(points_of(cascades, window), family, field, exponent)
    if isinstance(found, Reason):
        raise InputError(f"{family}, {field}: {found.reason}; give the sizes and the scatter instead of a study")
    return found


def _measured(points: Points, family: str, field: str, exponent: str) -> tuple[Design, str] | Reason:
    found = {each.name: each for each in trajectories(points)}.get((family, field, REAL))
    if found is None:
        return Reason.of("no-real-field")
    means = found.means()
    if means.no_line:
        return means.no_line
    sizes = small_first(size_means(means))
    place = list(EXPONENTS).index(exponent)
    k, free = sizes.log_n.size, int((sizes.runs - 1).sum())
    run, off = (float(variance[place]) ** 0.5 for variance in scatter(sizes))
    n = tuple(np.rint(np.exp(sizes.log_n)).astype(int).tolist())
    runs = tuple(sizes.runs.tolist())
    words = f"the scatter of the {k} scales about their line ({k - 2} degrees of freedom)"
    if free:
        words = f"the scatter of {sizes.runs.sum()} runs ({free} degrees of freedom)"
    try:
        return Design.of(n, runs, run, scale_sd=off) if free else Design.of(n, runs, off), words
    except InputError as error:
        return Reason.of("no-design", error=error)


def designs(cascades: Cascades, window: Window = None) -> pl.DataFrame:
    """What the exponents of every real field are known to as measured, and would be with more runs and one more size.

    With the scatter of :func:`measured_design`; ``smallest`` is the difference that is shown in four of five cases.
    """
    points = points_of(cascades, window)
    rows: list[dict[str, Any]] = []
    for family, field in points.windows:
        for exponent in EXPONENTS:
            names = {"family": family, "field": field, "exponent": exponent}
            found = _measured(points, family, field, exponent)
            if isinstance(found, Reason):
                rows.append(names | told(found))
                continue
            known, source = found
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
    larger = _one_larger(known, ratio)
    return [*more, (f"one more size, {larger.sizes[-1]:.2g}", larger)]


def design_curves(cascades: Cascades, window: Window = None) -> pl.DataFrame:
    """Half width and smallest difference shown against the number of runs, and of scales, of every real field.

    ``cost`` is that of all runs, in proportion to N each, over that of what was measured.
    """
    points = points_of(cascades, window)
    rows: list[dict[str, Any]] = []
    for family, field in points.windows:
        for exponent in EXPONENTS:
            if vocabulary.EXPONENTS[exponent].same_as:
                continue  # its curve is that of another
            found = _measured(points, family, field, exponent)
            if isinstance(found, Reason):
                continue  # the table of designs has it
            known, _ = found
            names = {"family": family, "field": field, "exponent": exponent}
            for change, number, each in curves(known):
                numbers = {"half_width": each.half_width(), "smallest": each.smallest(), "cost": _cost(each, known)}
                counts = {"n_scales": len(each.sizes), "n_runs": sum(each.runs)}
                rows.append(names | {"change": change, "number": number} | numbers | counts)
    return pl.DataFrame(rows, schema=CURVE_SCHEMA)


def curves(known: Design) -> Iterator[tuple[str, int, Design]]:
    """Designs along each curve: what it counts, the number there, and the design.

    Runs are equal in number at every size, so the first curve need not hold the measured design; added sizes have as
    many runs as the largest measured one, and scatter as it does or as what the sizes beside them would suggest.
    """
    k = len(known.sizes)
    for count in range(1, MOST_RUNS_EACH + 1):
        yield RUNS, count, replace(known, runs=(count,) * k)
    logs = np.log(known.sizes)
    for count in range(k, max(MOST_SIZES, k + MOST_MORE) + 1):
        places = np.linspace(logs[0], logs[-1], count)
        sd = np.interp(places, logs, known.run_sd)
        runs = np.rint(np.interp(places, logs, known.runs)).astype(int)
        sizes = tuple(np.rint(np.exp(places)).astype(int).tolist())
        even = replace(known, sizes=sizes, runs=tuple(runs.tolist()), run_sd=tuple(sd.tolist()))
        yield BETWEEN, count, known if count == k else even
    each = known
    for count in range(k, k + MOST_MORE + 1):
        yield BEYOND, count, each
        each = _one_larger(each, (known.sizes[-1] / known.sizes[0]) ** (1 / (k - 1)))


def _one_larger(known: Design, ratio: float) -> Design:
    return replace(
        known,
        sizes=(*known.sizes, round(known.sizes[-1] * ratio)),
        runs=(*known.runs, known.runs[-1]),
        run_sd=(*known.run_sd, known.run_sd[-1]),
    )


def _cost(design: Design, known: Design) -> float:
    return float(np.dot(design.runs, design.sizes) / np.dot(known.runs, known.sizes))
