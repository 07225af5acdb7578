"""How fast the probe is here, compared with scipy.sparse, torch.sparse and the bandwidth of memory."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.fields.drawing import null
from gradcascade.probe import threshold
from gradcascade.probe.engines import cpu
from gradcascade.probe.fixedpoint import choose_scale, to_units
from gradcascade.probe.graph import Graph
from gradcascade.probe.relaxation import Probe
from gradcascade.probe.threads import thread_count


@dataclass(frozen=True)
class Timing:
    """Figures of one field size, medians over repetitions; None for what was not measured."""

    n: int
    seconds: float
    """Threshold and relaxation, with the graph at hand."""
    entries_per_second: float
    threshold_seconds: float
    scipy_seconds: float | None
    """One product of a sparse matrix in double precision a step."""
    torch_seconds: float | None
    floor_bytes: int
    floor_seconds: float
    """Bytes of :func:`floor_bytes` over the copy bandwidth."""
    peak_bytes_per_entry: float | None
    """Above a process that measures a tiny field."""


def copy_bandwidth(size: int = 1 << 28, repetitions: int = 5) -> float:
    """Bytes per second that a copy in memory moves, read and written bytes counted, on one core."""
    source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
    return 2 * size / median_seconds(lambda: np.copyto(target, source), repetitions)


def median_seconds(action: Callable[[], object], repetitions: int) -> float:
    """Median time of an action after one run that is not counted."""
    action()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def floor_bytes(field: NDArray[np.float32], graph: Graph, probe: Probe) -> int:
    """Bytes that any implementation must move: a count of work, which leaves open what the caches find.

    The field is read once (4 bytes an entry). Every activation reads where its row starts (4 bytes), its k
    neighbours (4 k), and reads and writes its own value and those of its neighbours (8 + 8 k in single precision).
    """
    magnitudes = threshold.survey(field)
    scale = choose_scale(threshold.quantile(field, probe.quantile, magnitudes), magnitudes)
    units = to_units(field, scale)
    total = 4 * len(field)
    for active in cpu.steps(units, graph, scale.threshold, probe.alpha, probe.max_steps, probe.threads or 1):
        total += 12 * (len(active) + active.contributions)
    return total


def sparse_cascade(values: Any, matrix: Any, probe: Probe) -> int:
    """The rule with one sparse matrix-vector product a step, in SciPy or PyTorch (double precision): the duration."""
    # torch.quantile refuses more than 2**24 entries, so the threshold is NumPy's for both.
    tau = float(np.quantile(np.abs(np.asarray(values)), probe.quantile))
    steps = 0
    while steps < probe.max_steps and (active := abs(values) > tau).any():
        sent = active * (probe.alpha * values)
        values = values + (matrix @ sent - sent)
        steps += 1
    return steps


def spreading_matrix(graph: Graph) -> Any:
    """Sparse matrix that spreads what is sent evenly over the neighbours."""
    from scipy.sparse import csr_array

    weights = 1.0 / np.maximum(graph.degrees(), 1)
    offsets, neighbours = graph.rows()
    return csr_array((weights[neighbours], neighbours, offsets.astype(np.int64)), shape=(graph.n, graph.n))


def torch_matrix(graph: Graph) -> Any:
    """Give :func:`spreading_matrix` as a torch.sparse matrix in compressed rows; None if torch is not installed."""
    import os
    import warnings

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch's threads would spin against ours
    try:
        import torch
    except ImportError:
        return None
    matrix = spreading_matrix(graph)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse ")  # CSR is in beta; its invariants hold
        starts, columns = (torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))
        return torch.sparse_csr_tensor(
            starts, columns, torch.from_numpy(matrix.data), size=matrix.shape, check_invariants=False
        )


def peak_bytes(n: int, threads: int) -> int | None:
    """Peak memory of a process that measures one normal field, graph in the cache; None where it is not known."""
    code = (
        "import pathlib, gradcascade as gc;"
        f"p = gc.Probe(threads={threads}); p(gc.null('N0', {n}, seed=1));"
        "status = pathlib.Path('/proc/self/status');"
        "print(status.read_text().split('VmHWM:')[1].split()[0] if status.exists() else '')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024 if done.stdout.strip() else None


def measure(
    n: int, *, threads: int | None = None, repetitions: int = 5, others: bool = True, memory: bool = True
) -> Timing:
    """Time one field size; ``others`` times sparse matrices too, of 48 (scipy) and 64 (torch) bytes an entry."""
    count = thread_count(threads)
    probe = Probe(threads=count)
    graph = probe.graph_for(n)
    field = null("N0", n, seed=1, threads=count)
    seconds = median_seconds(lambda: probe(field, graph), repetitions)
    first = median_seconds(
        lambda: threshold.quantile(field, probe.quantile, threshold.survey(field, count), count), repetitions
    )
    scipy_seconds = torch_seconds = None
    if others:
        runs = 1 if n > 2_000_000 else 3
        double = field.astype(np.float64)
        matrix = spreading_matrix(graph)
        scipy_seconds = median_seconds(lambda: sparse_cascade(double, matrix, probe), runs)
        matrix = torch_matrix(graph)  # in place of the other: either takes much memory
        if matrix is not None:
            tensor = matrix.values().new_tensor(double)
            torch_seconds = median_seconds(lambda: sparse_cascade(tensor, matrix, probe), runs)
        del matrix
    moved = floor_bytes(field, graph, probe)
    peak, empty = (peak_bytes(n, count), peak_bytes(1000, count)) if memory else (None, None)
    above = (peak - empty) / n if peak is not None and empty is not None else None
    return Timing(
        n, seconds, n / seconds, first, scipy_seconds, torch_seconds, moved, moved / copy_bandwidth(), above
    )


def by_quantile(
    n: int, quantiles: tuple[float, ...] = (0.99, 0.95, 0.9, 0.8, 0.5), *, threads: int, repetitions: int = 5
) -> list[dict[str, float]]:
    """Time by the share of active nodes: a row for each quantile."""
    field = null("N0", n, seed=1, threads=threads)
    rows = []
    for quantile in quantiles:
        probe = Probe(quantile=quantile, threads=threads)
        graph = probe.graph_for(n)
        cascade = probe(field, graph)
        seconds = median_seconds(lambda: probe(field, graph), repetitions)  # noqa: B023 - called at once
        rows.append({"quantile": quantile, "size_share": cascade.size / n, "seconds": seconds})
    return rows


def by_threads(n: int, counts: tuple[int, ...], repetitions: int = 5) -> list[dict[str, float]]:
    """Time by the number of threads: a row for each."""
    field = null("N0", n, seed=1)
    graph = Probe().graph_for(n)
    return [
        {"threads": count, "seconds": median_seconds(lambda: Probe(threads=count)(field, graph), repetitions)}  # noqa: B023
        for count in counts
    ]
