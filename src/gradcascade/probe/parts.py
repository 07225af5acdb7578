"""A field in parts: the tensors of a mapping or an iterable, read one after another without a copy of them all."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.probe.tensor import check_field, flat, is_something_else, is_tensor, kind_of, refuse_unreadable
from gradcascade.tensor_names import canonical_order

BLOCK = 1 << 20
"""Entries up to which neighbouring tensors are read together: a call for each small one would take longer."""


@dataclass(frozen=True, eq=False)
class Parts:
    """The tensors of a field, in order."""

    names: tuple[str, ...]
    """Empty if they have none."""
    tensors: tuple[Any, ...]

    def __len__(self) -> int:
        """Entries in all."""
        return self.entries

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Entries of every tensor."""
        return tuple(int(tensor.numel() if is_tensor(tensor) else tensor.size) for tensor in self.tensors)

    @cached_property
    def entries(self) -> int:
        """Entries in all."""
        return sum(self.sizes)

    @cached_property
    def kind(self) -> str:
        """The narrowest of float32 and float64 that holds every entry exactly."""
        return str(np.result_type(np.float32, *{kind_of(tensor) for tensor in self.tensors}))

    @property
    def layout(self) -> list[tuple[str, int]] | None:
        """Name and entries of every tensor; None if they have no names."""
        return list(zip(self.names, self.sizes, strict=True)) if self.names else None

    @cached_property
    def device(self) -> Any:
        """The device on which all tensors live; None for arrays and for several."""
        found = {getattr(tensor, "device", None) if is_tensor(tensor) else None for tensor in self.tensors}
        return found.pop() if len(found) == 1 else None

    @property
    def is_cuda(self) -> bool:
        """Whether all tensors live on one GPU."""
        return getattr(self.device, "type", None) == "cuda"

    def where(self, number: int) -> str:
        """What a message calls a tensor."""
        return self.names[number] if self.names else f"tensor {number}"

    def check(self) -> Parts:
        """These parts, if they make up a field."""
        for number, tensor in enumerate(self.tensors):
            refuse_unreadable(self.where(number), tensor)
            if self.names and (kind := kind_of(tensor)).kind != "f":
                raise InputError(
                    f"{self.where(number)} holds {kind} numbers, which no gradient does; leave it out, or convert it"
                )
        check_field(self.kind, self.entries)
        return self

    def arrays(self) -> Iterator[NDArray[np.floating]]:
        """Every tensor as a flat array of the field's type: its own memory where that is possible."""
        for tensor in self.tensors:
            yield flat(tensor).astype(self.kind, copy=False)

    def blocks(self) -> Iterator[NDArray[np.floating]]:
        """The field piece by piece, in order; a piece is valid until the next one is asked for."""
        waiting = np.empty(min(BLOCK, self.entries), self.kind)
        filled = 0
        for array in self.arrays():
            if filled and filled + len(array) > len(waiting):
                yield _read_only(waiting[:filled])
                filled = 0
            if len(array) >= len(waiting):
                yield _read_only(array)
            else:
                waiting[filled : filled + len(array)] = array
                filled += len(array)
        if filled:
            yield _read_only(waiting[:filled])

    def whole(self) -> NDArray[np.floating]:
        """All of it in one array: a copy."""
        return np.concatenate([*self.arrays()])

    def take(self, places: NDArray[np.integer]) -> NDArray[np.floating]:
        """The entries at these places, in ascending order of the places."""
        places = np.sort(places).astype(np.int64)
        ends = np.cumsum(self.sizes)
        bounds = [0, *np.searchsorted(places, ends)]
        return np.concatenate(
            [
                array[places[first:last] - (end - len(array))]
                for array, end, first, last in zip(self.arrays(), ends, bounds[:-1], bounds[1:], strict=True)
            ]
        )


def in_parts(values: Any) -> Any:
    """Give a mapping or an iterable of tensors as its parts, and anything else as it is.

    The tensors of a mapping, or of pairs of a name and a tensor, come in the canonical order of their names, which is
    the order of fields from files; those of an iterable as they are given.
    """
    if isinstance(values, Parts) or hasattr(values, "__array__") or not isinstance(values, Iterable):
        return values
    if is_something_else(values):
        return values
    if isinstance(values, Mapping):
        return _named(list(values.items()))
    if isinstance(values, Set) and not isinstance(values, ItemsView):
        raise InputError("a set of tensors has no order; pass a mapping of name to tensor, or a list")
    if isinstance(values, Sequence):
        found = () if isinstance(values, (range, memoryview)) else values
    else:
        found = values = list(values)
    if found and all(isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in found):
        return _named(found)
    if any(is_tensor(tensor) or isinstance(tensor, np.ndarray) for tensor in found):
        return Parts((), tuple(map(_held, found))).check()
    return values


def _named(pairs: Sequence[tuple[str, Any]]) -> Parts:
    tensors = dict(pairs)
    if len(tensors) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two tensors are called {twice}; give every tensor of the field once")
    if odd := next((name for name in tensors if not isinstance(name, str)), None):
        raise InputError(f"the tensors of a mapping are told by their names, but one is called {odd!r}; pass strings")
    names = canonical_order(tensors)
    return Parts(tuple(names), tuple(_held(tensors[name]) for name in names)).check()


def _held(tensor: Any) -> Any:
    """A tensor as it is, anything else as an array; what is refused by name stays."""
    if tensor is None or is_tensor(tensor) or isinstance(tensor, np.ndarray) or is_something_else(tensor):
        return tensor
    try:
        return np.asarray(tensor)
    except ValueError as error:
        raise InputError(f"a tensor of the field cannot be read as an array of numbers: {error}") from None


def _read_only(array: NDArray[np.floating]) -> NDArray[np.floating]:
    """A view that cannot be written: kernels are compiled for one kind of array."""
    view = array.view()
    view.flags.writeable = False
    return view
