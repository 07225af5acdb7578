"""Slow, obvious twins of the probe, and the fields it is tried on."""

import numpy as np

from gradcascade.probe.engines import cpu, reference
from gradcascade.probe.hashing import GOLDEN, mix_array
from gradcascade.probe.magnitudes import interpolate


def relax_on_cpu(units, graph, threshold, alpha, max_steps, threads=1):
    """The CPU engine's steps on a field in units: its activity; the units are relaxed in place."""
    return np.array([len(active) for active in cpu.steps(units, graph, threshold, alpha, max_steps, threads)], int)


RELAX = {"reference": lambda *arguments: reference.relax(*arguments[:5]), "cpu": relax_on_cpu}
"""By engine: ``relax(units, graph, threshold, alpha, max_steps, threads)``."""


def dense_double(field, graph, alpha=0.3, quantile=0.9, max_steps=500):
    """The rule as METHOD states it, with a dense matrix in double precision: activity profile and final field."""
    u = np.asarray(field, np.float64).reshape(-1).copy()
    adjacency = np.zeros((graph.n, graph.n))
    for later, earlier in graph.edges():
        adjacency[later, earlier] += 1
        adjacency[earlier, later] += 1
    degree = adjacency.sum(axis=0)
    tau = np.quantile(np.abs(u), quantile)
    activity = []
    while len(activity) < max_steps:
        active = np.abs(u) > tau
        if not active.any():
            break
        activity.append(int(active.sum()))
        sent = np.where(active, alpha * u, 0.0)
        u = u - sent + adjacency @ (sent / degree)
    return np.array(activity, np.int64), u


def sparse_double(field, graph, alpha=0.3, quantile=0.9, max_steps=500):
    """The same with one matrix-vector product a step, for fields too large for a dense matrix."""
    from scipy.sparse import csr_array

    u = np.asarray(field, np.float64).reshape(-1).copy()
    degree = graph.degrees()
    offsets, neighbours = graph.rows()
    ones = np.ones(len(neighbours))
    adjacency = csr_array((ones, neighbours, offsets.astype(np.int64)), shape=(graph.n, graph.n))
    tau = np.quantile(np.abs(u), quantile)
    activity = []
    while len(activity) < max_steps:
        active = np.abs(u) > tau
        if not active.any():
            break
        activity.append(int(active.sum()))
        sent = np.where(active, alpha * u, 0.0)
        u = u - sent + adjacency @ (sent / degree)
    return np.array(activity, np.int64), u


def uniform_array(key, counter):
    """The draws of a stream at some counters, in plain NumPy."""
    return (mix_array(key + GOLDEN * (counter + np.uint64(1))) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def sorted_quantile(field, q):
    """Quantile of the magnitudes by sorting them, with the probe's own interpolation."""
    ordered = np.sort(np.abs(field.astype(np.float64)))
    position = q * (len(field) - 1)
    rank = min(int(position), len(field) - 2)
    return interpolate(ordered[rank], ordered[rank + 1], position - rank)


def _spikes(rng, n):
    field = rng.standard_normal(n)
    field[rng.integers(0, n, max(1, n // 100))] *= 1e4
    return field


def _ties(rng, n):
    return np.sign(rng.standard_normal(n)) * rng.integers(1, 4, n).astype(float)


FIELDS = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "heavy-tailed": lambda rng, n: rng.standard_t(1.5, n),
    "uniform": lambda rng, n: rng.uniform(-1, 1, n),
    "spikes": _spikes,
    "all-positive": lambda rng, n: rng.exponential(size=n),
    "tiny": lambda rng, n: rng.standard_normal(n) * 1e-37,
    "huge": lambda rng, n: rng.standard_normal(n) * 1e30,
    "ties-at-tau": _ties,
    "half-zeros": lambda rng, n: rng.standard_normal(n) * (rng.random(n) < 0.5),
}


def make_field(kind, n, seed, dtype: type = np.float32):
    """A field by name."""
    return FIELDS[kind](np.random.default_rng([seed, n]), n).astype(dtype)
