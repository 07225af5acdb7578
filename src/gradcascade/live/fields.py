"""Makes flat fields of a live model's tensors, each in one array, without a second copy of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.fields.kinds import FIELD_KINDS, FieldKind, Optimizer
from gradcascade.live.tensors import GRADIENT, PARAMETER, Tensors
from gradcascade.sources.base import Description

if TYPE_CHECKING:
    from gradcascade.live.parameters import ModelParameters

ENDS = ("before", "after")
"""Groups of a kind of field that is made from the parameters at two moments."""

MORE = {"step": ("max_exp_avg_sq",)}
"""What an optimizer may keep besides the groups that end with this one."""

_UNKNOWN = "gradients"
"""A group that no loop has: the gradients of several batches at the same parameters."""

Field = NDArray[np.floating]


@dataclass
class TakenField:
    """A field as it was taken from the model."""

    kind: str
    values: Field
    span: int | None = None


def live_kind(name: str) -> FieldKind:
    """A kind of field that a training loop has; others are refused."""
    kind = FIELD_KINDS.find(name, argument="fields")
    known = [own.name for own in FIELD_KINDS.values() if not all(_UNKNOWN in way for way in own.groups)]
    if kind.name not in known:
        raise InputError(
            f"{kind.plural} need several batches at the same parameters, which no loop has; choose from "
            f"{', '.join(known)}"
        )
    return kind


def of_two_moments(kind: FieldKind) -> bool:
    """Whether it is made from the parameters before and after."""
    return ENDS in kind.groups


def of_gradients(kind: FieldKind) -> bool:
    """Whether it is made from the gradients of one moment."""
    return (GRADIENT,) in kind.groups


class FieldMaker:
    """The tensors that make up every field of a training, by name and in order, and how fields are made of them.

    Gradients become float32, as recorded ones are; the other kinds float64 where a parameter is.
    """

    def __init__(self, tensors: Tensors, description: Description) -> None:
        self.tensors, self.description = tensors, description
        self.shapes = {name: tuple(shape) for name, shape in description.tensors}
        self.names, self.n = tuple(self.shapes), description.entries
        self._double = "float64" in description.stored

    def check(self, now: ModelParameters) -> list[str]:
        """Refuse a model that lacks parameters it had, or has them in other shapes; gives those trained since."""
        shapes = now.shapes
        for name, shape in self.shapes.items():
            if name not in now.stored:
                raise InputError(f"the model no longer has {name}; make a new monitor or recorder of what it has")
            if shapes[name] != shape:
                raise InputError(
                    f"{name} has the shape {shapes[name]} now and had {shape}, so its fields have another N; make a "
                    "new monitor with another scale, or a recorder with another folder"
                )
        return [name for name in now.field if name not in self.shapes]

    def parameters(self) -> Field | None:
        """A flat copy of the parameters, as the beginning of an update; None where other processes measure."""
        out = self.room(double=self._double) if self.tensors.measures else None
        for name, tensor in self.tensors.take(PARAMETER, self.names):
            if out is not None:
                self.place(out, name)[...] = array_of(tensor)
        return out

    def update(self, kind: FieldKind, before: Field | None) -> Field | None:
        """A field from the parameters before, whose array it takes, and those now."""
        for name, tensor in self.tensors.take(PARAMETER, self.names):
            if before is not None:
                place = self.place(before, name)
                place[...] = self._made(kind, name, {"before": place, "after": array_of(tensor)}, Optimizer())
        return before

    def field(self, kind: FieldKind, loss_scale: float = 1.0) -> tuple[Field | None, list[str]]:
        """A field from gradients or the optimizer's state, and the names of tensors that are not there: zeros."""
        ways = self._ways(kind)
        gradients = of_gradients(kind)
        out = self.room(double=self._double and not gradients) if self.tensors.measures else None
        missing = []
        for name, found in self._parts(ways):
            if out is None:
                continue
            place = self.place(out, name)
            if not any(found.keys() >= set(way) for way in ways):
                missing.append(name)
                place[...] = 0
                continue
            settings = Optimizer() if gradients else self.tensors.settings(name)
            np.copyto(place, self._made(kind, name, found, settings), casting="same_kind")
        if out is not None and gradients:
            unscale(out, loss_scale)
        return out, missing

    def _ways(self, kind: FieldKind) -> list[tuple[str, ...]]:
        """The ways in which it can be made here; several where optimizers differ."""
        if of_gradients(kind):
            return [(GRADIENT,)]
        there = self.tensors.state_keys()
        found = [way for way in kind.groups if there.issuperset(way)]
        if not found:
            ways = ", or from ".join(" and ".join(way) for way in kind.groups)
            raise InputError(
                f"{kind.plural} are made from {ways}, and this optimizer keeps {', '.join(sorted(there))}; leave "
                f"{kind.name} out of fields"
            )
        return found

    def _parts(self, ways: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, dict[str, Any]]]:
        """What every tensor of a field is made from."""
        groups = list(dict.fromkeys(group for way in ways for group in (*way, *MORE.get(way[-1], ()))))
        for parts in zip(*(self.tensors.take(group, self.names) for group in groups), strict=True):
            found = {
                group: array_of(value) for group, (_, value) in zip(groups, parts, strict=True) if value is not None
            }
            yield parts[0][0], found

    def _made(self, kind: FieldKind, name: str, parts: Mapping[str, Any], settings: Optimizer) -> NDArray[Any]:
        made = kind.make(parts, settings)
        if made.shape != self.shapes[name]:
            raise InputError(f"{kind.plural} of {name} have the shape {made.shape}, not {self.shapes[name]}")
        return made

    def room(self, *, double: bool = False) -> Field:
        """Memory for a field."""
        return np.empty(self.n, np.float64 if double else np.float32)

    def place(self, field: Field, name: str) -> NDArray[Any]:
        """Where a tensor lies in a field, in its own shape."""
        start, stop = self._places[name]
        return field[start:stop].reshape(self.shapes[name])

    def parts(self, field: Field, missing: Sequence[str]) -> Iterator[tuple[str, Any]]:
        """The tensors of a field, None for those that were missing."""
        import torch

        for name in self.names:
            yield name, None if name in missing else torch.from_numpy(self.place(field, name))

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        found, start = {}, 0
        for name, shape in self.shapes.items():
            stop = start + math.prod(shape)
            found[name] = start, stop
            start = stop
        return found


def unscale(field: Field, loss_scale: float) -> None:
    """Divide a field by the factor that is in its gradients."""
    if loss_scale != 1.0:
        field /= field.dtype.type(loss_scale)


def array_of(tensor: Any) -> NDArray[Any]:
    """A tensor as an array, dense, on the host, half precision widened exactly; a view where that is possible."""
    import torch

    if not isinstance(tensor, torch.Tensor):
        return np.asarray(tensor)
    tensor = tensor.detach()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float()
    return tensor.resolve_neg().numpy(force=True)
