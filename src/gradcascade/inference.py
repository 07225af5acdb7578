"""All answers about a table of cascades at once: exponents with their intervals, windows, verdicts, associations."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from gradcascade.performance.association import associations, channel_series, metric_series
from gradcascade.performance.metrics import metric_exponents
from gradcascade.performance.schedules import Schedule
from gradcascade.scaling.compressibility import compressibility_null
from gradcascade.scaling.continuous import fit_continuous, rounding
from gradcascade.scaling.contrasts import field_contrasts
from gradcascade.scaling.curvature import curvature, window_curvature
from gradcascade.scaling.duration_law import duration_laws, window_duration_law
from gradcascade.scaling.exponents import fit_exponents
from gradcascade.scaling.found_windows import find_windows
from gradcascade.scaling.leave_one_out import leave_one_out
from gradcascade.scaling.null_differences import null_differences, window_null_errors
from gradcascade.scaling.verdict import verdicts
from gradcascade.scaling.weighted import weighted_exponents
from gradcascade.scaling.window_means import ALL_PARTS, window_differences, window_intervals
from gradcascade.scaling.windows import Window


def infer(
    cascades: pl.DataFrame,
    window: Window = None,
    metrics: pl.DataFrame | None = None,
    schedules: Mapping[str, Schedule] | None = None,
) -> dict[str, pl.DataFrame]:
    """Answer everything that the table of cascades can.

    Parameters
    ----------
    cascades : polars.DataFrame
        As for :func:`gradcascade.scaling.exponents.fit_exponents`; with ``activity`` also the continuous duration.
    window : tuple, mapping or None
        As in :func:`gradcascade.scaling.windows.windows`.
    metrics : polars.DataFrame, optional
        ``family, scale, step, metric, value``.
    schedules : mapping of str to callable
        Learning rate at given steps, by family, for the partial correlations; the published ones by default.

    Returns
    -------
    dict of str to polars.DataFrame
        ``verdicts, intervals, differences, contrasts, null_errors, found_windows`` (over the window),
        ``leave_one_out, curvature, laws, compressibility, weighted, null_differences`` (per step),
        ``window_curvature, window_laws``; with activity profiles ``continuous`` and ``rounding``; with metrics
        ``metric_exponents`` (beta_PPL, alpha_acc) and ``associations``. Each is the table of the function that its
        module documents.

    Raises
    ------
    InputError
        As :func:`gradcascade.scaling.exponents.fit_exponents`, or if the window is not two ordered steps.
    """
    bends, laws = curvature(cascades), duration_laws(cascades)
    tables = {
        "verdicts": verdicts(cascades, window),
        "intervals": window_intervals(cascades, window),
        "differences": window_differences(cascades, window, parts=ALL_PARTS),
        "contrasts": field_contrasts(cascades, window),
        "null_differences": null_differences(cascades),
        "null_errors": window_null_errors(cascades, window),
        "found_windows": find_windows(cascades),
        "leave_one_out": leave_one_out(cascades),
        "curvature": bends,
        "window_curvature": window_curvature(bends, window),
        "laws": laws,
        "window_laws": window_duration_law(laws, window),
        "compressibility": compressibility_null(fit_exponents(cascades)),
        "weighted": weighted_exponents(cascades),
    }
    if "activity" in cascades.columns:
        tables |= {"continuous": fit_continuous(cascades), "rounding": rounding(cascades, window)}
    if metrics is not None and metrics.height:
        known = []
        for part in cascades.partition_by("family"):
            # Scales of several families may share a name, but not an n.
            sizes = dict(part.group_by("scale").agg(pl.col("n").max()).iter_rows())
            own = metrics.filter(pl.col("family") == part["family"][0])
            known.append(associations(channel_series(part), metric_series(own, sizes), schedules))
        tables |= {
            "metric_exponents": metric_exponents(metrics, cascades),
            "associations": pl.concat(known),
        }
    return tables
