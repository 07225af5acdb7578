"""What a kind of field declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gradcascade.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Parts = Mapping[str, Any]
"""What one tensor of a field is made from: arrays of its shape (or a list of them, or a number), by group."""

Groups = Mapping[str, Mapping[str, Any]]
"""The same for every tensor: by group, then by the tensor's name."""


@dataclass(frozen=True)
class Optimizer:
    """Settings of Adam that its direction depends on; the defaults are PyTorch's."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8


@dataclass(frozen=True)
class FieldKind:
    """A kind of field: what it is, and how each tensor of it is made."""

    name: str
    order: float
    plural: str
    words: str
    groups: tuple[tuple[str, ...], ...]
    """Ways to make it, each the groups of tensors it takes; an optimizer's are named as in PyTorch's state."""
    make: Callable[[Parts, Optimizer], NDArray[Any]]
    """From one tensor's parts, an array of its shape."""
    span: bool = False
    """Whether a field covers a number of optimizer steps."""

    def values(self, groups: Groups, optimizer: Optimizer | None = None) -> NDArray[np.floating]:
        """Flat field of all tensors, in the order of the first group that it is made from."""
        import numpy as np

        way = next((way for way in self.groups if all(group in groups for group in way)), None)
        if way is None:
            ways = ", or from ".join(" and ".join(way) for way in self.groups)
            raise InputError(f"{self.plural} are made from {ways}; there is only {', '.join(groups) or 'nothing'}")
        names = list(groups[way[0]])
        for group in way[1:]:
            if set(groups[group]) != set(names):
                odd = min(set(groups[group]) ^ set(names))
                raise InputError(f"{way[0]} and {group} hold different tensors: only one of them has {odd}")
        if not names:
            raise InputError(f"{way[0]} holds no tensors; give those of the model")
        made = []
        for name in names:
            parts = {group: tensors[name] for group, tensors in groups.items() if name in tensors}
            made.append(np.asarray(self.make(parts, optimizer or Optimizer())).reshape(-1))
        return np.concatenate(made)


def same_shape(name: str, *arrays: NDArray[Any]) -> None:
    """Refuse arrays of different shapes, which NumPy might broadcast."""
    if len({array.shape for array in arrays}) > 1:
        shapes = " and ".join(str(array.shape) for array in arrays)
        raise InputError(f"the parts of a tensor of {name} have the shapes {shapes}; they must be the same")
