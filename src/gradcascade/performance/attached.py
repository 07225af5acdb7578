"""Metrics from any file or folder, under the names that a study gives its families and scales."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import polars as pl

from gradcascade.errors import InputError
from gradcascade.evaluations import Report, refuse
from gradcascade.performance.metrics import METRIC_SCHEMA
from gradcascade.performance.readers import read_lm_eval, read_paloma, read_table


def read_metrics(path: Path | str, family: str | None = None, report: Report = refuse) -> pl.DataFrame:
    """Read a ``.csv`` or ``.parquet`` file, a folder of ``{scale}_step{N}.json``, or a folder of runs.

    ``family`` is for what does not name one itself. A file in a folder that cannot be read is given to ``report``.
    """
    place = Path(path)
    if not place.is_dir():
        return read_table(place, family)
    if family is None:
        raise InputError(f"the folder {place} names no family; say which family it belongs to")
    if any(any(place.glob(f"{runs}eval_results/step_*.json")) for runs in ("", "*/", "runs/*/")):
        return read_paloma(place, family, report)
    if any(place.rglob("*_step*.json")):
        return read_lm_eval(place, family, report)
    raise InputError(
        f"{place} holds neither files named like 70m_step143000.json nor eval_results/step_N.json; "
        "give such a folder, or a .csv or .parquet file"
    )


def fit_to_scales(metrics: pl.DataFrame, scales: Mapping[str, Collection[str]]) -> tuple[pl.DataFrame, list[str]]:
    """Give metrics the names of a study's scales; gives them sorted, and the names that are none of them.

    Values of ``70m`` are also those of ``70m-seed3``, and values of ``pico-decoder-tiny`` those of ``tiny``.
    """
    parts, used = [], set[tuple[str, str]]()
    for family, own in sorted(scales.items()):
        table = metrics.filter(pl.col("family") == family)
        names = table["scale"].unique().to_list()
        for scale in sorted(own):
            if (name := _name_for(scale, names)) is not None:
                parts.append(table.filter(pl.col("scale") == name).with_columns(scale=pl.lit(scale)))
                used.add((family, name))
    there = set(metrics.select("family", "scale").unique().rows())
    left_over = sorted(scale if family in scales else f"{family} {scale}" for family, scale in there - used)
    found = pl.concat(parts) if parts else pl.DataFrame(schema=METRIC_SCHEMA)
    return found.sort("family", "scale", "step", "metric"), left_over


def _name_for(scale: str, names: Collection[str]) -> str | None:
    if scale in names:
        return scale
    near = [name for name in names if scale.startswith(f"{name}-") or name.endswith(f"-{scale}")]
    return max(near, key=lambda name: (len(name), name), default=None)
