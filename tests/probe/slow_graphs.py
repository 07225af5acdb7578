"""Slow, obvious twins of the graphs, edge by edge in plain Python."""

import numpy as np
from twins import uniform_array

from gradcascade.probe.graphs import _barabasi_albert, _random_graph, _small_world
from gradcascade.probe.hashing import stream_key


def barabasi_albert(n, m, seed):
    key = _barabasi_albert.graph_key(m, seed)
    ends = []  # endpoints of all edges so far: later node, earlier node, ...
    for e in range(m):
        ends += [e + 1, 0]
    for node in range(m + 1, n):
        chosen = []
        for e in range(m * (node - m), m * (node - m) + m):
            attempt = 0
            while len(chosen) <= e % m:
                counter = np.array([(e << _barabasi_albert._ATTEMPT_BITS) | attempt], np.uint64)
                end = ends[int(uniform_array(key, counter)[0] * (2 * m * (node - m)))]
                if end not in chosen:
                    chosen.append(end)
                attempt += 1
        for earlier in chosen:
            ends += [node, earlier]
    return np.array(ends[1::2], np.int32)


def later_nodes(n, m):
    """The node that came with every edge of a Barabasi-Albert graph."""
    edges = np.arange(m * (n - m))
    return np.where(edges < m, edges + 1, edges // m + m).astype(np.int32)


def ring(n):
    return np.array([(i + step) % n for i in range(n) for step in (1, 2)], np.int32)


def small_world(n, p, seed):
    counters = np.arange(2 * n, dtype=np.uint64)
    decisions = uniform_array(stream_key(_small_world._DECISION, n, seed), counters).tolist()
    draws = uniform_array(stream_key(_small_world._DISTANCE, n, seed), counters).tolist()
    result = []
    for i in range(n):
        choice = list(range(3, (n - 1) // 2 + 1))
        for edge, step in ((2 * i, 1), (2 * i + 1, 2)):
            elsewhere = choice.pop(int(draws[edge] * len(choice)))
            result.append((i + (elsewhere if decisions[edge] < p else step)) % n)
    return np.array(result, np.int32)


def random_graph(n, seed):
    key = stream_key(_random_graph._PURPOSE, n, seed)
    draws = uniform_array(key, np.arange(2 * n, dtype=np.uint64)).tolist()
    result = []
    for i in range(n):
        choice = list(range(1, (n - 1) // 2 + 1))
        for draw in draws[2 * i : 2 * i + 2]:
            result.append((i + choice.pop(int(draw * len(choice)))) % n)
    return np.array(result, np.int32)


def regular_rows(n):
    s = max(2, int(n**0.5))
    return [[(i + step) % n for step in (1, s, -1, -s)] for i in range(n)]
