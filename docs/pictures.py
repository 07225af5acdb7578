"""Draw the pictures of the method's page from the probe itself: `python docs/pictures.py` (needs the dev extra)."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np

import gradcascade as gc
from gradcascade.probe.engines import reference

IMAGES = Path(__file__).parent / "images"
QUIET, ACTIVE, BELOW, INK = "#d5dbe1", "#c4501b", "#2f6f9f", "#1b2430"
UNIT = 2**40


def relaxation() -> None:
    """Draw one small cascade, step by step: who is active, and what each node holds."""
    n = 60
    graph = gc.load_graph(gc.GraphSpec("barabasi-albert", n, 2, 42))
    field = np.random.default_rng(11).standard_t(4, n)
    tau = np.quantile(np.abs(field), 0.9)
    start = (field / tau * UNIT).astype(np.int64)
    activity = reference.relax(start.copy(), graph, UNIT, 0.3, 500)
    network = nx.Graph(graph.edges().tolist())
    places = nx.spring_layout(network, seed=3, iterations=200)
    shown = [0, 1, 2, len(activity)]
    figure, axes = plt.subplots(2, 2, figsize=(8.5, 6.6), layout="constrained")
    for axis, steps in zip(axes.flat, shown, strict=True):
        units = start.copy()
        if steps:
            reference.relax(units, graph, UNIT, 0.3, steps)
        held = np.abs(units) / UNIT
        nx.draw_networkx_edges(network, places, ax=axis, edge_color=QUIET, width=0.7)
        nx.draw_networkx_nodes(
            network,
            places,
            nodelist=range(n),
            ax=axis,
            node_size=16 + 110 * np.minimum(held, 3),
            node_color=np.where(held > 1, ACTIVE, BELOW).tolist(),
            linewidths=0,
        )
        count = int((held > 1).sum())
        title = f"after step {steps}" if steps else "the field"
        axis.set_title(f"{title}: {count or 'none'} active", fontsize=13, color=INK)
        axis.set_axis_off()
    _save(figure, "relaxation")


def scaling() -> None:
    """Draw activity profiles of noise and of heavy tails at four sizes, and the lines through their logarithms."""
    sizes = [4_000, 16_000, 64_000, 256_000]
    kinds = {"normal": (BELOW, "o"), "heavy tails": (ACTIVE, "s")}
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.8), layout="constrained")
    probe = gc.Probe()
    for kind, (colour, mark) in kinds.items():
        durations = []
        for number, n in enumerate(sizes):
            rng = np.random.default_rng(n)
            field = rng.standard_normal(n) if kind == "normal" else rng.standard_t(3, n)
            cascade = probe(field)
            durations.append(cascade.duration)
            steps = np.arange(cascade.duration)
            label = kind if number == len(sizes) - 1 else None
            left.plot(steps, cascade.activity, color=colour, alpha=0.4 + 0.2 * number, label=label, lw=1.4)
        z, level = np.polyfit(np.log(sizes), np.log(durations), 1)
        right.plot(sizes, durations, mark, color=colour, label=f"{kind}: z = {z:+.2f}")
        right.plot(sizes, np.exp(level) * np.power(sizes, z), color=colour, lw=1)
    left.set(yscale="log", xlabel="relaxation step", ylabel="active nodes")
    left.legend(frameon=False)
    right.set(xscale="log", yscale="log", xlabel="entries of the field, N", ylabel="duration, n_steps")
    right.minorticks_off()
    right.set_xticks(sizes, [f"{n:,}" for n in sizes])
    ticks = [5, 10, 20, 40]
    right.set_yticks(ticks, [str(tick) for tick in ticks])
    right.legend(frameon=False)
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0.06)
    _save(figure, "scaling")


def _save(figure: plt.Figure, name: str) -> None:
    figure.savefig(IMAGES / f"{name}.png", dpi=160, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    matplotlib.use("Agg")
    relaxation()
    scaling()
