"""Checks of the probe against published and independent figures; prints the tables of docs/validation.md.

python benchmarks/validation.py [--sizes 589824,9437184,37748736,150994944] [--fields 1000]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats

import gradcascade as gc

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "probe"))


def null_floor(sizes: list[int]) -> None:
    """s/N, durations and z of standard normal fields at the sizes of Pico-LM."""
    probe = gc.Probe()
    durations: list[list[int]] = []
    print("| N | seeds | s/N | SD over seeds | mean n_steps | single runs |\n| --- | --- | --- | --- | --- | --- |")
    for n in sizes:
        graph = probe.graph_for(n)
        cascades = [probe(gc.null("N0", n, seed=42 + t), graph) for t in range(8 if n < 1e7 else 4)]
        ratio = [cascade.size / n for cascade in cascades]
        durations.append([cascade.duration for cascade in cascades])
        print(
            f"| {n:,} | {len(cascades)} | {np.mean(ratio):.5f} | {np.std(ratio, ddof=1):.5f} "
            f"| {np.mean(durations[-1]):.2f} | {min(durations[-1])} to {max(durations[-1])} |",
            flush=True,
        )
    # Every cascade is one point; the seeds are independent, so the usual standard error of the slope holds.
    x = np.concatenate([[np.log(n)] * len(d) for n, d in zip(sizes, durations, strict=True)])
    line: Any = scipy.stats.linregress(x, np.log(np.concatenate(durations)))
    print(f"\nz of N0 = {line.slope:+.4f}, standard error {line.stderr:.4f} ({len(x)} cascades)\n", flush=True)


def double_precision(count: int) -> None:
    """How often a count differs from double precision, on fields of mixed kinds and sizes."""
    from twins import FIELDS, make_field, sparse_double

    kinds = sorted(FIELDS)
    longer = differing = 0
    worst = 0.0
    events = 0
    for number in range(count):
        n = int(np.random.default_rng(number).choice([1_000, 10_000, 36_864, 147_456]))
        field = make_field(kinds[number % len(kinds)], n, number)
        graph = gc.Probe().graph_for(n)
        expected, _ = sparse_double(field, graph)
        found = gc.Probe()(field, graph).activity
        events += int(expected.sum())
        longer += len(found) != len(expected)
        if found.tolist() != expected.tolist():
            differing += 1
            worst = max(worst, abs(found.sum() - expected.sum()) / expected.sum())
    print(
        f"{count} fields ({', '.join(kinds)}), {events:,} events: {longer} with another duration, {differing} with "
        f"another activity at any step, largest relative difference of the size {worst:.1e}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="589824,9437184,37748736,150994944")
    parser.add_argument("--fields", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.fields:
        double_precision(arguments.fields)
    null_floor([int(size) for size in arguments.sizes.split(",")])
