"""How a snapshot becomes a field: a gradient as it was recorded, or the difference of two checkpoints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError, MissingError
from gradcascade.fields.kinds import FieldKind, Optimizer
from gradcascade.sources.base import MEAN_GRADIENT, UPDATE, Description
from gradcascade.sources.checkpoint import open_checkpoint
from gradcascade.sources.choice import Choice, Chosen
from gradcascade.sources.recorded_tensors import RecordedTensors
from gradcascade.sources.run_tensors import GradientsOnDisk, RunTensors, same_model
from gradcascade.sources.stored import StoredTensor, shown
from gradcascade.sources.tensors import empty_field, open_tensors
from gradcascade.sources.trees.base import Part

Opened = Mapping[str, StoredTensor]

FROM_GRADIENT = ("gradient",)
FROM_GRADIENTS = ("gradients",)
FROM_CHECKPOINTS = ("before", "after")
"""Groups of tensors that a kind of field may be made from here: those of one file, of several, of two checkpoints."""


@dataclass(frozen=True)
class GradientReader:
    """Loads a field made from a recorded gradient, on disk or on the hub."""

    part: Part
    run: RunTensors
    choice: Choice
    kind: FieldKind

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is read."""
        return (self.part,)

    def __call__(self) -> NDArray[np.floating]:
        """Load the field, shape (N,)."""
        with self.part.tree.holding([self.part]) as fetch:
            path = fetch(self.part)
            tensors, _ = _chosen(self.choice, open_tensors(path), path)
            names = self.run.names(tensors, self.part, path)
            return made(self.kind, FROM_GRADIENT, {"gradient": tensors}, names)

    def describe(self) -> Description | None:
        """The tensors of the field in order; None on the hub before the first of the run was loaded."""
        return _described(self.part, self.run, self.choice, open_tensors)

    def in_order(self, order: str) -> GradientReader:
        """The same with another of the `ORDERS`."""
        return replace(self, choice=replace(self.choice, order=order), run=self.run.in_order(order))

    def without(self, files: Collection[Path]) -> GradientReader:
        """The same, not compared with files that are in quarantine."""
        return replace(self, run=self.run.without(files)) if isinstance(self.run, GradientsOnDisk) else self


@dataclass(frozen=True)
class MeanReader:
    """Loads a field made from gradients of several batches at the same weights, on disk or on the hub."""

    draws: tuple[Part, ...]
    run: RunTensors
    choice: Choice
    kind: FieldKind

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is read."""
        return self.draws

    def __call__(self) -> NDArray[np.floating]:
        """Load the field, shape (N,)."""
        if self.kind.name == MEAN_GRADIENT:
            return self._mean()
        with self.draws[0].tree.holding(self.draws) as fetch:
            opened = [self._opened(part, fetch(part)) for part in self.draws]
            names = list(opened[0])
            return np.concatenate([self._made(opened, name) for name in names])

    def _mean(self) -> NDArray[np.floating]:
        """What the kind's declaration does, with one file on disk and one gradient in memory beside the sum."""
        total, dtype = np.zeros(0), np.dtype(np.float32)
        for part in self.draws:
            with part.tree.holding([part]) as fetch:
                tensors = self._opened(part, fetch(part))
                out = empty_field(list(tensors.values()))
                dtype = np.result_type(dtype, out.dtype)
                total = total if total.size else np.zeros(out.size)
                start = 0
                for tensor in tensors.values():
                    piece = total[start : start + tensor.size].reshape(tensor.shape)
                    piece += tensor.read_field()
                    start += tensor.size
        total /= len(self.draws)
        return total.astype(dtype, copy=False)

    def _opened(self, part: Part, path: Path) -> dict[str, StoredTensor]:
        """Tensors in the order of the field."""
        tensors, _ = _chosen(self.choice, open_tensors(path), path)
        return {name: tensors[name] for name in self.run.names(tensors, part, path)}

    def _made(self, opened: Sequence[Opened], name: str) -> NDArray[np.floating]:
        parts = {"gradients": [tensors[name].read_field() for tensors in opened]}
        return np.asarray(self.kind.make(parts, Optimizer())).reshape(-1)

    def describe(self) -> Description | None:
        """The tensors of the field in order; None on the hub before the first of the run was loaded."""
        return _described(self.draws[0], self.run, self.choice, open_tensors)

    def in_order(self, order: str) -> MeanReader:
        """The same with another of the `ORDERS`."""
        return replace(self, choice=replace(self.choice, order=order), run=self.run.in_order(order))


@dataclass(frozen=True)
class UpdateReader:
    """Loads a field made from two checkpoints, such as their difference, on disk or on the hub.

    Half precision is widened first, exactly. Of what was downloaded the later stays, as the next difference needs it.
    """

    earlier: Part
    later: Part
    run: RunTensors
    choice: Choice
    kind: FieldKind

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is read."""
        return (self.later, self.earlier)

    def __call__(self) -> NDArray[np.floating]:
        """Load the field, shape (N,)."""
        with self.later.tree.holding([self.earlier, self.later], keep=self.later) as fetch:
            path = fetch(self.earlier)
            before, _ = _chosen(self.choice, open_checkpoint(path), path)
            self.run.names(before, self.earlier, path)  # before the other is downloaded
            path = fetch(self.later)
            after, _ = _chosen(self.choice, open_checkpoint(path), path)
            if self.later.tree.local:
                same_model(after, self.later.where, before, self.earlier.where)
            names = self.run.names(after, self.later, path)
            return made(self.kind, FROM_CHECKPOINTS, {"before": before, "after": after}, names)

    def describe(self) -> Description | None:
        """The tensors of the field in order; None on the hub before the first of the run was loaded."""
        return _described(self.later, self.run, self.choice, open_checkpoint)

    def in_order(self, order: str) -> UpdateReader:
        """The same with another of the `ORDERS`."""
        return replace(self, choice=replace(self.choice, order=order), run=self.run.in_order(order))


@dataclass(frozen=True)
class Absent:
    """Stands for a snapshot that was asked for and is not there."""

    reason: str
    parts = ()

    def __call__(self) -> NDArray[np.floating]:
        """Refuse it with the reason."""
        raise MissingError(self.reason)


def _chosen(choice: Choice, tensors: Opened, path: Path) -> tuple[dict[str, StoredTensor], Chosen]:
    chosen = choice.described(tensors, str(path))
    return choice.in_order(chosen), chosen


def _described(part: Part, run: RunTensors, choice: Choice, opened: Callable[[Path], Opened]) -> Description | None:
    if not part.tree.local:
        shapes = run.shapes()
        order = run.order if isinstance(run, RecordedTensors) else ""
        return Description(tuple(shapes.items()), order=order) if shapes is not None else None
    path = part.local_path
    tensors, chosen = _chosen(choice, opened(path), path)
    left_out = tuple(Counter(chosen.left_out.values()).items())
    shapes = tuple((name, tensors[name].shape) for name in run.names(tensors, part, path))
    stored = tuple(dict.fromkeys(tensors[name].dtype for name, _ in shapes))
    return Description(shapes, left_out, chosen.rule, choice.order, stored)


def made(
    kind: FieldKind, way: Sequence[str], groups: Mapping[str, Opened], names: Sequence[str]
) -> NDArray[np.floating]:
    """A field of a kind from the tensors of each group, shape (N,), with few tensors besides in memory at a time."""
    # Either checkpoint may be the wider one, after a change of precision.
    wider = [max((groups[g][name] for g in way), key=lambda tensor: tensor.dtype == "float64") for name in names]
    out = empty_field(wider)
    start = 0
    for name in names:
        tensors = [groups[group][name] for group in way]
        part = out[start : start + tensors[-1].size].reshape(tensors[-1].shape)
        part[...] = tensors[-1].read_field()
        if kind.name == UPDATE:  # what its declaration does, without a copy of every tensor
            with np.errstate(over="ignore", invalid="ignore"):  # the probe says where an entry is not finite
                np.subtract(part, tensors[0].read_field(), out=part)
        else:
            _make(kind, way, [*(tensor.read_field() for tensor in tensors[:-1]), part], name)
        start += part.size
    return out


def _make(kind: FieldKind, way: Sequence[str], values: Sequence[NDArray[np.floating]], name: str) -> None:
    """Make one tensor of a field in the place of the last of its parts."""
    result = kind.make(dict(zip(way, values, strict=True)), Optimizer())
    if result.shape != values[-1].shape:
        raise InputError(f"{kind.plural} of {shown(name)} have the shape {result.shape}, not {values[-1].shape}")
    values[-1][...] = result
