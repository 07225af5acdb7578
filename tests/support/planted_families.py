"""Families whose cascades have known exponents, as checkpoints on an imitated hub.

What is known: every field is made so that its cascade has a given size and duration, and these are powers of N times
factors that scatter between the runs of a scale and between the steps of a run. So D and z are those of the powers;
the scatter, and the rounding of durations to whole steps, is what a fit has to cope with.

A field is made of normal values. The magnitudes of those that start active are raised to a power, which sets the
size, and one entry far from the hubs is a multiple of the threshold, which sets the duration; both are corrected
until the probe finds what was asked for. Checkpoints are sums of such fields, in float32.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import safetensors.numpy
from imitation import Imitation
from sample_runs import neox_shapes

import gradcascade as gc

Shapes = dict[str, tuple[int, ...]]
Place = tuple[str, str, int]
"""Scale, run and step."""

BUFFERS = ("attention.bias", "masked_bias", "inv_freq")


def planted_field(n: int, size: float, duration: float, rng: np.random.Generator, probe: gc.Probe) -> np.ndarray:
    """A field whose cascade has about this size, and this duration rounded up or down at random."""
    base, place = rng.normal(size=n), int(rng.integers(n // 2, n))
    tau = np.quantile(np.abs(base), probe.quantile)
    active = np.abs(base) > tau
    steps = math.floor(duration + rng.random())
    power, spike = 1.0, 12 * math.exp(0.13 * (steps - 14))
    found: list[tuple[float, np.ndarray]] = []
    for _ in range(16):
        values = base.copy()
        values[active] = np.sign(base[active]) * tau * (np.abs(base[active]) / tau) ** power
        values[place] = spike * tau
        cascade = probe(made := values.astype(np.float32))
        off = math.log(cascade.size / size)
        found.append((abs(off) + 0.1 * abs(cascade.duration - steps), made))
        if found[-1][0] < 0.005:
            break
        power = min(max(power * math.exp(-1.5 * off), 0.02), 8.0)
        spike *= math.exp(0.1 * (steps - cascade.duration) + 0.02 * rng.normal())
    return min(found, key=lambda one: one[0])[1]


@dataclass(frozen=True)
class Planted:
    """A family in a published layout, whose cascades follow a law."""

    like: str
    """The published family whose layout it has."""
    repository: str
    """Pattern of the repositories, and of their branches where they hold several runs."""
    branch: str
    shapes: Mapping[str, Shapes]
    """Tensors of every scale in the order of its field."""
    besides: Mapping[str, Shapes]
    """Tensors of the files that are no part of the field."""
    runs: Sequence[str]
    steps: Sequence[int]
    d: float
    z: float
    more: str = ""
    """Further lines of the family file."""
    share: float = 0.16
    """Size over N at the middle of the scales."""
    duration: float = 14.0
    scatter: tuple[float, float] = (0.02, 0.01)
    """SD of the logarithms between runs, and between steps of a run."""
    sick: tuple[str, str, int, float] | None = None
    """Scale and run whose sizes are multiplied by a factor from a step on."""
    seed: int = 0
    name: str = "planted"
    fields: dict[Place, np.ndarray] = field(default_factory=dict)
    """What was planted, as the checkpoints have it: the difference of two of them in float32."""

    @property
    def known(self) -> dict[str, float]:
        """The four exponents."""
        return {"D": self.d, "z": self.z, "beta": self.d - self.z, "delta": self.d - self.z - 1}

    @property
    def entries(self) -> dict[str, int]:
        """N by scale."""
        return {scale: sum(math.prod(shape) for shape in own.values()) for scale, own in self.shapes.items()}

    @property
    def toml(self) -> str:
        """The family file."""
        scales = "\n".join(f'"{scale}" = {{ entries = {n} }}' for scale, n in self.entries.items())
        return (
            f'name = "{self.name}"\nlike = "{self.like}"\ntitle = "Planted exponents"\n{self.more}\n'
            f'repository = "{self.repository}"\nruns = {json.dumps(self.runs)}\nsteps = {json.dumps(self.steps)}\n'
            f'[scales]\n{scales}\n[verified]\nstate = "inferred"\nevidence = "planted"\n'
        )

    def targets(self) -> Iterator[tuple[Place, float, float]]:
        """Size and duration of every field."""
        middle = math.sqrt(min(self.entries.values()) * max(self.entries.values()))
        for place, (scale, n) in enumerate(self.entries.items()):
            for number, run in enumerate(self.runs):
                rng = np.random.default_rng([self.seed, place, number])
                of_run = rng.normal(0, self.scatter[0], 2)
                for step in self.steps[1:]:
                    noise = np.exp(of_run + rng.normal(0, self.scatter[1], 2))
                    size = self.share * middle * (n / middle) ** self.d * noise[0]
                    if self.sick and (scale, run) == self.sick[:2] and step >= self.sick[2]:
                        size *= self.sick[3]
                    yield (scale, run, step), size, self.duration * (n / middle) ** self.z * noise[1]

    def publish(self, hub: Imitation) -> None:
        """Make every field, and the checkpoints that they are the differences of."""
        probe, targets = gc.Probe(threads=1), self.targets()
        for place, (scale, n) in enumerate(self.entries.items()):
            for number, run in enumerate(self.runs):
                rng = np.random.default_rng([self.seed + 1, place, number])
                weights = rng.normal(size=n).astype(np.float32)
                self._commit(hub, scale, run, self.steps[0], weights)
                for step in self.steps[1:]:
                    where, size, duration = next(targets)
                    after = weights + planted_field(n, size, duration, rng, probe)
                    self.fields[where], weights = after - weights, after
                    self._commit(hub, scale, run, step, weights)

    def _commit(self, hub: Imitation, scale: str, run: str, step: int, weights: np.ndarray) -> None:
        tensors = {name: np.ones(shape, np.float32) for name, shape in self.besides[scale].items()}
        start = 0
        for name, shape in self.shapes[scale].items():
            tensors[name] = weights[start : start + math.prod(shape)].reshape(shape)
            start += math.prod(shape)
        files = {"config.json": b"{}\n", "model.safetensors": safetensors.numpy.save(tensors)}
        place = self.repository.partition("@")[0].format(scale=scale, run=run, variant="c4")
        hub.repository(place).commit(self.branch.format(step=step, run=run), "add model", files)


def seeds(widths: Sequence[int], steps: Sequence[int], **options: Any) -> Planted:
    """Five scales and nine runs as PolyPythias', each in a repository of its own: GPT-NeoX, all that is trained."""
    shapes, besides = {}, {}
    for scale, width in zip(("14m", "31m", "70m", "160m", "410m"), widths, strict=True):
        every = sorted(neox_shapes(width, 2, 20).items())
        shapes[scale] = {name: shape for name, shape in every if not name.endswith(BUFFERS)}
        besides[scale] = {name: shape for name, shape in every if name.endswith(BUFFERS)}
    place, runs = "lab/pythia-{scale}-seed{run}", tuple("123456789")
    return Planted("pythia", place, "step{step}", shapes, besides, runs, steps, **options)


DATADECIDE = ("4M", "6M", "8M", "10M", "14M", "16M", "20M", "60M", "90M", "150M", "300M", "530M", "750M", "1B")


def sizes(widths: Sequence[int], steps: Sequence[int], **options: Any) -> Planted:
    """Fourteen scales and three runs as DataDecide's, all runs of a scale in one repository: OLMo's blocks."""
    shapes, besides = {}, {}
    for scale, width in zip(DATADECIDE, widths, strict=True):
        blocks = {"att_proj": (3, 1), "attn_out": (1, 1), "ff_out": (1, 4), "ff_proj": (8, 1)}
        own: Shapes = {}
        for block in ("0", "1"):
            start = f"model.transformer.blocks.{block}."
            own |= {f"{start}{name}.weight": (a * width, b * width) for name, (a, b) in blocks.items()}
            own |= {f"{start}{name}.weight": (width,) for name in ("attn_norm", "ff_norm")}
        shapes[scale] = {name: own[name] for name in gc.canonical_order(own)}
        besides[scale] = {"model.transformer.wte.weight": (64, width), "model.transformer.ln_f.weight": (width,)}
    branch = "step{step}-seed-{run}"
    place, runs = f"lab/DataDecide-{{variant}}-{{scale}}@{branch}", ("default", "small-aux-2", "small-aux-3")
    return Planted("datadecide", place, branch, shapes, besides, runs, steps, more='variants = ["c4"]', **options)
