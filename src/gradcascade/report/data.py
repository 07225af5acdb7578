"""Everything a report shows, gathered once: tables, windows, settings, origins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import polars as pl

from gradcascade.errors import InputError
from gradcascade.inference import infer
from gradcascade.performance.association import channel_series
from gradcascade.performance.metrics import metrics_over_runs
from gradcascade.performance.schedules import Schedule, published_schedules
from gradcascade.report.tokens import step_label
from gradcascade.scaling.decomposition import decompose, window_null_parts
from gradcascade.scaling.points import Points
from gradcascade.scaling.replicate_means import replicate_means
from gradcascade.scaling.windows import EmptyWindow, Window, empty_windows, summarise
from gradcascade.vocabulary import FAMILY, METRIC_COLUMNS, REAL, REFUSAL_COLUMNS, SCALE, STEP, TOKENS, polars_schema

__all__ = ["Group", "ReportData", "of_group"]

Group = tuple[str, str]

TOKENS_SCHEMA = polars_schema((FAMILY, SCALE, STEP, TOKENS))


@dataclass(frozen=True)
class ReportData:
    """What a report is made from; nothing in it is computed again later."""

    title: str
    cascades: pl.DataFrame
    points: Points
    metrics: pl.DataFrame
    probe: dict[str, Any]
    provenance: dict[str, Any]
    plan_toml: str
    refusals: pl.DataFrame
    schedules: Mapping[str, Schedule] = field(default_factory=published_schedules)
    robustness: pl.DataFrame | None = None
    orders: pl.DataFrame | None = None
    """Exponents in other orders of the tensors, from :mod:`gradcascade.scaling.order_sensitivity`."""
    order_scatter: pl.DataFrame | None = None
    """How much the channels scatter over these orders, from the same."""
    tokens: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=TOKENS_SCHEMA))
    """Tokens seen by family, scale and step, where they are known."""
    contents: pl.DataFrame | None = None
    """What the fields are made of: tensors, entries, what chose them and what was left out, by scale."""

    @classmethod
    def from_tables(
        cls,
        cascades: pl.DataFrame,
        metrics: pl.DataFrame | None = None,
        probe: Mapping[str, Any] | None = None,
        provenance: Mapping[str, Any] | None = None,
        plan_toml: str = "",
        window: Window = None,
        title: str = "Finite-size gradient transport",
        refusals: pl.DataFrame | None = None,
        schedules: Mapping[str, Schedule] | None = None,
        robustness: pl.DataFrame | None = None,
        orders: pl.DataFrame | None = None,
        order_scatter: pl.DataFrame | None = None,
        contents: pl.DataFrame | None = None,
        tokens: pl.DataFrame | None = None,
    ) -> ReportData:
        """Fit, summarise and split a table of cascades."""
        points = Points.of(cascades, window)
        empty = empty_windows(cascades, points.windows)
        if empty and len(empty) == len(points.windows):
            raise InputError("; ".join(window.sentence for window in empty))
        return cls(
            title=title,
            cascades=cascades,
            points=points,
            metrics=pl.DataFrame(schema=polars_schema(METRIC_COLUMNS)) if metrics is None else metrics,
            probe=dict(probe or {}),
            provenance=dict(provenance or {}),
            plan_toml=plan_toml,
            refusals=pl.DataFrame(schema=polars_schema(REFUSAL_COLUMNS)) if refusals is None else refusals,
            schedules=published_schedules() if schedules is None else schedules,
            robustness=robustness,
            orders=orders,
            order_scatter=order_scatter,
            contents=contents,
            tokens=pl.DataFrame(schema=TOKENS_SCHEMA) if tokens is None else tokens,
        )

    @property
    def windows(self) -> dict[Group, tuple[int, int]]:
        """First and last step of the window of every family and field."""
        return self.points.windows

    @property
    def channels(self) -> pl.DataFrame:
        """Every cascade with its channels, and whether and why it is left out."""
        return self.points.rows

    @property
    def fits(self) -> pl.DataFrame:
        """Every exponent at every step."""
        return self.points.fits

    @cached_property
    def summary(self) -> pl.DataFrame:
        """Mean and SD of every exponent over the window."""
        return summarise(self.fits, self.windows)

    @cached_property
    def decomposition(self) -> pl.DataFrame:
        """Every exponent less those of the nulls, step by step."""
        return decompose(self.fits)

    @cached_property
    def answers(self) -> dict[str, pl.DataFrame]:
        """Everything :func:`gradcascade.infer` answers about the cascades: verdicts, intervals, associations, ..."""
        found = infer(self.points, None, self.metrics, self.schedules)
        if self.order_scatter is not None:
            orders = self.order_scatter.with_columns(variant=pl.lit(REAL))
            keys = ["family", "field", "variant", "channel"]
            variances = found["variances"]
            joined = variances.drop("order_sd").join(orders, on=keys, how="left", maintain_order="left")
            found["variances"] = joined.select(variances.columns)
        return found

    @cached_property
    def empty_windows(self) -> list[EmptyWindow]:
        """Families and fields without a measured step in their window: they have no exponents over it."""
        return empty_windows(self.cascades, self.windows)

    @cached_property
    def means(self) -> pl.DataFrame:
        """Channels of every scale and step, averaged over replicates."""
        return replicate_means(self.channels)

    @cached_property
    def mean_metrics(self) -> pl.DataFrame:
        """External performance, averaged over the runs of a scale."""
        return metrics_over_runs(self.metrics)

    @cached_property
    def series(self) -> pl.DataFrame:
        """Channels and exponents along training, as they are associated with metrics."""
        return channel_series(self.points)

    @cached_property
    def null_parts(self) -> pl.DataFrame:
        """Means of the parts of the difference to the null over the window."""
        return window_null_parts(self.decomposition, self.windows)

    @property
    def step_label(self) -> str:
        """Label of an axis of steps."""
        return step_label(self.tokens, self.families)

    @property
    def groups(self) -> list[Group]:
        """Every (family, field) measured, gradients before updates."""
        return list(self.windows)

    @property
    def families(self) -> list[str]:
        """Family names in the order of the groups."""
        return list(dict.fromkeys(family for family, _ in self.groups))

    @property
    def variants(self) -> list[str]:
        """Which of real, N0, N1, N2 and further nulls were measured."""
        seen = self.cascades["variant"].unique().to_list()
        return sorted(seen, key=lambda name: (name != "real", name))

    @property
    def baseline(self) -> str:
        """The null drawn beside the real fields: N0 where measured, else the first there is, else ""."""
        return next((name for name in self.variants if name != "real"), "")

    @cached_property
    def several_runs(self) -> dict[tuple[str, str], list[str]]:
        """Runs of every (family, scale) that has more than one."""
        if "run" not in self.cascades.columns:
            return {}
        runs = self.cascades.group_by("family", "scale").agg(pl.col("run").cast(pl.String).unique().sort())
        return {row[:2]: row[2] for row in runs.sort("family", "scale").iter_rows() if len(row[2]) > 1}

    @property
    def shown_metric(self) -> str | None:
        """The metric that figures draw: perplexity if measured, else the first by name, None if there is none."""
        names = sorted(self.metrics["metric"].unique().to_list())
        likely = [name for name in names if "perplexity" in name.lower() or "ppl" in name.lower()]
        return next(iter(["perplexity"] if "perplexity" in names else likely or names), None)

    def scales(self, family: str | None = None) -> list[str]:
        """Scale names from the smallest field to the largest."""
        table = self.cascades if family is None else self.cascades.filter(pl.col("family") == family)
        return table.group_by("scale").agg(pl.col("n").max()).sort("n", "scale")["scale"].to_list()

    def sizes(self, family: str, scale: str) -> str:
        """N of a scale, in words; where its kinds of field differ in N, all of them."""
        own = self.cascades.filter(pl.col("family") == family, pl.col("scale") == scale)
        return " or ".join(f"{n:,}" for n in own["n"].unique().sort())

    def entries(self, family: str, field: str | None = None) -> dict[str, int]:
        """Entries N of each scale's field, small scales first; of all kinds of field, the largest."""
        table = self.cascades.filter(pl.col("family") == family)
        if field is not None:
            table = table.filter(pl.col("field") == field)
        return dict(table.group_by("scale").agg(pl.col("n").max()).sort("n", "scale").iter_rows())


def of_group(table: pl.DataFrame, group: Group) -> pl.DataFrame:
    """Rows of one (family, field)."""
    return table.filter(pl.col("family") == group[0], pl.col("field") == group[1])
