"""The probe: the settings that turn a field into a cascade."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gradcascade.errors import InputError
from gradcascade.numbers import real, seed_of, whole
from gradcascade.probe import capacity, engines
from gradcascade.probe.cascade import Cascade, Relaxed
from gradcascade.probe.engines.host import HostEngine
from gradcascade.probe.fixedpoint import Scale, choose_scale
from gradcascade.probe.graph import Graph, GraphSpec, load_graph
from gradcascade.probe.graphs import DEFAULT_GRAPH
from gradcascade.probe.magnitudes import Magnitudes
from gradcascade.probe.parts import in_parts
from gradcascade.probe.threads import thread_count
from gradcascade.probe.threshold import SUBSAMPLE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RULE = 1
"""Number of the arithmetic; it changes when the same field would give another cascade."""


@dataclass(frozen=True, eq=False)
class _Ready:
    """A field that has been read, with what its relaxation needs."""

    values: Any
    magnitudes: Magnitudes
    graph: Graph
    tau: float
    scale: Scale


@dataclass(frozen=True)
class Probe:
    """Settings that turn a field into a cascade (arXiv:2605.02968); calling it measures a field.

    >>> import numpy as np
    >>> cascade = Probe()(np.random.default_rng(0).standard_normal(10_000))
    >>> cascade.n, int(cascade.activity[0]), cascade.ceiling
    (10000, 1000, False)
    """

    alpha: float = 0.3
    """Share of an active node that is handed to its neighbours at each step, in (0, 1)."""
    quantile: float = 0.9
    """The threshold tau is this quantile of the magnitudes, in (0, 1)."""
    graph: str = DEFAULT_GRAPH
    m: int = 2
    """Attachment of the Barabasi-Albert graph."""
    graph_seed: int = 42
    max_steps: int = 500
    """Ceiling of the duration."""
    estimator: Literal["exact", "subsample"] = "exact"
    """Quantile from all magnitudes, or, as published, from 1e7 of them where a field has more."""
    engine: str = "auto"
    """auto is cuda for a tensor on a GPU, else cpu. All give the same bits."""
    threads: int | None = None
    """None means ``$GRADCASCADE_THREADS``, else all cores. It does not change results."""

    def __post_init__(self) -> None:
        for name in ("m", "max_steps"):
            object.__setattr__(self, name, whole(name, getattr(self, name)))
        object.__setattr__(self, "graph_seed", seed_of("graph_seed", self.graph_seed))
        for name in ("alpha", "quantile"):
            value = real(name, getattr(self, name))
            if not 0 < value < 1:
                raise InputError(f"{name} must lie between 0 and 1 (both excluded), got {value}")
        if self.max_steps < 1:
            raise InputError(f"max_steps must be at least 1, got {self.max_steps}")
        if self.estimator not in ("exact", "subsample"):
            raise InputError(f"estimator must be exact or subsample, got {self.estimator!r}")
        if self.threads is not None:
            thread_count(self.threads)
        GraphSpec(self.graph, self.m + 1000, self.m, self.graph_seed)  # any size that every kind takes
        engines.check(self.engine)

    def settings(self) -> dict[str, Any]:
        """Everything that determines a result, and nothing else (no engine, no threads)."""
        return {
            "alpha": float(self.alpha),
            "quantile": float(self.quantile),
            "estimator": self.estimator,
            "graph": self.graph,
            "m": int(self.m),
            "graph_seed": int(self.graph_seed),
            "max_steps": int(self.max_steps),
            "rule": RULE,
        }

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that name the settings."""
        text = json.dumps(self.settings(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def engine_for(self, field: Any) -> engines.Engine:
        """Engine that measures a field: ``"auto"`` is cuda for a tensor on a GPU, else cpu."""
        return engines.choose(self.engine, field, thread_count(self.threads))

    def graph_for(self, n: int) -> Graph:
        """The redistribution graph for fields of n entries: from memory, from the cache folder, or built."""
        return load_graph(GraphSpec(self.graph, n, self.m, self.graph_seed), thread_count(self.threads))

    def __call__(self, field: Any, graph: Graph | None = None) -> Cascade:
        """Measure one field: a NumPy array or torch tensor of any shape and floating type, which is not modified.

        A mapping of name to tensor, or pairs of both as ``model.named_parameters()`` and ``gc.full_gradients(model)``
        give them, is one field too, its tensors in the canonical order of their names, as in fields from files; so
        are a list or other iterable of tensors, in the order given. They are read one after another, without a copy
        of them all (on a GPU there is one). Types and devices may differ: the field is float64 if any tensor needs
        it, and measured on the GPU if all tensors live on one. Sparse and sharded tensors, and None, are refused
        with what to do.

        ``graph`` is a graph of one's own in place of the one the settings name. Fewer than three entries, entries
        that are not finite, or a range that 64-bit integers cannot hold raise InputError.
        """
        field = in_parts(field)
        engine = self.engine_for(field)
        ready = self._ready(engine, field, graph)
        activity = engine.measure(ready.values, ready.scale, ready.graph, self.alpha, self.max_steps)
        return self._cascade(ready, activity)

    def relax(self, field: Any, graph: Graph | None = None) -> Relaxed:
        """Measure one field as a call does, and give the field it relaxes to beside its cascade.

        This is what arXiv:2604.04655 hands to the optimizer in place of the gradient. An entry that was never active
        nor next to one keeps its value to the last bit; the signed total is conserved exactly in fixed point, so that
        of the result differs by rounding alone. The work is done in the host's memory, with one more copy of the
        field; everything else is as in a call, errors too.
        """
        field = in_parts(field)
        engine = HostEngine("reference" if self.engine == "reference" else "cpu", thread_count(self.threads))
        ready = self._ready(engine, field, graph)
        activity, after = engine.relax(ready.values, ready.scale, ready.graph, self.alpha, self.max_steps)
        return Relaxed(self._cascade(ready, activity), after)

    def _ready(self, engine: engines.Engine, field: Any, graph: Graph | None) -> _Ready:
        capacity.check_entries(capacity.entries_of(field), self.graph, host=engine.name != "cuda")
        values = engine.read(field)
        magnitudes = engine.survey(values)
        graph = graph or self.graph_for(len(values))
        if graph.n != len(values):
            raise InputError(
                f"the graph has {graph.n:,} nodes and the field {len(values):,} entries; they must match"
            )
        tau = self._threshold(engine, values, magnitudes)
        return _Ready(values, magnitudes, graph, tau, choose_scale(tau, magnitudes))

    def _cascade(self, ready: _Ready, activity: NDArray[np.int64]) -> Cascade:
        n = ready.graph.n
        return Cascade(
            n=n,
            tau=ready.tau,
            activity=activity,
            ceiling=len(activity) == self.max_steps,
            max_over_tau=_ratio(ready.magnitudes.largest, ready.tau),
            zero_share=ready.magnitudes.zeros / n,
        )

    def _threshold(self, engine: engines.Engine, values: Any, magnitudes: Magnitudes) -> float:
        if self.estimator == "subsample" and len(values) > SUBSAMPLE:
            return engine.quantile(engine.subsample(values, self.graph_seed), self.quantile)
        return engine.quantile(values, self.quantile, magnitudes)


def _ratio(largest: float, tau: float) -> float:
    if tau:
        return largest / tau
    return float("inf") if largest else 0.0
