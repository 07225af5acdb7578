"""Health of the runs that an audit looks at: by the evaluations beside them, and by what a study has of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from gradcascade.errors import InputError
from gradcascade.scaling.health import SCHEMA, run_health
from gradcascade.study.study import Study
from gradcascade.vocabulary import METRIC_COLUMNS


def audited_health(
    families: Sequence[tuple[str, pl.DataFrame | None]], study: Path | None = None
) -> list[pl.DataFrame]:
    """What :func:`gradcascade.run_health` finds of each family, of its name and the metrics at hand.

    A study's metrics go before those beside the runs, and its cascades are looked at too.
    """
    if study is None:
        return [run_health(None, metrics) for _, metrics in families]
    with Study.open(study, read_only=True) as opened:
        cascades, further = opened.cascades(), opened.metrics()
    there = {*cascades["family"], *further["family"]}
    names = [name for name, _ in families]
    if not there & set(names):
        raise InputError(
            f"the study {study} has none of the families audited ({', '.join(names)}); it has: "
            f"{', '.join(sorted(there)) or 'none yet'}"
        )
    found = []
    for name, metrics in families:
        own = cascades.filter(family=name)
        tables = [table.filter(family=name) for table in (further, metrics) if table is not None]
        keys = [column.name for column in METRIC_COLUMNS if column.name != "value"]
        known = pl.concat(tables, how="diagonal_relaxed").unique(keys, keep="first", maintain_order=True)
        found.append(run_health(own if own.height else None, known) if name in there else pl.DataFrame(schema=SCHEMA))
    return found
