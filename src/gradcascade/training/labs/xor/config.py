"""What the XOR lab trains and measures; what the paper leaves open is an option with its default stated."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import product
from typing import Any, get_args

from gradcascade.errors import InputError
from gradcascade.numbers import check_least, check_positive, whole
from gradcascade.probe.graphs import DEFAULT_GRAPH, GRAPHS
from gradcascade.probe.relaxation import Probe
from gradcascade.training.labs.xor.network import Activation, Init

MODES = ("published", "shadow")
"""What enters the update: the field that the cascade leaves behind, or the gradient, which the probe only watches."""

BATCHES = (1, 2, 4)
GRAPH_KINDS = ("barabasi-albert", "small-world-0.05", "small-world-0.2", "ring", "random")
ORDERS = ("layers", "reversed")
"""Order of the entries in the field: first the layer at the inputs, or last. Early nodes of the graph are hubs."""

PUBLISHED_WIDTHS = (20, 30, 50, 70, 100, 120, 200, 500)


@dataclass(frozen=True)
class Variant:
    """One way to train; every width and seed is trained in each."""

    mode: str
    activation: str
    init: str
    batch: int

    @property
    def name(self) -> str:
        """Name of the family, such as ``published-tanh-uniform-b4``."""
        return f"{self.mode}-{self.activation}-{self.init}-b{self.batch}"


@dataclass(frozen=True)
class Training:
    """One training: one width, one seed, one variant."""

    variant: Variant
    width: int
    seed: int

    @property
    def scale(self) -> str:
        """Name of the scale."""
        return f"h{self.width}"

    @property
    def n(self) -> int:
        """Entries of the field: 2h + h weights and biases of the hidden layer, h + 1 of the output."""
        return 4 * self.width + 1


@dataclass(frozen=True)
class XorConfig:
    """Settings of the lab. Those that arXiv:2604.04655 states have its values as defaults."""

    widths: tuple[int, ...] = PUBLISHED_WIDTHS
    """Hidden units of each scale."""
    runs: int = 6
    """Trainings of each width; their seeds count up from ``seed``."""
    seed: int = 0
    epochs: int = 500
    record_every: int = 10
    learning_rate: float = 0.5
    alpha: float = 0.3
    quantile: float = 0.9
    max_steps: int = 20
    modes: tuple[str, ...] = MODES
    activations: tuple[str, ...] = ("tanh", "relu")
    """Ours: the activation is not known to us, so both usual ones are trained."""
    inits: tuple[str, ...] = ("uniform",)
    """Ours: weights and biases uniform within 1 / root of fan-in, what torch.nn.Linear begins with."""
    batches: tuple[int, ...] = (4,)
    """Ours: all four patterns in every step, one step an epoch. Smaller batches are drawn anew every epoch."""
    order: str = "layers"
    """Ours: the order in which torch lists the parameters of two layers."""
    graph_kinds: tuple[str, ...] = GRAPH_KINDS
    """The first is the one that a published run trains on."""
    graph_seed: int = 42
    graph_per_run: bool = False
    """Ours: one graph for every scale. With one for every run, its seed is ``graph_seed`` and the run's."""

    def __post_init__(self) -> None:
        for name in ("widths", "modes", "activations", "inits", "batches", "graph_kinds"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        _check_several("widths", self.widths, 1)
        check_least(self, {"runs": 1, "seed": 0, "epochs": 1, "record_every": 1})
        check_positive(self, "learning_rate")
        _check_known("mode", self.modes, MODES)
        _check_known("activation", self.activations, get_args(Activation))
        _check_known("init", self.inits, get_args(Init))
        _check_known("batch", self.batches, BATCHES)
        _check_known("order", (self.order,), ORDERS)
        _check_known("graph kind", self.graph_kinds, tuple(GRAPHS))
        self.probe()

    @classmethod
    def quick(cls) -> XorConfig:
        """A test of the whole way in seconds, not a measurement."""
        return cls((20, 50, 100), runs=2, epochs=150, activations=("tanh",), graph_kinds=(DEFAULT_GRAPH, "ring"))

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Every way to train that was asked for."""
        several = product(self.modes, self.activations, self.inits, self.batches)
        return tuple(Variant(*choice) for choice in several)

    @property
    def trainings(self) -> tuple[Training, ...]:
        """Every training, the seeds of a scale after another."""
        return tuple(
            Training(variant, width, self.seed + more)
            for variant in self.variants
            for width in self.widths
            for more in range(self.runs)
        )

    @property
    def recorded_epochs(self) -> tuple[int, ...]:
        """Epochs before which the gradient is measured, ascending; the last one comes after all training."""
        return (*range(0, self.epochs, self.record_every), self.epochs)

    def probe(self, kind: str | None = None, seed: int = 0) -> Probe:
        """The probe of one kind of graph, by default the first, for the run of a seed."""
        graph_seed = self.graph_seed + (seed if self.graph_per_run else 0)
        return Probe(
            self.alpha, self.quantile, kind or self.graph_kinds[0], graph_seed=graph_seed, max_steps=self.max_steps,
            engine="cpu", threads=1,
        )  # fmt: skip

    def identity(self) -> dict[str, Any]:
        """Everything that determines what a training gives, besides which trainings there are."""
        more = {"widths", "runs", "seed", "modes", "activations", "inits", "batches"}
        kept = [field.name for field in dataclasses.fields(self) if field.name not in more]
        return {name: getattr(self, name) for name in kept} | {"rule": self.probe().settings()["rule"]}


def _check_known(what: str, given: tuple[Any, ...], known: tuple[Any, ...]) -> None:
    unknown = [choice for choice in given if choice not in known]
    if unknown or not given or len(set(given)) < len(given):
        raise InputError(
            f"{what} must be one or several different ones of {', '.join(map(str, known))}, got "
            f"{', '.join(map(str, given)) or 'none'}"
        )


def _check_several(what: str, given: tuple[int, ...], least: int) -> None:
    if not given or list(given) != sorted(set(given)) or min(whole(what, value) for value in given) < least:
        raise InputError(f"{what} must be different, ascending and at least {least}, got {list(given)}")
