"""Answers that look beyond the study: external metrics, and the published values of arXiv:2605.02968."""

from dataclasses import replace

import polars as pl

from gradcascade.fields.kinds import field_plural
from gradcascade.performance.association import ALL, RATE, discoveries
from gradcascade.report.answers.base import Answer, answer, commonest, interval, label
from gradcascade.report.data import Group, ReportData, of_group
from gradcascade.report.page_tables import MINUS, signed
from gradcascade.scaling.comparison import compare_published
from gradcascade.scaling.published import (
    compare_summaries,
    published_associations,
    published_exponents,
)
from gradcascade.scaling.windows import published_windows
from gradcascade.tables.reasons import SENTENCES
from gradcascade.vocabulary import SYMBOLS

SUMMARIES = {
    **{f"r2_{name}": f"mean R² of {symbol}" for name, symbol in SYMBOLS.items()},
    "cv_v_rel": "variation of v_rel over scales",
    "dist_share_z": "share of dist in z",
    "assign_share_z": "share of assign in z",
}
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
    return answer("metric-exponents", sentences, known, full)


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
            "Beyond a smooth trend, which almost everything has along training, the changes from step to step go "
            f"together more than chance explains in {strong.height:,} of {known.height:,} pairs of a channel and a "
            f"metric (q at most {RATE:g}). None of this shows a cause."
        ]
        for row in strong.head(3).to_dicts():
            sentences.append(
                f"{label(data, row)}, scale {row['scale']}: {CHANNELS.get(row['channel'], row['channel'])} with "
                f"{row['metric']}, r of changes = {signed(row['detrended'], 2)} over {row['n_steps']:,} steps (of "
                f"levels {signed(row['pearson'], 2)}, which series with such trends reach by themselves with p = "
                f"{row['p_trend']:.2g})."
            )
    rows = full.sort("q_detrended", pl.col("detrended").abs(), descending=[False, True], nulls_last=True)
    theirs = published_associations().select("family", "channel", "metric", published="pearson", scale=pl.lit(ALL))
    rows = rows.join(theirs, on=["family", "scale", "channel", "metric"], how="left", maintain_order="left")
    made = answer("associations", sentences, rows.with_columns(pl.col("channel").replace(CHANNELS)), full)
    empty = [name for name in made.table.columns[5:] if made.table[name].is_null().all()]
    return replace(made, table=made.table.drop(empty))


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
    quantity = pl.struct("exponent", "variant").map_elements(_name, return_dtype=pl.String)
    rows = known.with_columns(quantity=quantity, ours="scales_value")
    summaries = compare_summaries(cascades, spans).with_columns(
        pl.col("quantity").replace(SUMMARIES),
        ours="value",
        sd="spread",
        less="difference",
        reason=pl.col("code").replace_strict(SENTENCES, default=None, return_dtype=pl.String),
    )
    columns = [name for name in summaries.columns if name in rows.columns]
    return answer("published", sentences, pl.concat([rows, summaries.select(columns)], how="diagonal"), known)


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
