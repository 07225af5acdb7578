"""Find the stable window of a family: where start-up ends and late drift begins in v_rel.

The rule: the logarithm of v_rel, averaged over the scales, is a plateau with, before it, a start-up that comes down
(or up) to it along a parabola and, behind it, a straight drift. Every pair of ends with a plateau of at least a third
of the steps is fitted by least squares, neighbouring steps allowed to be correlated; start-up and drift are kept only
if Schwarz's criterion, with the ends counted twice, is better for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.scaling.channels import log_points, prepared
from gradcascade.scaling.windows import Range, default_window

MIN_FOUND = 12
"""Fewest steps in which a window is looked for."""

SHIFTS = 3
"""The search is repeated without up to this many steps at either end."""

FOUND_SCHEMA: dict[str, type[pl.DataType]] = {
    "family": pl.String,
    "field": pl.String,
    "first": pl.Int64,
    "last": pl.Int64,
    "startup": pl.Boolean,
    "drift": pl.Boolean,
    "first_low": pl.Int64,
    "first_high": pl.Int64,
    "last_low": pl.Int64,
    "last_high": pl.Int64,
    "n_steps": pl.Int64,
    "reason": pl.String,
}
"""Columns of the table of found windows, in order."""

_PLATEAU = 1 / 3
_SHORTEST = 3
_MOST_ENDS = 60
_CHUNK = 250
Floats = NDArray[np.float64]


def find_windows(cascades: pl.DataFrame) -> pl.DataFrame:
    """Find the window of every family and field from the v_rel of its real fields.

    Parameters
    ----------
    cascades : polars.DataFrame
        As for :func:`gradcascade.scaling.exponents.fit_exponents`.

    Returns
    -------
    polars.DataFrame
        One row per ``family, field``: the window ``first, last`` (steps, both inside), whether a ``startup`` and a
        ``drift`` were found, and the smallest and largest ends found when up to three steps are left out at either
        end (``first_low, first_high, last_low, last_high``): where they differ much, the window is not to be relied
        on. ``n_steps`` is the number of steps looked at. Where nothing can be found, the window is that of
        :func:`gradcascade.scaling.windows.default_window`, and ``reason`` says why; it is null otherwise.

    Raises
    ------
    InputError
        As :func:`gradcascade.scaling.exponents.fit_exponents`.
    """
    rows = prepared(cascades)
    points = log_points(rows.filter(pl.col("variant") == "real"))
    scales = pl.col("scale").n_unique().over("family", "field")
    series = (
        points.with_columns(_scales=scales)
        .group_by("family", "field", "step")
        .agg(pl.col("log_v_rel").mean(), _here=pl.len(), _scales=pl.col("_scales").first())
        .filter(pl.col("_here") == pl.col("_scales"))
        .sort("step")
    )
    found = []
    for family, field, steps in (
        rows.group_by("family", "field").agg(pl.col("step").unique()).sort("family", "field").iter_rows()
    ):
        here = series.filter(pl.col("family") == family, pl.col("field") == field)
        row: dict[str, Any] = {"family": family, "field": field, "n_steps": here.height}
        if here.height < MIN_FOUND:
            first, last = default_window(steps)
            words = (
                f"only {here.height} steps have all scales, a search needs {MIN_FOUND}; these are the last two thirds"
            )
            found.append(row | {"first": first, "last": last, "reason": words})
            continue
        found.append(row | _found(here["step"].to_numpy(), here["log_v_rel"].to_numpy()))
    return pl.DataFrame(found, schema=FOUND_SCHEMA)


def found_window(table: pl.DataFrame) -> dict[tuple[str, str], Range]:
    """Turn a table of found windows into what the other functions take as a window.

    Parameters
    ----------
    table : polars.DataFrame
        From :func:`find_windows`.

    Returns
    -------
    dict
        ``(family, field)`` to ``(first, last)``.
    """
    return {row[:2]: row[2:] for row in table.select("family", "field", "first", "last").iter_rows()}


def plateau(series: Floats) -> tuple[int, int]:
    """Find the plateau of one series by the rule of this module.

    Parameters
    ----------
    series : numpy.ndarray
        float64, shape (steps,), at least twelve.

    Returns
    -------
    tuple of int
        Places of its first and last step; 0 and the last place where there is no start-up and no drift.
    """
    first, last = plateaus(series[None])[0]
    return int(first), int(last)


def plateaus(series: Floats) -> NDArray[np.int64]:
    """Find the plateaus of many series of one length.

    Parameters
    ----------
    series : numpy.ndarray
        float64, shape (series, steps), at least twelve steps.

    Returns
    -------
    numpy.ndarray
        int64, shape (series, 2): places of the first and the last step of each.
    """
    count, steps = series.shape
    off = series - series.mean(axis=1, keepdims=True)
    largest = np.abs(off).max(axis=1, keepdims=True)
    flat = largest[:, 0] <= 8 * np.finfo(np.float64).eps * (1 + np.abs(series).max(axis=1))
    unit = off / np.where(flat[:, None], 1.0, largest)
    first, last = _ends(steps)
    designs = _designs(steps, first, last)
    # Every end counts as two parameters; a parabola has two coefficients, a line one.
    parameters = 4 * (first > 0) + 3 * (last < steps - 1)
    phi, best = np.zeros(count), np.zeros(count, dtype=np.intp)
    # The correlation is that of what the best fit leaves; it changes the weight of the evidence, so fit again.
    for _ in range(3):
        for value in np.unique(phi):
            rows = np.flatnonzero(phi == value)
            rest = _squares(unit[rows], designs, float(value))
            criterion = steps * np.log(np.maximum(rest, 1e-300) / steps) + parameters * np.log(steps)
            best[rows] = np.argmin(criterion, axis=1)
        phi = np.array([_correlation(unit[row], designs[best[row]]) for row in range(count)])
    found = np.stack([first[best], last[best]], axis=1)
    return np.where(flat[:, None], [0, steps - 1], found)


def _found(steps: NDArray[np.int64], series: Floats) -> dict[str, Any]:
    first, last = plateau(series)
    firsts, lasts = [int(steps[first])], [int(steps[last])]
    for shift in range(1, SHIFTS + 1):
        for cut, start in ((series[shift:], shift), (series[:-shift], 0)):
            if cut.size >= MIN_FOUND:
                begin, end = plateau(cut)
                # An end that is the edge of the shortened series stands for the edge itself.
                firsts.append(int(steps[0 if begin == 0 else begin + start]))
                lasts.append(int(steps[-1] if end == cut.size - 1 else steps[end + start]))
    return {
        "first": firsts[0],
        "last": lasts[0],
        "startup": first > 0,
        "drift": last < series.size - 1,
        "first_low": min(firsts),
        "first_high": max(firsts),
        "last_low": min(lasts),
        "last_high": max(lasts),
        "reason": None,
    }


def _ends(steps: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of ends with a plateau of at least a third; long series on a coarser grid."""
    stride = max(1, round(steps / _MOST_ENDS))
    firsts = np.concatenate([[0], np.arange(_SHORTEST, steps, stride)])
    lasts = np.concatenate([[steps - 1], np.arange(steps - 1 - _SHORTEST, 0, -stride)])
    first, last = (grid.ravel() for grid in np.meshgrid(firsts, lasts, indexing="ij"))
    kept = last - first + 1 >= steps * _PLATEAU
    return first[kept].astype(np.int64), last[kept].astype(np.int64)


def _designs(steps: int, first: NDArray[np.int64], last: NDArray[np.int64]) -> Floats:
    """Regressors of every pair of ends, shape (pairs, steps, 4); absent ones are zero."""
    place = np.arange(steps)
    before = np.maximum(0, first[:, None] - place) / np.maximum(first, 1)[:, None]
    behind = np.maximum(0, place - last[:, None]) / np.maximum(steps - 1 - last, 1)[:, None]
    return np.stack([np.ones_like(before), before, before**2, behind], axis=2)


def _squares(series: Floats, designs: Floats, phi: float) -> Floats:
    """Residual squares under correlated noise, shape (series, pairs)."""

    def whitened(values: Floats) -> Floats:
        head = values[:, :1] * np.sqrt(1 - phi**2)
        return np.concatenate([head, values[:, 1:] - phi * values[:, :-1]], axis=1)

    x, y = whitened(designs), whitened(series)
    gram = np.einsum("pti,ptj->pij", x, x)
    absent = np.einsum("pii->pi", gram) == 0
    gram += np.eye(4) * np.where(absent, 1.0, 1e-12)[:, None, :]
    # Coordinates in an orthonormal basis of each design: their squares are what the fit explains.
    basis = np.linalg.solve(np.linalg.cholesky(gram), x.transpose(0, 2, 1))
    flat = basis.reshape(-1, series.shape[1])
    explained = [
        ((y[start : start + _CHUNK] @ flat.T) ** 2).reshape(-1, len(designs), 4).sum(axis=2)
        for start in range(0, len(y), _CHUNK)
    ]
    return np.maximum((y**2).sum(axis=1)[:, None] - np.concatenate(explained), 0.0)


def _correlation(series: Floats, design: Floats) -> float:
    """Correlation of neighbouring residuals of one fit, corrected for its bias, on a grid of tenths."""
    noise = series - design @ np.linalg.lstsq(design, series, rcond=None)[0]
    squares = float(noise @ noise)
    raw = float(noise[1:] @ noise[:-1]) / squares if squares > 0 else 0.0
    return float(np.clip(np.round(raw + (1 + 3 * raw) / series.size, 1), 0.0, 0.9))
