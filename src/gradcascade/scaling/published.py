"""The published values of the families as tables, to set one's own beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from gradcascade import families
from gradcascade.scaling.channel_means import variation
from gradcascade.scaling.decomposition import decompose, summarise_decomposition
from gradcascade.scaling.exponents import fit_exponents
from gradcascade.scaling.schemas import flags, numbers, texts, wholes
from gradcascade.scaling.windows import Range, Window, published_windows, summarise, windows

EXPONENT_SCHEMA = (
    texts("family", "field", "variant", "quantity") | numbers("value", "sd") | flags("approximate") | texts("over")
)
"""Columns of the published exponents, in order."""

ASSOCIATION_SCHEMA = texts("family", "channel", "metric") | wholes("n_steps") | numbers("pearson", "partial")
"""Columns of the published associations, in order."""


SUMMARY_SCHEMA = (
    texts("family", "field", "variant", "quantity")
    | numbers("value", "spread", "published", "difference")
    | wholes("first", "last", "n_steps")
    | texts("code")
)
"""Columns of the comparison of mean R2, coefficients of variation and null shares, in order."""

_WHOLE_RUN = 0.9
"""Share of the published steps from which on a run counts as whole; its first differences are zero and drop out."""


def published_exponents() -> pl.DataFrame:
    """The published numbers, one a row.

    ``quantity`` is an exponent, a mean R2 (``r2_z``), the coefficient of variation of v_rel over the scales
    (``cv_v_rel``, a fraction), or a share of the null difference of z (``dist_share_z``). ``sd`` is the spread over
    the window's steps, not a standard error; ``approximate`` marks values given as "about"; ``over`` is "window" or
    "run" (all steps).
    """
    rows = [row | {"field": row["field"] or known.fields[0]} for known, row in _published("values")]
    return pl.DataFrame(rows, schema=EXPONENT_SCHEMA, orient="row")


def published_associations() -> pl.DataFrame:
    """The published correlations of channels, as means over the scales, with external metrics along training.

    ``partial`` is residualised on the learning rate.
    """
    rows = [row for _, row in _published("associations")]
    return pl.DataFrame(rows, schema=ASSOCIATION_SCHEMA, orient="row")


def _published(part: str) -> Iterator[tuple[families.Family, dict[str, Any]]]:
    for known in families.families().values():
        for value in getattr(known.published, part) if known.published else ():
            yield known, {"family": known.name, **value.model_dump()}


def compare_summaries(cascades: pl.DataFrame, window: Window = None) -> pl.DataFrame:
    """Set mean R2, the coefficient of variation of v_rel, and the null shares of z beside the published ones.

    Without a window each family has its published one; ``code`` is null where the two are comparable. Shares are
    |dist| / (|dist| + |assign|) of the means over all steps: our reading, as the paper gives no formula.
    """
    known = published_exponents().filter(pl.col("quantity").str.contains("^r2_|^cv_|_share_"))
    groups = cascades.select("family", "field").unique()
    known = known.join(groups, on=["family", "field"], how="semi", maintain_order="left")
    if known.is_empty():
        return pl.DataFrame(schema=SUMMARY_SCHEMA)
    own = cascades.join(known.select("family", "field").unique(), on=["family", "field"], how="semi")
    published = published_windows(own)
    spans = windows(own, published if window is None else window)
    fits = fit_exponents(own)
    found = _summaries(own, fits, spans)
    rows = []
    for row in known.to_dicts():
        key = (row["family"], row["field"])
        ours = found.get((*key, row["variant"], row["quantity"]))
        names = {"family": key[0], "field": key[1], "variant": row["variant"], "quantity": row["quantity"]}
        names |= {"published": row["value"], "code": "not-measured"}
        if ours is not None and ours["value"] is not None:
            code = None if row["over"] == "run" or spans[key] == published.get(key) else "other-window"
            if row["over"] == "run" and not _whole(key[0], ours["n_steps"]):
                code = "partial-run"
            names |= ours | {"difference": ours["value"] - row["value"], "code": code}
        rows.append(names)
    return pl.DataFrame(rows, schema=SUMMARY_SCHEMA)


def _summaries(
    cascades: pl.DataFrame, fits: pl.DataFrame, spans: dict[tuple[str, str], Range]
) -> dict[tuple[str, ...], dict[str, Any]]:
    found = {}
    for row in (*summarise(fits, spans).to_dicts(), *variation(cascades, spans).to_dicts()):
        first, last = spans[row["family"], row["field"]]
        ours = (f"r2_{row['exponent']}", "mean_r2", None) if "exponent" in row else ("cv_v_rel", "cv", row["cv_sd"])
        quantity, column, spread = ours
        numbers = {"value": row[column], "spread": spread, "first": first, "last": last, "n_steps": row["n_steps"]}
        found[row["family"], row["field"], row["variant"], quantity] = numbers
    ends = cascades.group_by("family", "field").agg(first=pl.col("step").min(), last=pl.col("step").max())
    whole = {(family, field): (first, last) for family, field, first, last in ends.iter_rows()}
    for row in summarise_decomposition(decompose(fits), whole).filter(pl.col("exponent") == "z").to_dicts():
        first, last = whole[row["family"], row["field"]]
        for part in ("dist", "assign"):
            numbers = {"value": row[f"{part}_share"], "spread": None, "first": first, "last": last}
            numbers["n_steps"] = row["n_steps"]
            found[row["family"], row["field"], "real - N0", f"{part}_share_z"] = numbers
    return found


def _whole(family: str, steps: int) -> bool:
    expected = families.family(family).steps_known
    return expected is not None and steps >= _WHOLE_RUN * expected
