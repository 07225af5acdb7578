"""Association of channels and exponents with external metrics along training (arXiv:2605.02968), and its tests."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.performance.metrics import FLOOR, metric_exponent
from gradcascade.performance.permutation import MIN_MATCHED, changes_test, lag_test, residuals, shift_test, trend_test
from gradcascade.performance.schedules import Schedule, published_schedules
from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.table_checks import require_columns
from gradcascade.tables.inferred import INFERRED
from gradcascade.tables.reasons import Reason, told

ALL = "all"
"""Stands in the place of a scale where the series is one of the whole family."""

RATE = 0.05
"""Largest expected share of false discoveries among those called so."""

TWINS = ("v_rel", "duration_per_n")
"""The two channels that are nearly one observable, since v_rel = (s / N) / n_steps."""

ASSOCIATION_SCHEMA = INFERRED["associations"].schema

_SERIES = ("family", "field", "scale", "channel")
Floats = NDArray[np.float64]


def channel_series(cascades: Cascades) -> pl.DataFrame:
    """v_rel and duration_per_n of every scale, their means over all scales and the exponents (scale "all")."""
    points = points_of(cascades).only(pl.col("variant") == "real")
    rows = points.rows.filter("included")
    # Rows keep their order: a mean added up in another one differs in its last bits, and so does the rank of a tie.
    scales = (
        rows.group_by("family", "field", "scale", "step", "run", maintain_order=True)
        .agg(pl.col(*TWINS).mean())
        .group_by("family", "field", "scale", "step", maintain_order=True)
        .agg(pl.col(*TWINS).mean())
        .unpivot(TWINS, index=["family", "field", "scale", "step"], variable_name="channel", value_name="value")
    )
    every = pl.col("scale").n_unique().over("family", "field")
    means = (
        scales.with_columns(_scales=every)
        .group_by("family", "field", "step", "channel")
        .agg(pl.col("value").mean(), _here=pl.len(), _scales=pl.col("_scales").first())
        .filter(pl.col("_here") == pl.col("_scales"))
        .with_columns(scale=pl.lit(ALL))
    )
    exponents = points.fits.drop_nulls("value").with_columns(scale=pl.lit(ALL), channel="exponent")
    columns = [*_SERIES, "step", "value"]
    return pl.concat([table.select(columns) for table in (scales, means, exponents)]).sort(*_SERIES, "step")


def metric_series(metrics: pl.DataFrame, sizes: Mapping[str, int]) -> pl.DataFrame:
    """Series along training: the log of every metric, and with scale "all" the slope of that on log n (beta_PPL)."""
    slopes = metric_exponent(metrics, sizes).drop_nulls("value").with_columns(scale=pl.lit(ALL))
    finite = metrics.filter(pl.col("value").is_finite().fill_null(False))
    logs = finite.with_columns(pl.col("value").cast(pl.Float64).clip(lower_bound=FLOOR).log())
    columns = ["family", "scale", "metric", "step", "value"]
    return pl.concat(
        [
            logs.with_columns(pl.format("log {}", "metric").alias("metric")).select(
                pl.col("step").cast(pl.Int64) if name == "step" else pl.col(name) for name in columns
            ),
            slopes.with_columns(pl.format("slope of {}", "metric").alias("metric")).select(columns),
        ]
    ).sort("family", "scale", "metric", "step")


def associations(
    series: pl.DataFrame,
    metrics: pl.DataFrame,
    schedules: Mapping[str, Schedule] | None = None,
) -> pl.DataFrame:
    """Associate every series with every metric of the same family and scale, over the steps that both have.

    What counts is ``detrended``: the correlation of the changes from step to step, less a smooth trend of each
    (:func:`gradcascade.performance.permutation.changes_test`), with its rate ``q_detrended``. The others describe:
    levels with ``p`` by shifts and ``p_naive`` as if steps were independent, ``partial`` with both residualised
    linearly on the learning rate; two series that merely have such trends reach as much with ``p_trend`` and
    ``p_partial_trend``. ``difference`` is of the changes as they are; ``lag`` where levels correlate most strongly,
    up to a quarter of the steps and at most ten (positive: the channel comes first); ``given_twin`` for v_rel given
    n_steps / N, and the reverse. ``q`` are Benjamini and Hochberg's, over the channels, scales and metrics of a
    family and field.
    """
    require_columns(series, (*_SERIES, "step", "value"), "table of series")
    require_columns(metrics, ("family", "scale", "metric", "step", "value"), "table of metric series")
    known = {key[:3]: part for key, part in metrics.group_by("family", "scale", "metric")}
    by_scale: dict[tuple[Any, Any], list[Any]] = {}
    for family, scale, metric in sorted(known):
        by_scale.setdefault((family, scale), []).append(metric)
    schedules = published_schedules() if schedules is None else schedules
    lines = {key: dict(part.select("step", "value").iter_rows()) for key, part in series.group_by(_SERIES)}
    rows = []
    for key in sorted(lines):
        family, field, scale, channel = key
        twin = {TWINS[0]: TWINS[1], TWINS[1]: TWINS[0]}.get(str(channel))
        for metric in by_scale.get((family, scale), []):
            theirs = dict(known[family, scale, metric].select("step", "value").iter_rows())
            other = lines.get((family, field, scale, twin))
            rows.append(
                dict(zip(_SERIES, key, strict=True))
                | {"metric": metric}
                | _association(lines[key], theirs, schedules.get(str(family)), other)
            )
    return _with_rates(pl.DataFrame(rows, schema=ASSOCIATION_SCHEMA))


def _association(
    ours: dict[int, float],
    theirs: dict[int, float],
    schedule: Schedule | None,
    twin: dict[int, float] | None,
) -> dict[str, Any]:
    from scipy.stats import rankdata

    steps = sorted(set(ours) & set(theirs))
    if len(steps) < MIN_MATCHED:
        few = Reason.of("few-matched", n_steps=len(steps), least=MIN_MATCHED)
        return {"n_steps": len(steps)} | told(few)
    x, y = (np.array([[values[step] for step in steps]], dtype=np.float64) for values in (ours, theirs))
    if not np.isfinite(_tested("r", x, y)["r"] or np.nan):
        which = "channel" if np.isnan(shift_test(x, x)[0][0]) else "metric"
        return {"n_steps": len(steps)} | told(Reason.of("constant-series", which=which))
    row: dict[str, Any] = {"n_steps": len(steps)}
    row |= _tested("pearson", x, y, "p")
    row["p_naive"] = _naive(float(row["pearson"]), len(steps))
    row |= _tested("spearman", rankdata(x, axis=1), rankdata(y, axis=1))
    row |= _tested("difference", np.diff(x), np.diff(y))
    row |= dict(zip(("detrended", "p_detrended"), map(_number, changes_test(x[0], y[0])), strict=True))
    row["p_trend"] = _number(trend_test(x[0], y[0]))
    lag, lagged, p = lag_test(x[0], y[0], min(10, len(steps) // 4))
    row |= {"lag": lag, "lagged": _number(lagged), "p_lagged": _number(p)}
    if schedule is not None:
        rate = schedule(np.array(steps))[None]
        row |= _tested("partial", residuals(x, rate), residuals(y, rate))
        row["p_partial_trend"] = _number(trend_test(x[0], y[0], rate))
    if twin is not None and all(step in twin for step in steps):
        given = np.array([[twin[step] for step in steps]], dtype=np.float64)
        row |= _tested("given_twin", residuals(x, given), residuals(y, given))
    return row


def _tested(name: str, x: Floats, y: Floats, p_name: str = "") -> dict[str, float | None]:
    r, p = shift_test(x, y)
    return {name: _number(r[0]), p_name or f"p_{name}": _number(p[0])}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _naive(r: float, steps: int) -> float:
    from scipy.stats import t

    if abs(r) >= 1:
        return 0.0
    return float(2 * t.sf(abs(r) * np.sqrt((steps - 2) / (1 - r * r)), steps - 2))


def _with_rates(table: pl.DataFrame) -> pl.DataFrame:
    """Fill in the false-discovery rates of each family and field."""
    from scipy.stats import false_discovery_control

    for p, q in (
        ("p", "q"),
        *((f"p_{name}", f"q_{name}") for name in ("partial", "spearman", "difference", "detrended")),
    ):
        rates = np.full(table.height, np.nan)
        for _, part in table.with_row_index("_row").drop_nulls(p).group_by("family", "field"):
            rates[part["_row"].to_numpy()] = false_discovery_control(part[p].to_numpy())
        table = table.with_columns(pl.Series(q, rates, dtype=pl.Float64).fill_nan(None))
    return table


def discoveries(associations: pl.DataFrame, rate: float = RATE) -> pl.DataFrame:
    """Rows of :func:`associations` with q of changes up to ``rate``, the strongest first."""
    found = associations.filter(pl.col("detrended").is_not_null(), pl.col("q_detrended") <= rate)
    return found.sort(pl.col("detrended").abs(), descending=True, maintain_order=True)
