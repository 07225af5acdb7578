"""How a snapshot becomes a field: a gradient as it was recorded, or the difference of two checkpoints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import MissingError
from gradcascade.sources.base import Description
from gradcascade.sources.checkpoint import open_checkpoint
from gradcascade.sources.choice import Choice, Chosen
from gradcascade.sources.run_tensors import GradientsOnDisk, RunTensors, same_model
from gradcascade.sources.stored import StoredTensor
from gradcascade.sources.tensors import assembled, empty_field, open_tensors
from gradcascade.sources.trees.base import Part

Opened = Mapping[str, StoredTensor]


@dataclass(frozen=True)
class GradientReader:
    """Loads a recorded gradient, from disk or from the hub."""

    part: Part
    run: RunTensors
    choice: Choice

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is read."""
        return (self.part,)

    def __call__(self) -> NDArray[np.floating]:
        """Load the field, shape (N,)."""
        with self._opened() as (tensors, _):
            return assembled(list(tensors.values()))

    def describe(self) -> Description | None:
        """The tensors of the field in order; None on the hub before the first of the run was loaded."""
        return _described(self.part, self.run, self._opened)

    def without(self, files: Collection[Path]) -> GradientReader:
        """The same, not compared with files that are in quarantine."""
        return replace(self, run=self.run.without(files)) if isinstance(self.run, GradientsOnDisk) else self

    @contextmanager
    def _opened(self) -> Iterator[tuple[Opened, Chosen]]:
        with self.part.tree.holding([self.part]) as fetch:
            path = fetch(self.part)
            tensors, chosen = _chosen(self.choice, open_tensors(path), path)
            yield {name: tensors[name] for name in self.run.names(tensors, self.part, path)}, chosen


@dataclass(frozen=True)
class UpdateReader:
    """Loads the difference of two checkpoints, later minus earlier, from disk or from the hub.

    The subtraction is done in float32 (float64 where a checkpoint holds float64): half precision is widened
    first, exactly. Of what was downloaded the later stays, as the next difference needs it.
    """

    earlier: Part
    later: Part
    run: RunTensors
    choice: Choice

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
            return difference(before, after, self.run.names(after, self.later, path))

    def describe(self) -> Description | None:
        """The tensors of the field in order; None on the hub before the first of the run was loaded."""
        return _described(self.later, self.run, self._opened)

    @contextmanager
    def _opened(self) -> Iterator[tuple[Opened, Chosen]]:
        path = self.later.local_path
        tensors, chosen = _chosen(self.choice, open_checkpoint(path), path)
        yield {name: tensors[name] for name in self.run.names(tensors, self.later, path)}, chosen


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


def _described(part: Part, run: RunTensors, opened: Callable) -> Description | None:
    if not part.tree.local:
        shapes = run.shapes()
        return Description(tuple(shapes.items())) if shapes is not None else None
    with opened() as (tensors, chosen):
        left_out = tuple(Counter(chosen.left_out.values()).items())
        return Description(tuple((name, tensor.shape) for name, tensor in tensors.items()), left_out)


def difference(before: Opened, after: Opened, names: Sequence[str]) -> NDArray[np.floating]:
    """Later minus earlier, shape (N,), with one tensor besides in memory at a time."""
    # Either checkpoint may be the wider one, after a change of precision.
    wider = [max(before[name], after[name], key=lambda tensor: tensor.dtype == "float64") for name in names]
    out = empty_field(wider)
    start = 0
    for name in names:
        part = out[start : start + after[name].size].reshape(after[name].shape)
        part[...] = after[name].read_field()
        with np.errstate(over="ignore", invalid="ignore"):  # the probe says where an entry is not finite
            np.subtract(part, before[name].read_field(), out=part)
        start += part.size
    return out
