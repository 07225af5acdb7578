"""Find the stable window of a family: where start-up ends and late drift begins in v_rel.

The rule: the logarithm of v_rel, averaged over the scales, is a plateau with, before it, a start-up that comes down
(or up) to it along a parabola and, behind it, a straight drift. Every pair of ends with a plateau of at least a third
of the steps is fitted by least squares, neighbouring steps allowed to be correlated; start-up and drift are kept only
if Schwarz's criterion, with the ends counted twice, is better for it.

A strongly correlated series without either often looks as if it had one. So where what is left is correlated, each
must also explain more than it does in all but one in forty such series of correlation 0.95
(benchmarks/interval_coverage.py): below that it cannot be told, and the window is that without it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.windows import Range, default_window
from gradcascade.tables.inferred import INFERRED
from gradcascade.tables.reasons import Reason, told
from gradcascade.vocabulary import REAL

MIN_FOUND = 12
"""Fewest steps in which a window is looked for."""

SHIFTS = 3
"""The search is repeated without up to this many steps at either end."""

FOUND_SCHEMA = INFERRED["found_windows"].schema
"""Columns of the table of found windows, in order."""

STARTUP_GAIN, DRIFT_GAIN = 70.0, 45.0
"""Least fall of steps x log(residual squares): the 97.5 % quantiles of series of correlation 0.95 with neither;
those of 12 to 400 steps are between 28 and 70, and 27 and 50."""

CALM, CALM_STEPS = 0.5, 100
"""In series of this many steps, residuals less correlated than this do not come from such series."""

_PLATEAU = 1 / 3
_SHORTEST = 3
_MOST_ENDS = 60
_CHUNK = 250
Floats = NDArray[np.float64]


def find_windows(cascades: Cascades) -> pl.DataFrame:
    """Find the window of every family and field from the v_rel of its real fields."""
    points = points_of(cascades)
    scales = pl.col("scale").n_unique().over("family", "field")
    series = (
        points.logs.filter(pl.col("variant") == REAL)
        .with_columns(_scales=scales)
        .group_by("family", "field", "step")
        .agg(pl.col("log_v_rel").mean(), _here=pl.len(), _scales=pl.col("_scales").first())
        .filter(pl.col("_here") == pl.col("_scales"))
        .sort("step")
    )
    found = []
    for family, field, steps in (
        points.rows.group_by("family", "field").agg(pl.col("step").unique()).sort("family", "field").iter_rows()
    ):
        here = series.filter(pl.col("family") == family, pl.col("field") == field)
        row: dict[str, Any] = {"family": family, "field": field, "n_steps": here.height}
        if here.height < MIN_FOUND:
            first, last = default_window(steps)
            few = Reason.of("few-steps-to-search", n_steps=here.height, least=MIN_FOUND)
            found.append(row | {"first": first, "last": last} | told(few))
            continue
        found.append(row | _found(here["step"].to_numpy(), here["log_v_rel"].to_numpy()))
    return pl.DataFrame(found, schema=FOUND_SCHEMA)


def found_window(table: pl.DataFrame) -> dict[tuple[str, str], Range]:
    """Turn a table of found windows into what the other functions take as a window."""
    return {row[:2]: row[2:] for row in table.select("family", "field", "first", "last").iter_rows()}


def plateaus(series: Floats) -> NDArray[np.int64]:
    """Find the plateaus of many series of one length."""
    return searched(series)[0]


def searched(series: Floats) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Find the plateaus of many series, and of which a start-up or a drift cannot be told from correlated noise."""
    count, steps = series.shape
    off = series - series.mean(axis=1, keepdims=True)
    largest = np.abs(off).max(axis=1, keepdims=True)
    flat = largest[:, 0] <= 8 * np.finfo(np.float64).eps * (1 + np.abs(series).max(axis=1))
    unit = off / np.where(flat[:, None], 1.0, largest)
    first, last = _ends(steps)
    phi, ends, untold = np.zeros(count), np.zeros((count, 2), dtype=np.int64), np.zeros((count, 2), dtype=bool)
    # The correlation is that of what the best fit leaves; it changes the weight of the evidence, so fit again.
    for turn in range(3):
        for value in np.unique(phi):
            here = np.flatnonzero(phi == value)
            calm = value < CALM and steps >= CALM_STEPS
            for rows in np.split(here, range(_CHUNK, here.size, _CHUNK)):
                rest = steps * np.log(np.maximum(_squares(unit[rows], first, last, float(value)), 1e-300) / steps)
                ends[rows], untold[rows] = _best(rest, first, last, steps, gated=turn == 2 and not calm)
        phi = np.array([_correlation(*each) for each in zip(unit, *ends.T, strict=True)])
    return np.where(flat[:, None], [0, steps - 1], ends), untold & ~flat[:, None]


def _best(
    rest: Floats, first: NDArray[np.int64], last: NDArray[np.int64], steps: int, *, gated: bool
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Ends that the criterion prefers; if ``gated``, without parts that explain too little, and which those are."""
    # Every end counts as two parameters; a parabola has two coefficients, a line one.
    parameters = 4 * (first > 0)[:, None] + 3 * (last < steps - 1)
    wide = last - first[:, None] + 1 >= steps * _PLATEAU
    criterion = rest + np.where(wide, parameters * np.log(steps), np.inf)
    places, count = np.arange(len(rest)), len(rest)
    with_parts = [first > 0, last < steps - 1]
    allowed = np.ones((count, 2), dtype=bool)
    untold = np.zeros((count, 2), dtype=bool)
    while True:
        kept = (allowed[:, 0, None] | ~with_parts[0])[:, :, None] & (allowed[:, 1, None] | ~with_parts[1])[:, None]
        best = np.where(kept, criterion, np.inf).reshape(count, -1).argmin(axis=1)
        begin, end = np.unravel_index(best, wide.shape)
        if not gated:
            break
        fails = np.zeros((count, 2), dtype=bool)
        chosen = np.stack([with_parts[0][begin], with_parts[1][end]], axis=1)
        # What is left without a part: neither it nor another that was not chosen either.
        few = (chosen[:, 0, None] | ~with_parts[0])[:, :, None] & (chosen[:, 1, None] | ~with_parts[1])[:, None]
        for part, least in enumerate((STARTUP_GAIN, DRIFT_GAIN)):
            without = (~with_parts[0][:, None] if part == 0 else ~with_parts[1][None]) & wide & few
            gain = np.where(without, rest, np.inf).reshape(count, -1).min(axis=1) - rest[places, begin, end]
            fails[:, part] = chosen[:, part] & (gain < least)
        # One at a time: without the drift, the start-up may explain more.
        fails[fails.all(axis=1), 0] = False
        if not fails.any():
            break
        allowed &= ~fails
        untold |= fails
    return np.stack([first[begin], last[end]], axis=1), untold


def _found(steps: NDArray[np.int64], series: Floats) -> dict[str, Any]:
    ends, untold = searched(series[None])
    (first, last), (no_startup, no_drift) = ends[0].tolist(), untold[0].tolist()
    firsts, lasts = [int(steps[first])], [int(steps[last])]
    for shift in range(1, SHIFTS + 1):
        for cut, start in ((series[shift:], shift), (series[:-shift], 0)):
            if cut.size >= MIN_FOUND:
                begin, end = plateaus(cut[None])[0].tolist()
                # An end that is the edge of the shortened series stands for the edge itself.
                firsts.append(int(steps[0 if begin == 0 else begin + start]))
                lasts.append(int(steps[-1] if end == cut.size - 1 else steps[end + start]))
    return {
        "first": firsts[0],
        "last": lasts[0],
        "startup": None if no_startup else first > 0,
        "drift": None if no_drift else last < series.size - 1,
        "first_low": min(firsts),
        "first_high": max(firsts),
        "last_low": min(lasts),
        "last_high": max(lasts),
    }


def _ends(steps: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places where a plateau may begin and where it may end; long series get a coarser grid."""
    stride = max(1, round(steps / _MOST_ENDS))
    first = np.concatenate([[0], np.arange(_SHORTEST, steps, stride)])
    last = np.concatenate([[steps - 1], np.arange(steps - 1 - _SHORTEST, 0, -stride)])
    return first.astype(np.int64), last.astype(np.int64)


def _startups(steps: int, first: NDArray[np.int64]) -> Floats:
    """Regressors of start-ups that end at ``first``, shape (ends, 2, steps): a ramp and its square; zero for none."""
    ramp = np.maximum(0, first[:, None] - np.arange(steps)) / np.maximum(first, 1)[:, None]
    return np.stack([ramp, ramp**2], axis=1)


def _drifts(steps: int, last: NDArray[np.int64]) -> Floats:
    """Regressor of drifts that begin at ``last``, shape (ends, steps): a ramp; zero for none."""
    return np.maximum(0, np.arange(steps) - last[:, None]) / np.maximum(steps - 1 - last, 1)[:, None]


def _squares(series: Floats, first: NDArray[np.int64], last: NDArray[np.int64], phi: float) -> Floats:
    """Residual squares under correlated noise, shape (series, firsts, lasts).

    A start-up and a drift never share a step, nor neighbouring ones while the plateau has any, so their regressors
    stay orthogonal: what each explains is found once per end, and a pair adds only what is left of the level.
    """

    def whitened(values: Floats) -> Floats:
        head = values[..., :1] * np.sqrt(1 - phi**2)
        return np.concatenate([head, values[..., 1:] - phi * values[..., :-1]], axis=-1)

    steps = series.shape[1]
    y, level = whitened(series), whitened(np.ones(steps))
    startup = _orthonormal(whitened(_startups(steps, first)))
    drift = _orthonormal(whitened(_drifts(steps, last))[:, None])
    y_startup = np.tensordot(y, startup, axes=(1, 2))
    y_drift = np.tensordot(y, drift, axes=(1, 2))
    level_startup, level_drift = startup @ level, drift @ level
    left = level @ level - (level_startup**2).sum(axis=1)[:, None] - (level_drift**2).sum(axis=1)
    along = (
        (y @ level)[:, None, None]
        - (y_startup * level_startup).sum(axis=2)[:, :, None]
        - (y_drift * level_drift).sum(axis=2)[:, None, :]
    )
    explained = (y_startup**2).sum(axis=2)[:, :, None] + (y_drift**2).sum(axis=2)[:, None, :]
    explained += along**2 / np.where(left > 0, left, np.inf)  # ends that cross each other can leave nothing
    return np.maximum((y**2).sum(axis=1)[:, None, None] - explained, 0.0)


def _orthonormal(regressors: Floats) -> Floats:
    """Orthonormal bases of each set of regressors, shape (sets, regressors, steps); absent ones stay zero."""
    basis = np.zeros_like(regressors)
    present = regressors.any(axis=(1, 2))
    basis[present] = np.linalg.qr(regressors[present].transpose(0, 2, 1))[0].transpose(0, 2, 1)
    return basis


def _correlation(series: Floats, first: np.int64, last: np.int64) -> float:
    """Correlation of neighbouring residuals of one fit, corrected for its bias, on a grid of tenths."""
    steps = series.size
    design = np.vstack([np.ones(steps), _startups(steps, np.array([first]))[0], _drifts(steps, np.array([last]))]).T
    noise = series - design @ np.linalg.lstsq(design, series, rcond=None)[0]
    squares = float(noise @ noise)
    raw = float(noise[1:] @ noise[:-1]) / squares if squares > 0 else 0.0
    return float(np.clip(np.round(raw + (1 + 3 * raw) / steps, 1), 0.0, 0.9))
