"""Runs set side by side, step by step, each from its first step on or from a transition of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.scaling.table_checks import require_columns, require_unique, require_values

Floats = NDArray[np.float64]
Transitions = Mapping[tuple[str, str], int | None]
"""Step of the transition by scale and run; None for a run that has none."""


@dataclass(frozen=True)
class AlignedRuns:
    """Runs side by side: ``logs`` (runs, steps), NaN where nothing was measured, ``scale`` the number of each's."""

    steps: NDArray[np.int64]
    logs: Floats
    scale: NDArray[np.int64]
    log_n: Floats
    scales: tuple[str, ...]
    names: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, table: pl.DataFrame, value: str, transitions: Transitions | None) -> AlignedRuns:
        """Check the table and set its runs side by side, by their distance from their transition if there is one."""
        require_columns(table, ("scale", "run", "step", "n", value), "table of cascades")
        require_values(table, ("scale", "run", "step", "n"), "table of cascades")
        advice = "keep one field, variant and replicate"
        require_unique(table, ("scale", "run", "step"), "table of cascades", advice)
        _check_sizes(table)
        rows = table.filter(pl.col(value).is_not_null() & (pl.col(value) > 0))
        if transitions is not None:
            known = [(scale, run, step) for (scale, run), step in transitions.items() if step is not None]
            moves = pl.DataFrame(known, schema={"scale": pl.String, "run": pl.String, "_at": pl.Int64}, orient="row")
            rows = rows.join(moves, on=["scale", "run"]).with_columns(
                step=pl.col("step").cast(pl.Int64) - pl.col("_at")
            )
        rows = rows.sort("n", "scale", "run", "step")
        steps, column = np.unique(rows["step"].cast(pl.Int64).to_numpy(), return_inverse=True)
        names = tuple(rows.select("scale", "run").unique(maintain_order=True).iter_rows())
        place = {name: number for number, name in enumerate(names)}
        row = np.array([place[name] for name in rows.select("scale", "run").iter_rows()], dtype=np.intp)
        logs = np.full((len(names), steps.size), np.nan)
        logs[row, column] = np.log(rows[value].cast(pl.Float64).to_numpy())
        sizes = dict(rows.select("scale", "n").unique(maintain_order=True).iter_rows())
        scales = tuple(sizes)
        scale = np.array([scales.index(name) for name, _ in names], dtype=np.int64)
        log_n = np.log(np.array([sizes[name] for name in scales], dtype=np.float64))
        return cls(steps, logs, scale, log_n, scales, names)

    @cached_property
    def member(self) -> Floats:
        """Which run is of which scale: (runs, scales)."""
        return np.eye(len(self.scales))[self.scale]

    def all_at_once(self) -> Floats:
        """The weights that count every run once: (1, runs)."""
        return np.ones((1, len(self.scale)))

    def drawn(self, resamples: int, seed: int) -> Floats | None:
        """Weights of the runs in every resample, (resamples, runs); None where a scale has a single run."""
        counts = np.bincount(self.scale)
        if counts.min() < 2:
            return None
        rng = np.random.default_rng(seed)
        found = np.zeros((resamples, len(self.scale)))
        for number, count in enumerate(counts):
            chance = np.full(count, 1 / count)
            found[:, self.scale == number] = rng.multinomial(count - 1, chance, resamples) * count / (count - 1)
        return found

    def common(self, there: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The steps at which every scale has a run, of those that each run was measured at: (runs, steps)."""
        counts = self.member.T @ there
        return np.asarray((counts > 0).all(axis=0)) if counts.size else np.zeros(there.shape[1], bool)


def _check_sizes(table: pl.DataFrame) -> None:
    """One scale is one N, and scales of one N are runs of one scale."""
    sizes = table.select("scale", "n").unique().sort("n", "scale")
    for name, other in (("scale", "n"), ("n", "scale")):
        several = sizes.filter(pl.col(name).is_duplicated())[name]
        if several.len():
            first, second, *_ = sizes.filter(pl.col(name) == several[0])[other]
            raise InputError(
                f"{name} {several[0]} goes with {other} {first} and {second}; give every field size one scale, and "
                "its seeds one run each"
            )
