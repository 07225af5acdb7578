"""The answer about the draws of the nulls: what other replicates would make of the differences to them."""

import polars as pl

from gradcascade.fields.nulls import undrawn
from gradcascade.report.answers.base import (
    DIFFERENCE,
    Answer,
    answer,
    commonest,
    difference_words,
    interval,
    label,
    listed,
)
from gradcascade.report.data import Group, ReportData, of_group


def null_draw_answer(data: ReportData) -> Answer:
    """Say how far the differences to the nulls depend on the replicates that were drawn."""
    errors = data.answers["null_errors"].filter(~pl.col("difference").is_in(undrawn()))
    across = data.answers["differences"].select("family", "field", "difference", "exponent", "scales_se")
    rows = errors.join(across, on=["family", "field", "difference", "exponent"], how="left", maintain_order="left")
    sentences = (_sentence(data, group, of_group(errors, group)) for group in data.groups)
    return answer("null-draws", sentences, rows.with_columns(DIFFERENCE), data.answers["null_differences"])


def _sentence(data: ReportData, group: Group, errors: pl.DataFrame) -> str:
    start = label(data, {"family": group[0], "field": group[1]})
    rows = errors.filter(pl.col("exponent") == "z")
    known = rows.drop_nulls("replicates_low").to_dicts()
    if not known:
        why = commonest(rows["replicates_reason"]) or "no drawn null was measured beside another variant"
        return f"{start}: there is no interval from the draws of the nulls: {why}."
    parts = listed(
        f"{interval(row['replicates_low'], row['replicates_high'])} for {difference_words(row['difference'])}"
        for row in known
    )
    return (
        f"{start}: if the draws of the nulls were all that is uncertain, z would differ over the window by {parts} "
        "(95 % intervals)."
    )
