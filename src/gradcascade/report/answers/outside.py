"""Answers that look beyond the study: external metrics, and the published values of arXiv:2605.02968."""

from __future__ import annotations

import polars as pl

from gradcascade.fields.kinds import field_plural
from gradcascade.performance.discoveries import RATE, discoveries
from gradcascade.report.answers.base import Answer, answer, commonest, interval, label, without_empty_missing
from gradcascade.report.data import Group, ReportData, of_group
from gradcascade.report.page_tables import MINUS, signed
from gradcascade.scaling.comparison import compare_published
from gradcascade.scaling.published import (
    NOT_COMPARABLE,
    compare_summaries,
    published_associations,
    published_exponents,
)
from gradcascade.scaling.windows import published_windows
from gradcascade.vocabulary import SYMBOLS

SUMMARIES = {
    **{f"r2_{name}": f"mean R² of {symbol}" for name, symbol in SYMBOLS.items()},
    "cv_v_rel": "variation of v_rel over scales",
    "dist_share_z": "share of dist in z",
    "assign_share_z": "share of assign in z",
}
ASSOCIATIONS = {
    **{"pearson": "r", "p": "p", "q": "q", "partial": "r given learning rate", "spearman": "Spearman"},
    **{"difference": "r of changes", "lag": "lag", "given_twin": "r given twin"},
    **{"n_steps": "steps", "reason": "missing because"},
}
"""Columns of the associations in the words of the page."""

CHANNELS = {"v_rel": "v_rel", "duration_per_n": "n_steps/N", **SYMBOLS}


def metric_answer(data: ReportData) -> Answer | None:
    """Say how the external metrics change with scale."""
    if "metric_exponents" not in data.answers:
        return None
    full = data.answers["metric_exponents"]
    known = full.filter(pl.col("value").is_not_null())
    sentences = []
    for row in known.group_by("family", "metric", maintain_order=True).last().to_dicts():
        family = f"{row['family']}, " if len(data.families) > 1 else ""
        sentences.append(
            f"{family}{row['metric']}: at the last step with at least three scales, {row['step']:,}, the slope of "
            f"its logarithm on log N is {signed(row['value'])} ({interval(row['low'], row['high'])}, "
            f"{row['n_scales']} scales)."
        )
    if not sentences:
        why = commonest(full["reason"]) or "no metric belongs to a family here"
        sentences = [f"No slope of a metric can be fitted: {why}."]
    table = known.select("family", "metric", "step", "value", "low", "high", "r2", "n_scales")
    table = table.rename({"value": "slope", "r2": "R2"})
    return answer("metric-exponents", sentences, table, full)


def association_answer(data: ReportData) -> Answer | None:
    """Say which channels go with an external metric along training."""
    if "associations" not in data.answers:
        return None
    full = data.answers["associations"]
    known = full.filter(pl.col("pearson").is_not_null())
    if known.is_empty():
        why = commonest(full["reason"]) or "the metric shares no step with a channel"
        sentences = [f"No channel can be tested against the metric: {why}."]
    else:
        strong = discoveries(known)
        sentences = [
            f"{strong.height:,} of {known.height:,} pairs of a channel and a metric go together along training more "
            f"than chance explains (q at most {RATE:g}). Both change with training, so none of this shows a cause."
        ]
        for row in strong.head(3).to_dicts():
            sentences.append(
                f"{label(data, row)}, scale {row['scale']}: {CHANNELS.get(row['channel'], row['channel'])} with "
                f"{row['metric']}, r = {signed(row['pearson'], 2)} over {row['n_steps']:,} steps."
            )
    table = full.sort("q", pl.col("pearson").abs(), descending=[False, True], nulls_last=True).select(
        "family",
        "field",
        "scale",
        pl.col("channel").replace(CHANNELS),
        "metric",
        *(pl.col(name).alias(heading) for name, heading in ASSOCIATIONS.items()),
    )
    known_r = published_associations().select("family", "channel", "metric", pl.col("pearson").alias("published r"))
    known_r = known_r.with_columns(pl.col("channel").replace(CHANNELS), scale=pl.lit("all"))
    table = table.join(known_r, on=["family", "scale", "channel", "metric"], how="left", maintain_order="left")
    missing = [name for name in table.columns[5:] if table[name].is_null().all()]
    return answer("associations", sentences, table.drop(missing), full)


def published_answer(data: ReportData) -> Answer | None:
    """Set the exponents of a published family beside the published ones."""
    names = set(published_exponents().select("family", "field").iter_rows())
    groups = [group for group in data.groups if group in names]
    if not groups:
        return None
    cascades = pl.concat([of_group(data.cascades, group) for group in groups])
    spans = _spans(data, groups)
    known = compare_published(cascades, spans)
    tested = known.filter(pl.col("inside").is_not_null())
    sentences = []
    for group in groups:
        here = of_group(tested, group)
        first, last = spans[group]
        span = f"steps {first:,} to {last:,}"
        span += ", the published window" if published_windows(data.cascades).get(group) == spans[group] else ""
        start = f"{group[0]}, {field_plural(group[1])} ({span})"
        if here.is_empty():
            sentences.append(f"{start}: nothing measured here can be set beside the published values.")
            continue
        far = here.filter(~pl.col("inside")).to_dicts()
        sentence = f"{start}: {here['inside'].sum()} of {here.height} published values lie inside our 95 % intervals"
        if far:
            parts = [f"{_name(row)} ({signed(row['apart'], 1)} standard errors)" for row in far]
            sentence += f"; outside are {', '.join(parts)}"
        sentences.append(f"{sentence}.")
    table = [
        {
            "family": row["family"],
            "field": row["field"],
            "quantity": _name(row),
            "ours": signed(row["scales_value"]),
            "95 %": interval(row["low"], row["high"]),
            "ours over steps": _spread(row["value"], row["sd"]),
            "published": _spread(row["published"], row["published_sd"]),
            "ours less published": signed(row["less"]),
            "SE apart": row["apart"],
            "inside": None if row["inside"] is None else "yes" if row["inside"] else "no",
            "missing because": row["reason"],
        }
        for row in known.to_dicts()
    ]
    summaries = compare_summaries(cascades, spans)
    table += [
        {
            "family": row["family"],
            "field": row["field"],
            "quantity": SUMMARIES.get(row["quantity"], row["quantity"]),
            "ours": signed(row["value"]),
            "ours over steps": _spread(row["value"], row["spread"]),
            "published": signed(row["published"]),
            "ours less published": signed(row["difference"]),
            "missing because": NOT_COMPARABLE.get(row["code"]),
        }
        for row in summaries.to_dicts()
    ]
    frame = without_empty_missing(pl.DataFrame(table, infer_schema_length=None), "missing because")
    return answer("published", sentences, frame, known)


def _spans(data: ReportData, groups: list[Group]) -> dict[Group, tuple[int, int]]:
    """The published window where it holds a measured step, else the one used."""
    published = published_windows(data.cascades)
    spans = {}
    for group in groups:
        steps = of_group(data.cascades, group)["step"]
        there = group in published and steps.is_between(*published[group]).any()
        spans[group] = published[group] if there else data.windows[group]
    return spans


def _name(row: dict[str, str]) -> str:
    symbol = SYMBOLS[row["exponent"]]
    return symbol if row["variant"] == "real" else f"{symbol} of {row['variant'].replace('-', MINUS)}"


def _spread(value: float | None, sd: float | None) -> str:
    return signed(value) if sd is None else f"{signed(value)} ± {sd:.3f}"
