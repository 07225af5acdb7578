"""All numbers of the page of the XOR lab, from its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from gradcascade.scaling.aligned_runs import Transitions
from gradcascade.scaling.phases import AFTER, ALL, BEFORE, RESAMPLES, exponent_along, phase_exponents
from gradcascade.scaling.size_distribution import size_distribution, survival
from gradcascade.vocabulary import REAL

STATISTICS = {
    "size": "active update events, the geometric mean over the steps of an epoch",
    "largest": "the largest size of the steps of an epoch",
    "excess": "events beyond the nodes that are active at the start",
    "peak": "most nodes active at once",
    "duration": "relaxation steps: this slope is z",
}
"""What can be meant by the size of an epoch."""

MIXED, PLACED = "N2", "real / N2"
"""The field's values in random order; and the size over that of the same values in random order, step by step."""

FEWER_RESAMPLES = RESAMPLES // 5
"""Of the bootstrap for all choices but the main one, of which there are many."""

MAIN_CHOICE = {"statistic": "size", "rule": "accuracy", "variant": REAL}

Choice = dict[str, str]


@dataclass(frozen=True)
class XorFindings:
    """What the tables of the lab say; ``transitions`` by rule and family."""

    cascades: pl.DataFrame
    series: pl.DataFrame
    gaussian: pl.DataFrame
    transitions: Mapping[str, Mapping[str, Transitions]]

    @property
    def families(self) -> list[str]:
        """Variants of training, in their order."""
        return self.cascades["family"].unique(maintain_order=True).to_list()

    @property
    def graphs(self) -> list[str]:
        """Kinds of graph, the one that published runs train on first."""
        return self.cascades["graph"].unique(maintain_order=True).to_list()

    @cached_property
    def sizes(self) -> pl.DataFrame:
        """One row per family, graph, variant, scale, run and recorded epoch, with every statistic."""
        keys = ["family", "graph", "variant", "scale", "run", "step", "n"]
        excess = pl.col("size") - pl.col("activity").list.first()
        rows = self.cascades.with_columns(excess=excess, peak=pl.col("activity").list.max())
        mean = [pl.col(name).log().mean().exp() for name in ("size", "excess", "peak", "duration")]
        return rows.group_by(keys, maintain_order=True).agg(pl.col("size").max().alias("largest"), *mean)

    def rows(self, family: str, graph: str | None = None, variant: str = REAL) -> pl.DataFrame:
        """Sizes of one family on one kind of graph: real, with the values in random order, or one over the other."""
        own = self.sizes.filter(pl.col("family") == family, pl.col("graph") == (graph or self.graphs[0]))
        if variant != PLACED:
            return own.filter(pl.col("variant") == variant)
        key = ["scale", "run", "step"]
        mixed = own.filter(pl.col("variant") == MIXED).select(*key, pl.col("size").alias("mixed"))
        return (
            own.filter(pl.col("variant") == REAL).join(mixed, on=key).with_columns(pl.col("size") / pl.col("mixed"))
        )

    @cached_property
    def phases(self) -> pl.DataFrame:
        """D before, after, over all and its change, by family and choice; columns of ``PHASE_SCHEMA`` besides."""
        parts = []
        main = MAIN_CHOICE | {"graph": self.graphs[0]}
        for family in self.families:
            for choice in self._choices():
                table = self.rows(family, choice["graph"], choice["variant"])
                moves = self.transitions[choice["rule"]][family]
                resamples = RESAMPLES if choice == main else FEWER_RESAMPLES
                found = phase_exponents(table, moves, value=choice["statistic"], resamples=resamples)
                keys = [pl.lit(value).alias(name) for name, value in ({"family": family} | choice).items()]
                parts.append(found.select(*keys, *found.columns))
        return pl.concat(parts)

    def _choices(self) -> Iterator[Choice]:
        main = MAIN_CHOICE | {"graph": self.graphs[0]}
        yield main
        for statistic in STATISTICS:
            if statistic != main["statistic"] and (statistic != "largest" or self.several_steps):
                yield main | {"statistic": statistic}
        for rule in self.transitions:
            if rule != main["rule"]:
                yield main | {"rule": rule}
        for variant in (MIXED, PLACED):
            yield main | {"variant": variant}
        for graph in self.graphs[1:]:
            yield main | {"graph": graph}

    @cached_property
    def points(self) -> pl.DataFrame:
        """Size over N of every run, the geometric mean over each phase: family, scale, n, run, phase, value."""
        parts = []
        for family in self.families:
            known = self.transitions[MAIN_CHOICE["rule"]][family].items()
            moves = [(scale, run, at) for (scale, run), at in known if at is not None]
            schema = {"scale": pl.String, "run": pl.String, "at": pl.Int64}
            rows = self.rows(family).join(pl.DataFrame(moves, schema, orient="row"), on=["scale", "run"])
            phase = pl.when(pl.col("step") < pl.col("at")).then(pl.lit(BEFORE)).otherwise(pl.lit(AFTER))
            keys = ["family", "scale", "n", "run", phase.alias("phase")]
            share = (pl.col("size") / pl.col("n")).log().mean().exp().alias("value")
            parts.append(rows.filter(pl.col("size") > 0).group_by(keys, maintain_order=True).agg(share))
        return pl.concat(parts)

    @property
    def several_steps(self) -> bool:
        """Whether an epoch has several steps in some family."""
        return bool(self.cascades["replicate"].max())

    @property
    def main(self) -> pl.DataFrame:
        """Phases with the main choice, by every method."""
        wanted = MAIN_CHOICE | {"graph": self.graphs[0]}
        return self.phases.filter(*(pl.col(name) == value for name, value in wanted.items()))

    @cached_property
    def along(self) -> pl.DataFrame:
        """D(t): by epoch, and by the distance from each run's own transition."""
        parts = []
        for family in self.families:
            rows, moves = self.rows(family), self.transitions[MAIN_CHOICE["rule"]][family]
            for axis, found in (("epoch", exponent_along(rows)), ("aligned", exponent_along(rows, moves))):
                parts.append(found.select(pl.lit(family).alias("family"), pl.lit(axis).alias("axis"), *found.columns))
        return pl.concat(parts)

    @cached_property
    def distribution(self) -> pl.DataFrame:
        """Exponents of the distribution of sizes over all snapshots, by family."""
        found = [(family, size_distribution(self.rows(family))) for family in self.families]
        return pl.concat([table.select(pl.lit(name).alias("family"), *table.columns) for name, table in found])

    @cached_property
    def curves(self) -> pl.DataFrame:
        """Share of sizes at least as large, by family and scale, also with N^D of the collapse as the unit."""
        parts = []
        for family in self.families:
            own = self.distribution.filter(pl.col("family") == family, pl.col("statistic") == "collapse")["value"]
            found = survival(self.rows(family))
            scaled = pl.col("value") / pl.col("n").cast(pl.Float64) ** (own[0] if own.len() else float("nan"))
            parts.append(found.select(pl.lit(family).alias("family"), *found.columns, scaled.alias("scaled")))
        return pl.concat(parts)

    @cached_property
    def control(self) -> pl.DataFrame:
        """D of Gaussian fields by kind of graph; columns of ``PHASE_SCHEMA`` besides."""
        parts = []
        for graph in self.graphs:
            rows = self.gaussian.filter(pl.col("graph") == graph)
            # They have no transition; with any epoch in its place, the exponent over all epochs is the same.
            middle = sorted(rows["step"].unique())[rows["step"].n_unique() // 2]
            moves = dict.fromkeys(rows.select("scale", "run").unique().rows(), middle)
            found = phase_exponents(rows, moves).filter(pl.col("method") == "means", pl.col("phase") == ALL)
            parts.append(found.select(pl.lit(graph).alias("graph"), *found.columns))
        return pl.concat(parts)

    @property
    def control_variation(self) -> float:
        """Coefficient of variation of D of Gaussian fields over the kinds of graph."""
        values = self.control["value"]
        return float(values.std() or 0.0) / float(values.mean())  # type: ignore[arg-type]

    @cached_property
    def learning(self) -> pl.DataFrame:
        """When the runs of every scale pass, and how the concentration of the weights changes on the way."""
        rise = pl.col("gini").max() / pl.col("gini").first() - 1
        end = pl.col("gini").last() / pl.col("gini").first() - 1
        by_run = self.series.sort("step").group_by("family", "scale", "run", maintain_order=True).agg(
            rise=rise, end=end, final_loss=pl.col("loss").last(), final_accuracy=pl.col("accuracy").last()
        )  # fmt: skip
        known: list[dict[str, Any]] = [
            {"family": family, "scale": scale, "run": run, "rule": rule, "at": at}
            for rule, families in self.transitions.items()
            for family, moves in families.items()
            for (scale, run), at in moves.items()
        ]
        schema = {"family": pl.String, "scale": pl.String, "run": pl.String, "rule": pl.String, "at": pl.Int64}
        wide = pl.DataFrame(known, schema).pivot("rule", index=["family", "scale", "run"], values="at")
        rules = list(self.transitions)
        passed = [pl.col(rule).median().alias(f"median epoch by {rule}") for rule in rules]
        never = [pl.col(rule).is_null().sum().alias(f"runs that never pass by {rule}") for rule in rules]
        early = [(pl.col(rule) == 0).sum().alias(f"runs that pass at once by {rule}") for rule in rules]
        return by_run.join(wide, on=["family", "scale", "run"]).group_by("family", "scale", maintain_order=True).agg(
            pl.len().alias("runs"), *passed, *never, *early,
            pl.col("rise").mean().alias("largest rise of Gini"),
            pl.col("end").mean().alias("rise of Gini at the end"),
            pl.col("final_loss").median().alias("median final loss"),
        )  # fmt: skip
