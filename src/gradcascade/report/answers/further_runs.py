"""Answers for who plans the next runs: where the logarithms vary, and what one more run or scale would give."""

import polars as pl

from gradcascade.report.answers.base import Answer, answer, label, real_first
from gradcascade.report.data import ReportData, of_group
from gradcascade.vocabulary import SYMBOLS

PARTS = {
    "run_sd": "between runs of a scale",
    "common_sd": "from step to step, all runs alike",
    "step_sd": "from step to step, each run its own",
    "data_sd": "between draws of the data",
    "order_sd": "between orders of the tensors",
}


def variance_answer(data: ReportData) -> Answer:
    """Say where the logarithm of the duration varies."""
    full = real_first(data.answers["variances"])
    sentences = []
    for row in full.filter(variant="real", channel="duration").to_dicts():
        if row["scale_sd"] is None:
            sentences.append(f"{label(data, row)}: {row['reason'] or 'there are too few scales'}.")
            continue
        alone = " (of which runs are a part: there is one of each)" if row["run_sd"] is None else ""
        parts = [f"{100 * row['scale_sd']:.1f} % between scales, off the power law{alone}"]
        parts += [f"{100 * row[name]:.1f} % {words}" for name, words in PARTS.items() if row[name] is not None]
        sentences.append(f"{label(data, row)}: durations vary by {', '.join(parts)} (SD of the logarithm).")
    return answer("variances", sentences, full, data.answers["variances"])


def design_answer(data: ReportData) -> Answer:
    """Say what one more run of each scale, or one more scale, would give."""
    full = data.answers["designs"]
    sentences = []
    for group in data.groups:
        rows = of_group(full, group).filter(pl.col("exponent") == "z").to_dicts()
        if not rows:
            continue
        start = label(data, {"family": group[0], "field": group[1]})
        if rows[0]["half_width"] is None:
            sentences.append(f"{start}: nothing can be said of further runs ({rows[0]['reason']}).")
            continue
        now, run, size = rows[0], rows[1], rows[-1]
        sentences.append(
            f"{start}: by {now['scatter']}, {SYMBOLS['z']} is known to about ±{now['half_width']:.3f}; with one "
            f"more run of each scale it would be ±{run['half_width']:.3f}, with one more scale "
            f"±{size['half_width']:.3f}."
        )
    return answer("designs", sentences, full, full)
