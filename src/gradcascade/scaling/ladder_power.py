"""What matched runs can show: before they are trained, from a stated scatter, and afterwards, from their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from gradcascade.errors import InputError
from gradcascade.scaling.design import POWER, Design
from gradcascade.scaling.ladder import Ladder
from gradcascade.scaling.ladder_questions import PRIMARY
from gradcascade.scaling.schemas import numbers, texts, wholes
from gradcascade.tables.reasons import Reason, reason_of, told

RUN_SD = 0.05
"""Stated beforehand: a run's mean log duration over the window differs by 5 % from run to run of its scale."""

POWER_SCHEMA = (
    texts("kind", "condition", "other", "when")
    | numbers("run_sd", "scale_sd", "smallest")
    | wholes("n_scales", "n_runs")
) | texts("code", "reason")
"""Columns of the power, in order; ``smallest`` is the difference of z that is shown in four of five experiments."""


def planned_smallest(sizes: Sequence[int], runs: int, run_sd: float = RUN_SD, power: float = POWER) -> float:
    """Smallest difference of z of two fields that matched runs show with this chance, stated before training.

    ``run_sd`` is that of one field's mean log duration; two fields of one run are taken as independent, so their
    difference scatters by its square root of 2. What they share makes the experiment better than stated.
    """
    return Design.of(sorted(sizes), runs, run_sd * 2**0.5).smallest(power)


def primary_power(ladder: Ladder, answered: pl.DataFrame, run_sd: float = RUN_SD) -> pl.DataFrame:
    """Smallest difference of the primary questions, as stated before and with the scatter that was measured."""
    primary = answered.filter(pl.col("list") == PRIMARY, pl.col("duration") == "n_steps")
    real = ladder.points.run_logs
    runs = real.group_by("scale").agg(pl.col("n").first(), pl.col("run").n_unique()).sort("n", "scale")
    sizes, counts = runs.get_column("n").to_list(), runs.get_column("run").to_list()
    rows: list[dict[str, Any]] = []
    for row in primary.to_dicts():
        names = {name: row[name] for name in ("kind", "condition", "other")}
        rows += [names | _row("before", sizes, counts, _before(run_sd)), names | _row("after", sizes, counts, row)]
    return pl.DataFrame(rows, schema=POWER_SCHEMA)


def _before(run_sd: float) -> dict[str, float]:
    return {"run_sd": run_sd * 2**0.5, "scale_sd": 0.0}


def _row(when: str, sizes: list[int], counts: list[int], scatter: Mapping[str, Any]) -> dict[str, Any]:
    run, scale = scatter["run_sd"], scatter["scale_sd"]
    # With one run of each scale all of the scatter about the line counts as that of runs.
    found = {"run_sd": scale if run is None else run, "scale_sd": 0.0 if run is None else scale}
    row: dict[str, Any] = {"when": when, "n_scales": len(sizes), "n_runs": sum(counts)} | found
    if found["run_sd"] is None:
        why = reason_of(scatter) if scatter.get("code") else None
        return row | {"scale_sd": None} | told(why or Reason.of("unknown-scatter"))
    try:
        return row | {"smallest": Design.of(sizes, counts, found["run_sd"], scale_sd=found["scale_sd"]).smallest()}
    except InputError as error:
        return row | told(Reason.of("no-design", error=error))
