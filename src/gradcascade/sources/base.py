"""What every source of fields offers: snapshots that can be loaded one at a time, and metrics."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import polars as pl

    from gradcascade.evaluations import Problem

GRADIENT = "gradient"
UPDATE = "update"
MEAN_GRADIENT = "mean-gradient"
MOMENTUM = "momentum"
DIRECTION = "direction"
FIELDS = (GRADIENT, UPDATE)


ALONE = "0"
"""Label of a scale's only run."""


class RunName(NamedTuple):
    """Which training of which scale."""

    scale: str
    run: str = ALONE

    def __str__(self) -> str:
        return self.scale if self.run == ALONE else f"{self.scale}, run {self.run}"


class Name(NamedTuple):
    """What a snapshot is called; updates that end at one step and differ in span share a name."""

    family: str
    scale: str
    run: str
    step: int
    field: str


@dataclass(frozen=True)
class Description:
    """What is in a field."""

    tensors: tuple[tuple[str, tuple[int, ...]], ...]
    """Name and shape of every tensor, in the order in which they make up the field."""
    left_out: tuple[tuple[str, int], ...] = ()  # how many tensors of the files are not part of it, by reason
    rule: str = ""  # the evidence that decided, see parameters.RULE_WORDS
    order: str = ""  # the name of the order of the tensors
    stored: tuple[str, ...] = ()  # types that the files hold the tensors in

    @property
    def entries(self) -> int:
        """The field's N."""
        return sum(size for _, size in self.sizes)

    @property
    def sizes(self) -> tuple[tuple[str, int], ...]:
        """Name and number of entries of every tensor."""
        return tuple((name, math.prod(shape)) for name, shape in self.tensors)


@dataclass(frozen=True)
class SnapshotRef:
    """One field that can be loaded, and where it comes from."""

    family: str
    scale: str
    step: int  # the training step that labels it
    field: str
    """Its kind, ``"gradient"`` or ``"update"``."""
    files: tuple[Path, ...]
    """Files it is read from, an index's shards too; none if they are downloaded when it is loaded."""
    source: str
    """Where it comes from, in words that stay true on another machine: relative paths, or paths in a repository."""
    revision: str
    """Commits' SHA, or a mark of files on disk. Without files, source and revision name the contents for good."""
    reader: Callable[[], NDArray[np.floating]] = dataclasses.field(repr=False, compare=False)
    """Loads it. It can be pickled, so that a snapshot can be measured in another process."""
    run: str = ALONE  # which training of the scale it is from: its seed, or any label
    span: int | None = None  # optimizer steps that an update covers; None for gradients
    draw: int | None = None
    """Which of several batches at the same weights a gradient is of; None where there is one."""

    @property
    def name(self) -> Name:
        """What it is called."""
        return Name(self.family, self.scale, self.run, self.step, self.field)

    @property
    def place(self) -> str:
        """What it is called within its family, for messages: ``d96, run 1, step 20, update``."""
        of = f", draw {self.draw} of the data" if self.draw is not None else ""
        return f"{RunName(self.scale, self.run)}, step {self.step}, {self.field}{of}"

    def load(self) -> NDArray[np.floating]:
        """Read the field: shape (N,), float32, or float64 where files hold it; half precision is widened exactly.

        Entries are not checked: the probe refuses NaN and infinity, and says where they are. A file that is missing,
        broken or unsafe, or lacks tensors that it should have, is an :class:`InputError`.
        """
        return self.reader()

    def cancel(self) -> None:
        """Have another thread that loads it give up, where it waits for a download."""
        for part in getattr(self.reader, "parts", ()):
            part.tree.cancel()

    def describe(self) -> Description | None:
        """What is in the field, without reading values; None if the source does not know, or not before loading."""
        describe = getattr(self.reader, "describe", None)
        return describe() if describe else None

    def in_order(self, order: str) -> SnapshotRef | None:
        """The same field with its tensors in another order of `tensor_names.ORDERS`; None if there is but one."""
        other = getattr(self.reader, "in_order", None)
        return dataclasses.replace(self, reader=other(order)) if other else None

    def layout(self) -> tuple[tuple[str, int], ...] | None:
        """Name and number of entries of every tensor of the field, in order; None as :meth:`describe`."""
        description = self.describe()
        return description.sizes if description else None


class Source(Protocol):
    """A family of models whose snapshots can be measured."""

    @property
    def family(self) -> str:
        """The family's name."""
        ...

    def snapshots(self) -> list[SnapshotRef]:
        """Every field there is, by scale, run and kind, steps ascending."""
        ...

    def metrics(self) -> pl.DataFrame:
        """External performance: columns family, scale, run, step, metric, value; no rows if there is none."""
        ...

    def folders(self) -> dict[str, Path]:
        """Folder of each run's configuration and evaluations by its name, once :meth:`metrics` was called."""
        ...

    def complaints(self) -> list[Problem]:
        """Small files that could not be had or read, once :meth:`metrics` was called."""
        ...

    def close(self) -> None:
        """Remove and release what reading needed."""
        ...
