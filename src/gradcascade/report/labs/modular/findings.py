"""All numbers of the page of the lab of modular addition, from the tables of its study."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from gradcascade.scaling.aligned_runs import Transitions
from gradcascade.scaling.phases import exponent_along, phase_exponents
from gradcascade.vocabulary import REAL

NEAR, WHOLE, RISE = "near", "whole", "rise"
"""Windows: as many steps before the transition as behind it; everything measured; and as near, but about the step at
which half of the test answers are right, since the last percent can take long."""

HALF = 0.5
START, TRANSITION = "start", "transition"

SHORT = 20
"""Relaxation steps of the probe of arXiv:2604.04655, by the same author; ours go on until nothing is active."""

CHANNELS = {"D": "size", f"D, {SHORT} steps": "short_size", "z": "duration", "delta": "v_rel"}
LESS = " \N{MINUS SIGN} "

ACCURACY = "test_accuracy"

_PLACE, _SIZES = ("scale", "run", "step", "n"), tuple(CHANNELS.values())


@dataclass(frozen=True)
class ModularFindings:
    """What the study of a lab says.

    ``cascades`` and ``metrics`` are the study's; ``grokking`` is the family whose runs pass the transition. Controls
    are set against the transitions of the runs of the same scale and seed.
    """

    cascades: pl.DataFrame
    metrics: pl.DataFrame
    grokking: str
    threshold: float
    near: int
    resamples: int = 2000

    @cached_property
    def transitions(self) -> Transitions:
        """First measured step at which the test accuracy is above the threshold, by scale and run."""
        return self._passing(self.threshold)

    @cached_property
    def rises(self) -> Transitions:
        """The same for half of the test."""
        return self._passing(HALF)

    def _passing(self, threshold: float) -> Transitions:
        above = self.metrics.filter(
            pl.col("family") == self.grokking, pl.col("metric") == ACCURACY, pl.col("value") > threshold
        )
        first = above.group_by("scale", "run").agg(pl.col("step").min())
        passed = {(scale, run): step for scale, run, step in first.iter_rows()}
        runs = self.series[self.grokking].select("scale", "run").unique().sort("scale", "run").rows()
        return {name: passed.get(name) for name in runs}

    @property
    def families(self) -> list[str]:
        """The runs that grok, then the controls."""
        known = self.cascades["family"].unique(maintain_order=True).to_list()
        return [self.grokking, *(name for name in known if name != self.grokking)]

    @cached_property
    def usable(self) -> pl.DataFrame:
        """Cascades that count: those that ended by themselves and began at all."""
        kept = self.cascades.filter(~pl.col("ceiling"), pl.col("size") > 0, pl.col("replicate") == 0)
        return kept.with_columns(
            v_rel=pl.col("size") / (pl.col("n") * pl.col("duration")),
            short_size=pl.col("activity").list.head(SHORT).list.sum(),
        )

    @cached_property
    def series(self) -> dict[str, pl.DataFrame]:
        """Cascades that exponents are fitted to, by name: of runs that grok, of controls, of the former's nulls."""
        variants = self.cascades.filter(pl.col("family") == self.grokking)["variant"].unique().sort()
        named = {name: (name, REAL) for name in self.families}
        named |= {f"{self.grokking}, {variant}": (self.grokking, variant) for variant in variants if variant != REAL}
        rows = {key: part.select(*_PLACE, *_SIZES) for key, part in self.usable.group_by("family", "variant")}
        none = self.usable.select(*_PLACE, *_SIZES).clear()
        return {name: rows.get(key, none) for name, key in named.items()}

    @cached_property
    def differences(self) -> dict[str, pl.DataFrame]:
        """Ratios of the runs that grok to each other series, step by step, scale by scale and seed by seed.

        The slope of the logarithm of a ratio is a difference of exponents; what the two share drops out.
        """
        own = self.series[self.grokking]
        found = {}
        for name, rows in self.series.items():
            if name != self.grokking:
                both = own.join(rows.drop("n"), on=["scale", "run", "step"], suffix="_other")
                ratios = [(pl.col(size) / pl.col(f"{size}_other")).alias(size) for size in _SIZES]
                found[f"{self.grokking}{LESS}{name}"] = both.select(*_PLACE, *ratios)
        return found

    @cached_property
    def phases(self) -> pl.DataFrame:
        """D of every series and difference in every window by every method, and other exponents of most.

        Columns: series, exponent, window, and those of :func:`gradcascade.scaling.phases.phase_exponents`.
        """
        found = []
        for name, rows in (self.series | self.differences).items():
            found += [self._phases(name, rows, "D", window) for window in (NEAR, WHOLE, RISE)]
            others = self._further(name)
            found += [self._phases(name, rows, exponent, where) for exponent in others for where in (NEAR, RISE)]
        return pl.concat(found)

    def _further(self, name: str) -> list[str]:
        """Exponents besides D: all of the real fields, and z of how they differ."""
        if name in self.families:
            return [exponent for exponent in CHANNELS if exponent != "D"]
        return ["z"] if name in self.differences else []

    def _phases(self, name: str, rows: pl.DataFrame, exponent: str, window: str) -> pl.DataFrame:
        limits: dict[str, Any] = {} if window == WHOLE else {"before": self.near + 1, "after": self.near}
        transitions = self.rises if window == RISE else self.transitions
        channel = CHANNELS[exponent]
        table = phase_exponents(rows, transitions, value=channel, resamples=self.resamples, **limits)
        named = {"series": name, "exponent": exponent, "window": window}
        return table.select(*(pl.lit(value).alias(column) for column, value in named.items()), pl.all())

    @cached_property
    def along(self) -> pl.DataFrame:
        """D of every series and difference at every step, and every distance from the transition and the rise.

        Columns: about ("start", "transition", "rise"), series, step, value, low, high, n_runs. From the start widths
        are set side by side that are not equally far: of two that pass the same states one after the other, D tells
        first one and then the other.
        """
        tables = [
            exponent_along(rows, at, resamples=self.resamples).select(
                pl.lit(about).alias("about"), pl.lit(name).alias("series"), "step", "value", "low", "high", "n_runs"
            )
            for about, at in ((START, None), (TRANSITION, self.transitions), (RISE, self.rises))
            for name, rows in (self.series | self.differences).items()
        ]
        return pl.concat(tables)

    @cached_property
    def accuracies(self) -> pl.DataFrame:
        """Accuracies of the runs that grok: scale, run, step, aligned (from the transition), metric, value."""
        moves = [(scale, run, at) for (scale, run), at in self.transitions.items() if at is not None]
        schema = {"scale": pl.String, "run": pl.String, "at": pl.Int64}
        own = self.metrics.filter(
            pl.col("family") == self.grokking, pl.col("metric").is_in([ACCURACY, "training_accuracy"])
        )
        rows = own.join(pl.DataFrame(moves, schema=schema, orient="row"), on=["scale", "run"])
        rows = rows.with_columns(aligned=pl.col("step") - pl.col("at")).sort("scale", "run", "metric", "step")
        return rows.select("scale", "run", "step", "aligned", "metric", "value")

    @cached_property
    def runs(self) -> pl.DataFrame:
        """Every run: N, when its training and its test pairs were known, its last accuracies, what was left out.

        Columns: family, scale, run, n, known (first step at which more than the threshold of the training pairs is
        right), risen (half of the test pairs), transition (null if never), last, training_accuracy, test_accuracy,
        cascades, left_out.
        """
        keys = ["family", "scale", "run"]
        real = self.cascades.filter(pl.col("variant") == REAL)
        counted = pl.col("ceiling") | (pl.col("size") == 0)
        rows = real.group_by(keys).agg(
            n=pl.col("n").max(), last=pl.col("step").max(), cascades=pl.len(), left_out=counted.sum()
        )
        firsts = (
            ("known", "training_accuracy", self.threshold),
            ("risen", ACCURACY, HALF),
            ("transition", ACCURACY, self.threshold),
        )
        for name, metric, threshold in firsts:
            above = self.metrics.filter(pl.col("metric") == metric, pl.col("value") > threshold)
            rows = rows.join(above.group_by(keys).agg(pl.col("step").min().alias(name)), on=keys, how="left")
        for metric in ("training_accuracy", ACCURACY):
            last = self.metrics.filter(pl.col("metric") == metric).sort("step").group_by(keys)
            rows = rows.join(last.agg(pl.col("value").last().alias(metric)), on=keys, how="left")
        places = {name: place for place, name in enumerate(self.families)}
        order = pl.col("family").replace_strict(places, return_dtype=pl.Int64)
        return rows.sort(order, "n", "run").select(
            *keys, "n", "known", "risen", "transition", "last", "training_accuracy", ACCURACY, "cascades", "left_out"
        )

    @property
    def passed_controls(self) -> pl.DataFrame:
        """Control runs that pass the threshold although they should not."""
        return self.runs.filter(pl.col("family") != self.grokking, pl.col("transition").is_not_null())
