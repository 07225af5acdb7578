"""The answer about the rounding of durations to whole relaxation steps."""

import polars as pl

from gradcascade.report.answers.base import Answer, answer, label, real_first
from gradcascade.report.data import ReportData
from gradcascade.report.page_tables import signed


def rounding_answer(data: ReportData) -> Answer | None:
    """Say how much of z is the rounding of the durations."""
    if "rounding" not in data.answers:
        return None
    full = real_first(data.answers["rounding"])
    sentences = []
    for row in full.filter(pl.col("variant") == "real").to_dicts():
        name = label(data, row)
        if row["z_continuous"] is None:
            sentences.append(f"{name}: no continuous duration can be given ({row['reason']}).")
            continue
        share = row["rounding_share"]
        much = (
            ""
            if share is None
            else "; rounding alone would explain all of the scatter of z along the window"
            if share >= 1
            else f"; rounding explains {100 * share:.0f} % of the variance of z along the window"
        )
        sentences.append(
            f"{name}: with durations that are not rounded, z is {signed(row['z_continuous'])} instead of "
            f"{signed(row['z'])}{much}."
        )
    return answer("rounding", sentences, full, data.answers["continuous"])
