"""Whether one power law fails by more than runs of a scale differ: lack of fit against pure error.

The classical F takes runs of all scales as equally noisy: ``F = (SS_lof / (k - 2)) / (SS_pe / (n - k))``. Where they
are not, the scales' own variances stand below it, ``SS_lof / sum (1 - h_i) s_i^2``, with both degrees of freedom
after Satterthwaite (Brown and Forsythe, Technometrics 16, 1974; Mehrotra, Communications in Statistics B 26, 1997).
That one finds too little with few runs and never too much, the classical one twice too much where scales differ
(benchmarks/interval_coverage.py); so it gives ``p``, and the classical one ``p_equal``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.fields.nulls import NULLS, undrawn
from gradcascade.scaling.fits import EXPONENTS
from gradcascade.scaling.multiplicity import holm_over_exponents
from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.regression import MIN_SCALES
from gradcascade.scaling.run_errors import SizeMeans, size_means
from gradcascade.scaling.window_means import RunSteps, of_runs, trajectories
from gradcascade.scaling.windows import Window
from gradcascade.tables.inferred import INFERRED
from gradcascade.tables.reasons import Reason, because, columns, kept, told

STEP_SCHEMA, WINDOW_SCHEMA = INFERRED["lack_of_fit"].schema, INFERRED["window_lack_of_fit"].schema
"""Columns of both tables, in order."""

_P = ("f", "p", "p_equal")
SHARED = "shared-draws"
"""Why the law of a null is not set against its runs: the seed follows from the step, in every run."""

Floats = NDArray[np.float64]


def lack_of_fit(cascades: Cascades) -> pl.DataFrame:
    """Test the line of every exponent at every step against the scatter of the runs there."""
    points = points_of(cascades)
    everywhere = dict.fromkeys(points.windows, (-(2**62), 2**62))
    tables = [_at_steps(each) for each in of_runs(points.run_logs, everywhere, "variant")]
    table = pl.concat([pl.DataFrame(schema=STEP_SCHEMA), *tables])
    order = {name: place for place, name in enumerate(EXPONENTS)}
    return table.sort("family", "field", "variant", "step", pl.col("exponent").replace_strict(order))


def window_lack_of_fit(cascades: Cascades, window: Window = None) -> pl.DataFrame:
    """The same of the runs' means over the window."""
    points = points_of(cascades, window)
    rows: list[dict[str, Any]] = []
    for each in trajectories(points):
        means = each.means()
        found = _tests(*_arrays(size_means(means))) if means.size.size else {}
        shared = _shares_draws(each.name[2]) and means.size.size > means.sizes
        if "p" in found:
            found["p_adjusted"] = holm_over_exponents(found["p"][:, 0])[:, None]
        for place, exponent in enumerate(EXPONENTS):
            shown = [name for name in found if not shared or name not in (*_P, "p_adjusted")]
            numbers = {name: found[name][place, 0].item() for name in shown}
            why = told(means.reason or (Reason.of(SHARED) if shared else None))
            rows.append(each.names | {"exponent": exponent, "n_steps": means.steps} | numbers | why)
    return _with_reasons(pl.DataFrame(rows, schema=WINDOW_SCHEMA, strict=False)).select(*WINDOW_SCHEMA)


def line_tests(sizes: SizeMeans) -> dict[str, NDArray[Any]]:
    """F tests of the line of every channel: R2, f, p and p_equal, shape (channels,)."""
    found = _tests(*_arrays(sizes))
    return {name: found[name][:, 0] for name in ("r2", *_P)}


def _arrays(sizes: SizeMeans) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:
    squares = np.where(sizes.runs > 1, sizes.variance * (sizes.runs - 1), 0.0)
    return sizes.log_n[None], sizes.means[:, None], squares[:, None], sizes.runs[None]


def _at_steps(each: RunSteps) -> pl.DataFrame:
    there = np.isfinite(each.x)
    places = np.where(there, each.x, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    group = np.unique(np.round(places, 9), return_inverse=True)[1]
    own = np.eye(int(group.max(initial=-1)) + 1)[group]
    count = (there @ own).astype(np.int64)
    level = np.where(there, each.logs, 0) @ own / np.maximum(count, 1)
    squares = np.where(there, (each.logs - level[:, :, group]) ** 2, 0) @ own
    squares[squares <= (64 * np.finfo(np.float64).eps * (1 + np.abs(level))) ** 2] = 0.0
    x = np.where(there, each.x, 0) @ own / np.maximum(count, 1)
    found = _tests(x, level, squares, count)
    shape = (len(EXPONENTS), len(each.steps))
    found_here = each.names | {
        "step": np.tile(each.steps, len(EXPONENTS)),
        "exponent": np.repeat(EXPONENTS, shape[1]),
    }
    found_here |= {name: np.broadcast_to(values, shape).ravel() for name, values in found.items()}
    shared = pl.lit(_shares_draws(each.name[2])) & (pl.col("n_runs") > pl.col("n_scales"))
    table = pl.DataFrame(found_here, schema_overrides={"step": pl.Int64}).with_columns(
        pl.when(~shared).then(pl.col(*_P)), *columns(pl.when(shared).then(because(SHARED)))
    )
    return _with_reasons(table).select(pl.col(name).cast(kind) for name, kind in STEP_SCHEMA.items())


def _shares_draws(variant: str) -> bool:
    return variant in NULLS and variant not in undrawn()


def _with_reasons(table: pl.DataFrame) -> pl.DataFrame:
    why = (
        pl.when(pl.col("n_scales") < MIN_SCALES)
        .then(because("few-sizes-for-line"))
        .when(pl.col("n_runs") <= pl.col("n_scales"))
        .then(because("no-several-runs"))
        .when(pl.col("p_equal").is_null())
        .then(because("equal-runs"))
    )
    numbers = [name for name, kind in table.schema.items() if kind == pl.Float64]
    return table.with_columns(pl.col(numbers).fill_nan(None)).with_columns(*columns(pl.coalesce(kept(), why)))


def _tests(x: Floats, level: Floats, squares: Floats, count: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """F tests of lines; ``level`` and ``squares`` have the channels first, a size without runs counts nothing."""
    from scipy.stats import f

    sizes, runs = (count > 0).sum(axis=1), count.sum(axis=1)
    root = np.sqrt(count)
    middle = (count * x).sum(axis=1, keepdims=True) / np.maximum(runs, 1)[:, None]
    off = np.where(count > 0, x - middle, 0.0)
    norm = (count * off**2).sum(axis=1, keepdims=True)
    basis = np.stack(
        [root / np.sqrt(np.maximum(runs, 1))[:, None], root * off / np.sqrt(np.where(norm > 0, norm, 1))]
    )
    y = root * np.where(count > 0, level, 0.0)
    fitted = np.einsum("pgk,cgk->cgp", basis, y)
    rest = y - np.einsum("pgk,cgp->cgk", basis, fitted)
    lack, total = (rest**2).sum(axis=2), ((y - fitted[:, :, :1] * basis[0]) ** 2).sum(axis=2)
    free, own = np.maximum(sizes - 2, 1), runs - sizes
    pure = squares.sum(axis=2)
    known = (sizes >= MIN_SCALES) & (norm[:, 0] > 0) & (own > 0) & (pure > 0)
    left = np.where(count > 0, 1 - (basis**2).sum(axis=0), 0.0)
    several = ((count > 1) | (count == 0)).all(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = lack / free / (pure / np.maximum(own, 1))
        equal = f.sf(ratio, free, np.maximum(own, 1))
        variance = np.where(count > 1, squares / np.maximum(count - 1, 1), 0.0)
        below = (left * variance).sum(axis=2)
        crossed = np.einsum("pgk,cgk,qgk->cgpq", basis, variance, basis)
        traces = (variance**2 * (1 - 2 * (1 - left)) * (count > 0)).sum(axis=2) + (crossed**2).sum(axis=(2, 3))
        degrees = below**2 / traces, below**2 / ((left * variance) ** 2 / np.maximum(count - 1, 1)).sum(axis=2)
        unequal = f.sf(lack / below, *degrees)
        r2 = np.where(total > 0, 1 - lack / np.where(total > 0, total, 1), np.nan)
    robust = known & several & (below > 0)
    fits = (sizes >= MIN_SCALES) & (norm[:, 0] > 0)
    return {
        "r2": np.where(fits, r2, np.nan),
        "f": np.where(robust, lack / np.where(below > 0, below, 1), np.where(known, ratio, np.nan)),
        "p": np.where(robust, unequal, np.where(known, equal, np.nan)),
        "p_equal": np.where(known, equal, np.nan),
        "n_scales": np.broadcast_to(sizes, lack.shape),
        "n_runs": np.broadcast_to(runs, lack.shape),
    }
