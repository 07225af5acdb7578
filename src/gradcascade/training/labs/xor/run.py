"""One training of one network, with the cascades of its gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.fields.drawing import null
from gradcascade.probe.cascade import Cascade
from gradcascade.probe.graph import Graph, GraphSpec, build_graph
from gradcascade.probe.hashing import stream_key
from gradcascade.probe.relaxation import Probe
from gradcascade.training.labs.xor.config import Training, XorConfig
from gradcascade.training.labs.xor.network import Network
from gradcascade.vocabulary import REAL

GAUSSIAN = "gaussian"
"""Family of the control: independent normal numbers in place of gradients (N0), without any training."""

CASCADES = {
    "family": pl.String, "scale": pl.String, "run": pl.String, "step": pl.Int64, "field": pl.String,
    "variant": pl.String, "replicate": pl.Int64, "graph": pl.String, "n": pl.Int64, "tau": pl.Float64,
    "size": pl.Int64, "duration": pl.Int64, "ceiling": pl.Boolean, "activity": pl.List(pl.Int64),
    "max_over_tau": pl.Float64, "zero_share": pl.Float64,
}  # fmt: skip
"""Columns of the cascades; ``replicate`` counts the steps of an epoch where it has several."""

SERIES = {
    "family": pl.String, "scale": pl.String, "run": pl.String, "step": pl.Int64, "loss": pl.Float64,
    "accuracy": pl.Float64, "gini": pl.Float64,
}  # fmt: skip
"""Columns of what is known of the network itself, at every epoch."""

_INIT, _BATCHES, _NULL = 0, 1, 2


@dataclass(frozen=True)
class Found:
    """Tables of one training."""

    cascades: pl.DataFrame
    series: pl.DataFrame


def train(training: Training, config: XorConfig) -> Found:
    """Train one network and measure its gradients; equal seeds give the same initial weights in all variants."""
    rng = np.random.default_rng([training.seed, training.width, _INIT])
    batches = np.random.default_rng([training.seed, training.width, _BATCHES])
    variant = training.variant
    network = Network.drawn(training.width, variant.activation, variant.init, rng)
    watch = _Watch.of(training, config)
    recorded = set(config.recorded_epochs)
    rows: list[dict[str, Any]] = []
    series = []
    for epoch in range(config.epochs + 1):
        numbers = network.loss(), network.accuracy(), network.concentration()
        series.append((variant.name, training.scale, str(training.seed), epoch, *numbers))
        last = epoch == config.epochs  # its gradients are measured on copies that nothing follows
        here = Network(network.width, network.activation, network.theta.copy()) if last else network
        for number, which in enumerate(_batches(variant.batch, batches)):
            # Gradients are float32 in the fields that others record.
            field = watch.ordered(here.gradient(which)).astype(np.float32)
            step = field.astype(np.float64)
            if variant.mode == "published":
                relaxed = watch.probe.relax(field, watch.graphs[watch.main])
                step, cascade = relaxed.field, relaxed.cascade
            elif epoch in recorded:
                cascade = watch.probe(field, watch.graphs[watch.main])
            else:
                cascade = None
            if epoch in recorded and cascade is not None:
                rows += watch.rows(epoch, number, field, cascade)
            here.theta = here.theta - config.learning_rate * watch.ordered(step)
    return Found(pl.DataFrame(rows, CASCADES), pl.DataFrame(series, SERIES, orient="row"))


def draw_gaussian(width: int, seed: int, config: XorConfig) -> pl.DataFrame:
    """Cascades of normal fields on every kind of graph, one for each recorded epoch."""
    n = 4 * width + 1
    graphs = _graphs(n, seed, config)
    rows = []
    for epoch in config.recorded_epochs:
        field = null("N0", n, _null_seed(seed, width, epoch), threads=1)
        for kind, graph in graphs.items():
            cascade = config.probe(kind, seed)(field, graph)
            rows.append(_row(GAUSSIAN, f"h{width}", seed, epoch, "N0", 0, kind, cascade))
    return pl.DataFrame(rows, CASCADES)


@dataclass(frozen=True)
class _Watch:
    """What measures the gradients of one training."""

    training: Training
    config: XorConfig
    graphs: dict[str, Graph]
    probe: Probe

    @classmethod
    def of(cls, training: Training, config: XorConfig) -> _Watch:
        graphs = _graphs(training.n, training.seed, config)
        return cls(training, config, graphs, config.probe(seed=training.seed))

    @property
    def main(self) -> str:
        """The kind of graph that a published run trains on."""
        return self.config.graph_kinds[0]

    def ordered(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Parameters in the order of the field, or back."""
        return values[::-1] if self.config.order == "reversed" else values

    def rows(self, epoch: int, number: int, field: NDArray[np.float32], cascade: Cascade) -> Iterator[dict[str, Any]]:
        """Cascades of one gradient: on its graph, of its values in random order, and on the other kinds of graph."""
        family, scale, seed = self.training.variant.name, self.training.scale, self.training.seed
        yield _row(family, scale, seed, epoch, REAL, number, self.main, cascade)
        mixed = null("N2", field, _null_seed(seed, self.training.width, epoch), replicate=number, threads=1)
        permuted = self.probe(mixed, self.graphs[self.main])
        yield _row(family, scale, seed, epoch, "N2", number, self.main, permuted)
        for kind, graph in self.graphs.items():
            if kind != self.main:
                other = self.config.probe(kind, seed)(field, graph)
                yield _row(family, scale, seed, epoch, REAL, number, kind, other)


def _graphs(n: int, seed: int, config: XorConfig) -> dict[str, Graph]:
    """Every kind of graph; built, since reading one so small from the cache folder takes as long."""
    found = {}
    for kind in config.graph_kinds:
        probe = config.probe(kind, seed)
        found[kind] = build_graph(GraphSpec(probe.graph, n, probe.m, probe.graph_seed), threads=1)
    return found


def _null_seed(seed: int, width: int, epoch: int) -> int:
    """Seed of a null: other runs and widths have other draws."""
    return int(stream_key(_NULL, seed, width) >> np.uint64(16)) + epoch


def _batches(size: int, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """The patterns of every step of an epoch."""
    order = np.arange(4) if size == 4 else rng.permutation(4)
    for start in range(0, 4, size):
        yield order[start : start + size]


def _row(
    family: str, scale: str, seed: int, epoch: int, variant: str, number: int, kind: str, cascade: Cascade
) -> dict[str, Any]:
    return {
        "family": family, "scale": scale, "run": str(seed), "step": epoch, "field": "gradient", "variant": variant,
        "replicate": number, "graph": kind, "n": cascade.n, "tau": cascade.tau, "size": cascade.size,
        "duration": cascade.duration, "ceiling": cascade.ceiling, "activity": cascade.activity.tolist(),
        "max_over_tau": cascade.max_over_tau, "zero_share": cascade.zero_share,
    }  # fmt: skip
