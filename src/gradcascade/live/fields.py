"""Makes flat fields of a live model's tensors, each in one array, without a second copy of it."""

from __future__ import annotations

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

UNKNOWN = "gradients"
"""A group that no live model has: the gradients of several batches at the same parameters."""


@dataclass
class TakenField:
    """A field as it was taken from the model."""

    kind: str
    values: NDArray[np.floating]
    span: int | None = None


def live_kind(name: str) -> FieldKind:
    """A kind of field that a training loop has; others are refused."""
    kind = FIELD_KINDS.find(name, argument="fields")
    if all(UNKNOWN in way for way in kind.groups):
        known = ", ".join(kind.name for kind in FIELD_KINDS.values() if not all(UNKNOWN in w for w in kind.groups))
        raise InputError(f"{kind.plural} need several batches at the same parameters, which no loop has; use {known}")
    return kind


def of_two_moments(kind: FieldKind) -> bool:
    """Whether it is made from the parameters before and after."""
    return ENDS in kind.groups


class FieldMaker:
    """The tensors that make up every field of a training, by name and in order, and how fields are made of them."""

    def __init__(self, tensors: Tensors, order: Sequence[str], shapes: Mapping[str, tuple[int, ...]], double: bool):
        self.tensors, self.names, self.double = tensors, tuple(order), double
        self.shapes = {name: tuple(shapes[name]) for name in order}
        self.n = sum(int(np.prod(shape)) for shape in self.shapes.values())

    @property
    def description(self) -> Description:
        """What is in a field."""
        return Description(tuple(self.shapes.items()), rule="manifest")

    def check(self, now: ModelParameters) -> None:
        """Refuse a model whose parameters are others than at the beginning."""
        for name, shape in self.shapes.items():
            there = now.stored.get(name)
            if there is None:
                raise InputError(f"the model no longer has {name}; make a new monitor for what it has now")
            found = now.shapes[name]
            if found != shape:
                raise InputError(
                    f"{name} has the shape {found} now and had {shape}, so its fields have another N; make a new "
                    "monitor, with another scale or run"
                )

    def parameters(self) -> NDArray[np.floating] | None:
        """A flat copy of the parameters, as the beginning of an update."""
        out = self._room(self.double) if self.tensors.measures else None
        for place, _, array in self._arrays(PARAMETER):
            if out is not None:
                out[place] = np.asarray(array).reshape(-1)
        return out

    def update(self, kind: FieldKind, before: NDArray[np.floating] | None) -> NDArray[np.floating] | None:
        """A field from the parameters before, whose array it takes, and those now."""
        for place, name, array in self._arrays(PARAMETER):
            if before is not None:
                part = before[place].reshape(self.shapes[name])
                part[...] = kind.make({"before": part, "after": array}, Optimizer())
        return before

    def field(self, kind: FieldKind, loss_scale: float = 1.0) -> tuple[NDArray[np.floating] | None, list[str]]:
        """A field from gradients or the optimizer's state, and the names of tensors that are not there: zeros."""
        way = self._way(kind)
        of_gradients = way == (GRADIENT,)
        out = self._room(self.double and not of_gradients) if self.tensors.measures else None
        missing = []
        groups = (*way, *(MORE.get(way[-1], ()) if not of_gradients else ()))
        for parts in zip(*(self.tensors.take(group, self.names) for group in groups), strict=True):
            if out is None:
                continue
            name = parts[0][0]
            place = out[self._places[name]]
            found = {
                group: array_of(value) for group, (_, value) in zip(groups, parts, strict=True) if value is not None
            }
            if any(group not in found for group in way):
                missing.append(name)
                place[...] = 0
                continue
            made = kind.make(found, Optimizer() if of_gradients else self.tensors.settings(name))
            if made.shape != self.shapes[name]:
                raise InputError(f"{kind.plural} of {name} have the shape {made.shape}, not {self.shapes[name]}")
            np.copyto(place.reshape(made.shape), made, casting="same_kind")
        if out is not None and loss_scale != 1.0 and of_gradients:
            out /= np.float32(loss_scale)
        return out, missing

    def there(self, kind: FieldKind) -> bool:
        """Whether there is anything to make it of: the optimizer has made a step."""
        return self.of_gradients(kind) or bool(self.tensors.state_keys())

    @staticmethod
    def of_gradients(kind: FieldKind) -> bool:
        """Whether it is made from gradients."""
        return (GRADIENT,) in kind.groups

    def _way(self, kind: FieldKind) -> tuple[str, ...]:
        """The groups it is made from here."""
        if self.of_gradients(kind):
            return (GRADIENT,)
        there = self.tensors.state_keys()
        way = next((way for way in kind.groups if there.issuperset(way)), None)
        if way is None:
            ways = ", or from ".join(" and ".join(way) for way in kind.groups)
            raise InputError(
                f"{kind.plural} are made from {ways}, and this optimizer keeps {', '.join(sorted(there))}; leave "
                f"{kind.name} out of fields"
            )
        return way

    @cached_property
    def _places(self) -> dict[str, slice]:
        found, start = {}, 0
        for name, shape in self.shapes.items():
            size = int(np.prod(shape))
            found[name] = slice(start, start + size)
            start += size
        return found

    def _arrays(self, group: str) -> Iterator[tuple[slice, str, Any]]:
        places = self._places
        for name, tensor in self.tensors.take(group, self.names):
            yield places[name], name, array_of(tensor)

    def _room(self, double: bool) -> NDArray[np.floating]:
        return np.empty(self.n, np.float64 if double else np.float32)


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
