"""How a field is made from what an optimizer keeps beside a checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.fields.kinds import FieldKind, Optimizer
from gradcascade.sources.base import Description
from gradcascade.sources.checkpoint import open_checkpoint, open_state
from gradcascade.sources.choice import Choice, Chosen
from gradcascade.sources.optimizer_state import STEP, Kept, settings_of, way_of
from gradcascade.sources.recorded_tensors import RecordedTensors
from gradcascade.sources.run_tensors import RunTensors
from gradcascade.sources.stored import StoredTensor, shown
from gradcascade.sources.tensors import empty_field, format_of
from gradcascade.sources.trees.base import Part
from gradcascade.tensor_names import short_name

STATE = frozenset({"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", STEP})
"""Groups of tensors that an optimizer keeps."""


def from_state(kind: FieldKind) -> bool:
    """Whether a kind of field is made from what an optimizer keeps."""
    return any(set(way) <= STATE for way in kind.groups)


@dataclass(frozen=True)
class _Opened:
    """What the optimizer keeps of each tensor of a field, in order."""

    kept: dict[str, Kept]
    way: tuple[str, ...]
    where: Path
    chosen: Chosen

    def tensor(self, name: str) -> StoredTensor:
        """The tensor that the field's has the shape and type of."""
        return self.kept[name].values[self.way[0]]


@dataclass(frozen=True)
class StateReader:
    """Loads a field made from the optimizer's state of one checkpoint, of the tensors that its updates have.

    What was downloaded stays, as the next update needs it.
    """

    part: Part
    run: RunTensors
    choice: Choice
    kind: FieldKind
    optimizer: Optimizer | None = None
    """Settings to take where the files have none."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is read."""
        return (self.part,)

    def __call__(self) -> NDArray[np.floating]:
        """Load the field, shape (N,)."""
        with self.part.tree.holding([self.part], keep=self.part) as fetch:
            opened = self._open(fetch(self.part))
            out = empty_field([opened.tensor(name) for name in opened.kept])
            start = 0
            for name, kept in opened.kept.items():
                values = self._made(kept, opened, name)
                out[start : start + values.size] = values.reshape(-1)
                start += values.size
            return out

    def describe(self) -> Description | None:
        """The tensors of the field in order; None on the hub before the first of the run was loaded."""
        if not self.part.tree.local:
            shapes = self.run.shapes()
            order = self.run.order if isinstance(self.run, RecordedTensors) else ""
            return Description(tuple(shapes.items()), order=order) if shapes is not None else None
        opened = self._open(self.part.local_path)
        stored = tuple(dict.fromkeys(opened.tensor(name).dtype for name in opened.kept))
        shapes = tuple((name, opened.tensor(name).shape) for name in opened.kept)
        left_out = tuple(Counter(opened.chosen.left_out.values()).items())
        return Description(shapes, left_out, opened.chosen.rule, self.choice.order, stored)

    def in_order(self, order: str) -> StateReader:
        """The same with another of the `ORDERS`."""
        return replace(self, choice=replace(self.choice, order=order), run=self.run.in_order(order))

    def _open(self, path: Path) -> _Opened:
        tensors = open_checkpoint(path)
        chosen = self.choice.described(tensors, str(path))
        fields = self.choice.in_order(chosen)
        names = self.run.names(fields, self.part, path)
        state = open_state(path)
        model = Choice().described(tensors, str(path)) if state.numbered else chosen
        files = {part.path for tensor in tensors.values() for part in tensor.stored}
        ordered = all(format_of(file).name == "torch.save" and file.suffix != ".distcp" for file in files)
        known = state.by_name({name: tensor.shape for name, tensor in model.tensors.items()}, ordered)
        kept = {name: _found(known, name, chosen.tied, state.where) for name in names}
        way = way_of(self.kind, list(kept.values()))
        if way is None:
            ways = ", or ".join(" and ".join(way) for way in self.kind.groups)
            raise InputError(f"{state.where}: the optimizer keeps no {ways} of {shown(names[0])}; leave the kind out")
        for name, one in kept.items():
            _check(one, way, name, fields[name].shape, state.where)
        return _Opened(kept, way, state.where, chosen)

    def _made(self, kept: Kept, opened: _Opened, name: str) -> NDArray[np.floating]:
        if STEP not in opened.way:
            return self.kind.make({key: kept.values[key].read_field() for key in opened.way}, Optimizer())
        settings = settings_of(kept, self.optimizer, opened.where)
        values = {key: value.read_field() for key, value in kept.values.items() if key != STEP and _is_tensor(value)}
        values[STEP] = np.float64(kept.number(STEP, opened.where) or 0)
        try:
            return self.kind.make(values, settings)
        except InputError as error:
            raise InputError(f"{opened.where}, {shown(name)}: {error}") from None


def _is_tensor(value: object) -> bool:
    return isinstance(value, StoredTensor)


def _found(known: Mapping[str, Kept], name: str, tied: Mapping[str, str], where: Path) -> Kept:
    """What is kept of a parameter, which may have the name of one that is tied to it."""
    for other in (name, *(other for other, first in tied.items() if first == name)):
        if other in known and known[other].values:
            return known[other]
    short = [
        kept for other, kept in known.items() if short_name(other) == name and kept.values
    ]  # as Pico's fields have
    if len(short) == 1:
        return short[0]
    raise InputError(
        f"{where} holds nothing of {shown(name)}, which the model has; if it was not trained, leave it out with "
        f"--tensors '!{name}'"
    )


def _check(kept: Kept, way: tuple[str, ...], name: str, shape: tuple[int, ...], where: Path) -> None:
    for key in way:
        if key == STEP:
            if kept.number(STEP, where) is None:
                raise InputError(f"{where} does not say at which step the optimizer is for {shown(name)}")
            continue
        value = kept.values.get(key)
        if not isinstance(value, StoredTensor):
            raise InputError(f"{where} holds no {key} of {shown(name)}; write or copy the checkpoint again")
        if value.shape != shape:
            raise InputError(f"{where}: {key} of {shown(name)} is of shape {value.shape}, its parameter of {shape}")
