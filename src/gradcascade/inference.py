"""All answers about a table of cascades at once: exponents with their intervals, windows, verdicts, associations."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from gradcascade.performance.association import associations, channel_series, metric_series
from gradcascade.performance.metrics import metric_exponents, metrics_over_runs
from gradcascade.performance.schedules import Schedule
from gradcascade.scaling.compressibility import compressibility_null
from gradcascade.scaling.continuous import fit_continuous, rounding
from gradcascade.scaling.contrasts import field_contrasts
from gradcascade.scaling.corrections import corrections
from gradcascade.scaling.curvature import curvature, window_curvature
from gradcascade.scaling.duration_law import duration_laws, window_duration_law
from gradcascade.scaling.durations import by_duration, duration_intervals, duration_verdicts, run_intervals
from gradcascade.scaling.found_windows import find_windows
from gradcascade.scaling.health import healthy_points, run_health
from gradcascade.scaling.lack_of_fit import lack_of_fit, window_lack_of_fit
from gradcascade.scaling.leave_one_out import leave_one_out
from gradcascade.scaling.local_exponents import local_exponents
from gradcascade.scaling.measured_designs import design_curves, designs
from gradcascade.scaling.null_differences import null_differences, window_null_errors
from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.profile_collapse import collapses_of, fit_collapse, window_collapse
from gradcascade.scaling.variance_split import variance_split
from gradcascade.scaling.verdict import verdicts
from gradcascade.scaling.weighted import weighted_exponents
from gradcascade.scaling.window_means import all_parts, window_differences, window_intervals
from gradcascade.scaling.windows import Window


def infer(
    cascades: Cascades,
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
        ``window_curvature, window_laws, lack_of_fit, window_lack_of_fit``, ``local_exponents, corrections`` (to the
        power laws, of six and more scales), ``runs, variances, designs, design_curves``, ``health``;
        where a run is not healthy ``healthy_intervals``; with activity profiles ``continuous``, ``rounding``,
        ``collapse``, ``window_collapse``, ``duration_verdicts``, ``duration_intervals`` and ``run_intervals`` (empty
        without several runs); with metrics ``metric_exponents`` (beta_PPL, alpha_acc) and ``associations``.

    Raises
    ------
    InputError
        As :func:`gradcascade.scaling.exponents.fit_exponents`, or if the window is not two ordered steps.
    """
    points = points_of(cascades, window)
    tables = {
        "verdicts": verdicts(points),
        "intervals": window_intervals(points),
        "differences": window_differences(points, parts=all_parts(points.rows["variant"])),
        "contrasts": field_contrasts(points),
        "null_differences": null_differences(points),
        "null_errors": window_null_errors(points),
        "found_windows": find_windows(points),
        "leave_one_out": leave_one_out(points),
        "curvature": curvature(points),
        "window_curvature": window_curvature(points),
        "local_exponents": local_exponents(points),
        "corrections": corrections(points),
        "lack_of_fit": lack_of_fit(points),
        "window_lack_of_fit": window_lack_of_fit(points),
        "laws": duration_laws(points),
        "window_laws": window_duration_law(points),
        "compressibility": compressibility_null(points.fits),
        "weighted": weighted_exponents(points),
        "runs": points.n_runs,
        "variances": variance_split(points),
        "designs": designs(points),
        "design_curves": design_curves(points),
        "health": run_health(points, metrics),
    }
    if not tables["health"].is_empty():
        tables["healthy_intervals"] = window_intervals(healthy_points(points, tables["health"]))
    if "activity" in points.rows.columns:
        collapses = collapses_of(points)
        durations = by_duration(points, collapses["duration"])
        tables |= {
            "continuous": fit_continuous(points),
            "rounding": rounding(points),
            "collapse": fit_collapse(collapses),
            "window_collapse": window_collapse(collapses, points),
            "duration_verdicts": duration_verdicts(durations),
            "duration_intervals": duration_intervals(durations),
            "run_intervals": run_intervals(durations),
        }
    if metrics is not None and metrics.height:
        metrics = metrics_over_runs(metrics)
        known = []
        for family in points.rows.get_column("family").unique().sort():
            part = points.only(pl.col("family") == family)
            # Scales of several families may share a name, but not an n.
            sizes = dict(part.rows.group_by("scale").agg(pl.col("n").max()).iter_rows())
            own = metrics.filter(pl.col("family") == family)
            known.append(associations(channel_series(part), metric_series(own, sizes), schedules))
        tables |= {
            "metric_exponents": metric_exponents(metrics, points.rows),
            "associations": pl.concat(known),
        }
    return tables
