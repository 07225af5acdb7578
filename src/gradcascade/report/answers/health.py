"""Which runs are not healthy, and the exponents without them."""

import polars as pl

from gradcascade.fields.kinds import field_plural
from gradcascade.report.answers.base import Answer, answer
from gradcascade.report.data import ReportData


def health_answer(data: ReportData) -> Answer | None:
    """Say of every sick run what was seen first, and set the exponents with and without sick runs side by side."""
    found = data.answers["health"]
    if found.is_empty():
        return None
    keys = ["family", "field", "variant", "exponent"]
    real = pl.col("variant") == "real", pl.col("exponent").is_in(["D", "z", "delta"])
    columns = [*keys, "scales_value", "scales_low", "scales_high"]
    both = data.answers["intervals"].filter(*real).select(columns)
    kept = data.answers["healthy_intervals"].filter(*real).select(columns)
    rows = both.join(kept, on=keys, how="left", suffix="_healthy", maintain_order="left")
    return answer("health", (sentence(row) for row in first_findings(found).to_dicts()), rows, found)


def first_findings(found: pl.DataFrame) -> pl.DataFrame:
    """Of every sick run, what was seen first."""
    return found.sort("first_step").group_by("family", "scale", "run", maintain_order=True).first()


def sentence(row: dict) -> str:
    """One finding in words."""
    what = row["quantity"] if row["field"] is None else f"{row['quantity']} of its {field_plural(row['field'])}"
    run = "" if row["run"] == "0" else f", run {row['run']}"
    where = "the median of the other runs" if row["code"] == "apart" else "the nearest value of its own past"
    until = "" if row["steps"] == 1 else f" to {row['last_step']:,}"
    return (
        f"{row['family']}, {row['scale']}{run}: {what} leaves {where} at step {row['first_step']:,}{until}, by up to "
        f"{row['distance']:.0f} spreads ({row['value']:.4g} for {row['expected']:.4g})."
    )
