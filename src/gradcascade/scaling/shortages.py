"""Say in words why a fit has too few scales."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from gradcascade.scaling.regression import MIN_SCALES


def shortages(rows: pl.DataFrame, keys: Sequence[str], siblings: Sequence[str]) -> pl.DataFrame:
    """Find the fits with fewer than three scales, and name what each of the others lacks."""
    expected = {
        tuple(row[:-1]): row[-1]
        for row in rows.group_by(siblings, maintain_order=True)
        .agg(pl.col("scale").unique(maintain_order=True))
        .iter_rows()
    }
    kept = pl.col("scale").filter("included").n_unique()
    groups = (
        rows.filter(kept.over(keys) < MIN_SCALES)
        .group_by(keys, maintain_order=True)
        .agg("scale", "included", "reason")
    )
    places = [list(keys).index(name) for name in siblings]
    found = []
    for *key, scales, included, reasons in groups.iter_rows():
        fates: dict[str, str | None] = dict.fromkeys(
            expected[tuple(key[place] for place in places)], "was not measured"
        )
        fates |= dict(zip(scales, reasons, strict=True))
        # Replicates: a scale is in the fit if one of them is.
        fates |= {scale: None for scale, inside in zip(scales, included, strict=True) if inside}
        found.append([*key, _sentence(fates)])
    schema = {name: rows.schema[name] for name in keys} | {"shortage": pl.String()}
    return pl.DataFrame(found, schema=schema, orient="row")


def _sentence(fates: dict[str, str | None]) -> str:
    lost = [f"{scale} {fate}" for scale, fate in fates.items() if fate is not None]
    kept = len(fates) - len(lost)
    if not lost:
        return f"only {kept} scale{'' if kept == 1 else 's'} in all, a fit needs {MIN_SCALES}"
    return f"{kept} of {len(fates)} scales left: {', '.join(lost)}"
