"""D and z of synthetic fields on small graphs of every kind; prints a table of docs/validation.md.

python benchmarks/small_networks.py [--values normal|heavy] [--kinds ring,...] [--graphs 20] [--fields 50] [--cap 20]

arXiv:2604.04655 gives D = 0.99 +- 0.01 for synthetic fields over N = 81 to 2001, relaxed for at most 20 steps, on
ring, small worlds (p = 0.05 and 0.2), scale-free (Barabasi-Albert) and random graphs; z was not tested there. The
sizes are those of networks with two inputs, one hidden layer of h units and one output: N = 4 h + 1.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import gradcascade as gc
from gradcascade.probe.graph import build_graph
from gradcascade.probe.graphs import GRAPHS
from gradcascade.scaling.regression import fit_lines

SIZES = tuple(4 * hidden + 1 for hidden in (20, 35, 60, 100, 170, 290, 500))
LOW, HIGH = 0.98, 1.00
"""The published D of synthetic fields, 0.99 +- 0.01."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """Sizes and durations, shape (graphs, fields, N), and whether a cascade reached the cap."""

    size: Floats
    duration: Floats
    capped: NDArray[np.bool_]


def drawn(values: str, graph: int, fields: int, n: int) -> NDArray[np.float32]:
    """Independent synthetic fields, shape (fields, n): standard normal, or Student's t with 3 degrees of freedom."""
    rng = np.random.default_rng([42, graph, n])
    found = rng.standard_normal((fields, n)) if values == "normal" else rng.standard_t(3, (fields, n))
    return found.astype(np.float32)


def measured(kind: str, values: str, graphs: int, fields: int, cap: int) -> Measured:
    """Measure ``fields`` fields of every size on each of ``graphs`` graphs; all kinds get the same fields."""
    probe = gc.Probe(graph=kind, max_steps=cap, threads=1)
    shape = (graphs, fields, len(SIZES))
    size, duration, capped = np.empty(shape), np.empty(shape), np.empty(shape, dtype=bool)
    for place, n in enumerate(SIZES):
        for number in range(graphs):
            graph = build_graph(gc.GraphSpec(kind, n, 2, 42 + number), threads=1)
            for replicate, field in enumerate(drawn(values, number, fields, n)):
                cascade = probe(field, graph)
                at = number, replicate, place
                size[at], duration[at], capped[at] = cascade.size, cascade.duration, cascade.ceiling
    return Measured(size, duration, capped)


def slopes(logs: Floats) -> Floats:
    """Slope of the last axis on log N."""
    rows = logs.reshape(-1, len(SIZES))
    starts = np.arange(len(rows), dtype=np.intp) * len(SIZES)
    return fit_lines(np.tile(np.log(SIZES), len(rows)), rows.ravel(), starts).value.reshape(logs.shape[:-1])


def estimate(logs: Floats) -> tuple[float, float, float]:
    """Exponent with its standard error over graphs, and its standard deviation over single sets of cascades.

    Fields that share a graph are not independent: each graph gives one value, the slope of its averaged logarithms.
    """
    per_graph = slopes(logs.mean(axis=1))
    return (
        float(per_graph.mean()),
        float(per_graph.std(ddof=1) / np.sqrt(len(per_graph))),
        float(slopes(logs).std(ddof=1)),
    )


def table(values: str, kinds: list[str], graphs: int, fields: int, cap: int) -> None:
    print(
        f"{values} fields, at most {cap} steps, {graphs} graphs with {fields} fields each:\n\n"
        "| graph | D | SE | SD of one set | z | SE | SD of one set | mean n_steps, N = 81 and 2001 | at the cap |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    published = []
    for kind in kinds:
        found = measured(kind, values, graphs, fields, cap)
        D, D_error, D_spread = estimate(np.log(found.size))
        z, z_error, z_spread = estimate(np.log(found.duration))
        ends = found.duration.mean(axis=(0, 1))[[0, -1]]
        print(
            f"| `{kind}` | {D:.4f} | {D_error:.4f} | {D_spread:.3f} | {z:+.4f} | {z_error:.4f} | {z_spread:.3f} "
            f"| {ends[0]:.2f}, {ends[1]:.2f} | {100 * found.capped.mean():.2f} % |",
            flush=True,
        )
        if kind != "regular":
            published.append(D)
    if len(published) < 5:
        return
    inside = sum(LOW <= D <= HIGH for D in published)
    print(
        f"\nThe five kinds of arXiv:2604.04655: D = {np.mean(published):.4f}, SD over kinds "
        f"{np.std(published, ddof=1):.4f}; {inside} of {len(published)} within 0.99 +- 0.01"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--values", choices=("normal", "heavy"), default="normal")
    parser.add_argument("--kinds", default=",".join(GRAPHS))
    parser.add_argument("--graphs", type=int, default=20)
    parser.add_argument("--fields", type=int, default=50)
    parser.add_argument("--cap", type=int, default=20)
    arguments = parser.parse_args()
    table(arguments.values, arguments.kinds.split(","), arguments.graphs, arguments.fields, arguments.cap)
