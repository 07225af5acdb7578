"""What the report of matched runs is made from: the ladder, how its runs were trained, and what was asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import polars as pl

from gradcascade.scaling.ladder import Ladder, Rung
from gradcascade.scaling.ladder_compressibility import ladder_r2, seed_r2
from gradcascade.scaling.ladder_power import primary_power
from gradcascade.scaling.ladder_questions import answers
from gradcascade.scaling.ladder_stretches import stretches
from gradcascade.scaling.profile_collapse import BASELINE, collapse_of, window_collapse
from gradcascade.scaling.schemas import flags, numbers, texts, wholes
from gradcascade.vocabulary import REAL

BASE, SECOND = "adamw", "sgd-momentum"
"""Optimizers of the primary questions, where the plan has them; else the first two of the plan."""

LOSS_SCHEMA = (
    texts("condition", "optimizer", "schedule", "scale")
    | wholes("n")
    | numbers("rate", "loss", "loss_sd")
    | wholes("runs", "diverged")
)
RATE_SCHEMA = texts("condition") | numbers("rate", "loss") | flags("chosen")
GAP_SCHEMA = texts("condition", "rung", "scale", "run") | wholes("measured", "expected")
"""Columns of the losses, of the rates that were tried, and of what is missing."""


@dataclass(frozen=True)
class Experiment:
    """Matched runs as they stand: complete, or as far as they came."""

    ladder: Ladder
    plan: Mapping[str, Any] = field(default_factory=dict)
    plan_toml: str = ""
    tuning: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    """Of the training: runs with their losses and times, and what was left out."""

    @classmethod
    def of(cls, cascades: pl.DataFrame, plan: Mapping[str, Any] | None = None, **more: Any) -> Experiment:
        """Set up the ladder as the plan says: its conditions in order, its measured steps as the window."""
        plan = plan or {}
        measured = plan.get("measured")
        window = (min(measured), max(measured)) if measured else None
        return cls(Ladder.of(cascades, window, conditions(plan)), plan, **more)

    @cached_property
    def exponents(self) -> pl.DataFrame:
        """Every exponent at every rung."""
        return self.ladder.exponents()

    @cached_property
    def levels(self) -> pl.DataFrame:
        """Durations, v_rel and s / N at the mean size."""
        return self.ladder.levels()

    @cached_property
    def _seeds(self) -> pl.DataFrame:
        return seed_r2(self.ladder)

    @cached_property
    def r2(self) -> pl.DataFrame:
        """R2 at every rung."""
        return ladder_r2(self.ladder, self._seeds)

    @cached_property
    def answers(self) -> pl.DataFrame:
        """Everything that was asked, and its answer."""
        return answers(self.ladder, self._seeds)

    @cached_property
    def stretches(self) -> pl.DataFrame:
        """Where along the ladder z changes."""
        return stretches(self.ladder)

    @cached_property
    def power(self) -> pl.DataFrame:
        """What the primary questions could show, as stated before and as measured."""
        return primary_power(self.ladder, self.answers)

    @cached_property
    def collapse(self) -> pl.DataFrame:
        """Quality S of the collapse of activity profiles at every rung; empty without profiles."""
        points = self.ladder.points.only(pl.col("variant").is_in([REAL, BASELINE]))
        if "activity" not in points.rows.columns:
            return pl.DataFrame(
                schema=texts("condition", "rung", "variant") | numbers("quality", "quality_high", "z_best")
            )
        found = self.ladder.named(window_collapse({"duration": collapse_of(points, "duration")}, points))
        kept = (
            "condition",
            "rung",
            "field",
            "span",
            "variant",
            "quality",
            "quality_high",
            "misfit",
            "z_best",
            "n_steps",
        )
        return found.sort(self.ladder.place(), pl.col("variant") != REAL, maintain_order=True).select(kept)

    @cached_property
    def losses(self) -> pl.DataFrame:
        """Held-out loss after all steps by condition and scale, mean and SD over seeds, with the rate."""
        runs = pl.DataFrame(
            [
                {name: run.get(name) for name in ("family", "optimizer", "schedule", "scale", "width")}
                | {"rate": run.get("rate"), "loss": run.get("loss"), "lost": run.get("diverged_at") is not None}
                for run in self.record.get("runs", ())
            ],
            schema=texts("family", "optimizer", "schedule", "scale")
            | wholes("width")
            | numbers("rate", "loss")
            | flags("lost"),
        )
        found = runs.group_by("family", "optimizer", "schedule", "scale", "width").agg(
            pl.col("rate").first(),
            loss_sd=pl.col("loss").std(),
            loss=pl.col("loss").mean(),
            runs=pl.len(),
            diverged=pl.col("lost").sum(),
        )
        order = {name: place for place, name in enumerate(self.ladder.conditions)}
        place = pl.col("family").replace_strict(order, default=len(order), return_dtype=pl.Int64)
        sizes = self.ladder.points.rows.group_by("scale").agg(pl.col("n").max())
        return (
            found.join(sizes, on="scale", how="left")
            .sort(place, "family", "width")
            .rename({"family": "condition"})
            .select(pl.col(name).cast(kind) for name, kind in LOSS_SCHEMA.items())
        )

    @cached_property
    def rates(self) -> pl.DataFrame:
        """Learning rates that were tried on the smallest scale, with their held-out losses."""
        rows = [
            {"condition": name, "rate": tried.get("rate"), "loss": tried.get("loss")}
            | {"chosen": tried.get("rate") == known.get("chosen")}
            for name, known in self.tuning.get("families", {}).items()
            for tried in known.get("tried", ())
        ]
        return pl.DataFrame(rows, schema=RATE_SCHEMA)

    @cached_property
    def gaps(self) -> pl.DataFrame:
        """Runs of which fewer steps were measured at a rung than at the fullest; a run that has none is named too."""
        real = self.ladder.points.rows.filter(pl.col("variant") == REAL, pl.col("included"))
        counts = real.group_by("family", "field", "scale", "run").agg(measured=pl.col("step").n_unique())
        groups = counts.select("family", "field").unique()
        runs = counts.select("scale", "run").unique()
        expected = real.get_column("step").n_unique()
        found = groups.join(runs, how="cross").join(counts, on=["family", "field", "scale", "run"], how="left")
        found = self.ladder.named(found.with_columns(pl.col("measured").fill_null(0), expected=pl.lit(expected)))
        short = found.filter(pl.col("measured") < pl.col("expected"))
        return short.sort(self.ladder.place(), "scale", "run").select(
            pl.col(name).cast(kind) for name, kind in GAP_SCHEMA.items()
        )

    def label(self, condition: str) -> str:
        """Name of a condition: its optimizer alone where all have one schedule."""
        schedules = self.plan.get("schedules", ())
        return condition.removesuffix(f"-{schedules[0]}") if len(schedules) == 1 else condition

    def rung(self, name: str) -> Rung:
        """The rung of this name."""
        return next(rung for rung in self.ladder.rungs if rung.name == name)


def conditions(plan: Mapping[str, Any]) -> list[str]:
    """Names of the conditions of a plan, those of the primary questions first."""
    optimizers = sorted(plan.get("optimizers", ()), key=lambda name: (name != BASE, name != SECOND))
    return [f"{optimizer}-{schedule}" for schedule in plan.get("schedules", ()) for optimizer in optimizers]
