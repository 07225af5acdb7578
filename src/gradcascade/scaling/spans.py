"""Studies that hold updates of several spans: each span is a field of its own, and a fit takes one."""

from __future__ import annotations

import polars as pl

from gradcascade.errors import InputError


def spans(cascades: pl.DataFrame) -> list[int]:
    """The spans of a table's updates, in order."""
    return (
        [] if "span" not in cascades.columns else cascades.get_column("span").drop_nulls().unique().sort().to_list()
    )


def of_span(cascades: pl.DataFrame, span: int) -> pl.DataFrame:
    """The cascades of one span, and those of fields that cover none, such as gradients."""
    known = spans(cascades)
    if span not in known:
        listed = ", ".join(map(str, known)) or "none at all"
        raise InputError(f"no update covers {span:,} optimizer steps; the spans of this study are: {listed}")
    return cascades.filter(pl.col("span").is_null() | (pl.col("span") == span))
