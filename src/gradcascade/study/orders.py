"""Other orders of a field's tensors: their names, and the field in them without reading its values again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.sources.base import SnapshotRef
from gradcascade.tensor_names import ORDERS, canonical_order, short_name

REVERSED, RANDOM = "reversed", "random"
MAX_RANDOM = 64
"""Most random orders; what a study has of them is looked for by their names."""

USUAL = ("file", "canonical", REVERSED, "grouped", f"{RANDOM}:4")
"""What is looked at by default."""

Sizes = Sequence[tuple[str, int]]


def parse_orders(given: Iterable[str]) -> tuple[str, ...]:
    """Names of orders, each once: those of a plan, ``reversed``, and for ``random:R`` R numbered ones."""
    found: list[str] = []
    for name in (part.strip() for part in given):
        if match := re.fullmatch(rf"{RANDOM}(?::([0-9]+))?", name):
            count = int(match[1] or 1)
            if not 1 <= count <= MAX_RANDOM:
                raise InputError(f"{name}: give 1 to {MAX_RANDOM} random orders")
            found += [f"{RANDOM} {number}" for number in range(1, count + 1)]
        elif name in ORDERS or name == REVERSED:
            found.append(name)
        elif name:
            known = ", ".join((*ORDERS, REVERSED, f"{RANDOM}:R"))
            raise InputError(f"there is no tensor order {name!r}; choose from {known}")
    return tuple(dict.fromkeys(found))


def every_order() -> tuple[str, ...]:
    """All orders that a study can have cascades of."""
    return parse_orders((*ORDERS, REVERSED, f"{RANDOM}:{MAX_RANDOM}"))


def names_in_order(snapshot: SnapshotRef, order: str) -> list[str] | None:
    """Names of the field's tensors in another order; None if they are not known (yet)."""
    layout = snapshot.layout()
    if layout is None:
        return None
    names = [name for name, _ in layout]
    if order in ORDERS:
        other = snapshot.in_order(order)
        found = other.layout() if other else None
        return None if found is None else [name for name, _ in found]
    if order == REVERSED:
        return canonical_order(names)[::-1]
    # By the names, so that it is one order for all steps, and tensors of the same name come alike at every scale.
    return sorted(names, key=lambda name: (_digest(f"{order}:{short_name(name)}"), name))


def in_order(snapshot: SnapshotRef, values: NDArray[np.floating], order: str) -> NDArray[np.floating]:
    """The field with its tensors in another order: the blocks of its values, exchanged."""
    layout, names = snapshot.layout(), names_in_order(snapshot, order)
    if layout is None or names is None:
        raise InputError("the tensors that make up the field are not known, so it has no other order")
    return rearranged(values, layout, names)


def rearranged(values: NDArray[np.floating], layout: Sizes, names: Sequence[str]) -> NDArray[np.floating]:
    """A flat field whose tensors lie as ``layout`` says, with them in the order of ``names``."""
    ends = dict(zip((name for name, _ in layout), accumulate(size for _, size in layout), strict=True))
    sizes = dict(layout)
    if sorted(ends) != sorted(names) or len(sizes) != len(layout) or sum(sizes.values()) != values.size:
        raise InputError("the tensors in another order are not those of the field; measure it in that order instead")
    out = np.empty_like(values)
    start = 0
    for name in names:
        end = ends[name]
        out[start : start + sizes[name]] = values[end - sizes[name] : end]
        start += sizes[name]
    return out


def order_mark(names: Sequence[str]) -> int:
    """A number that stands for an arrangement, in the place of a seed: another order of a file is another one."""
    return int.from_bytes(_digest("\n".join(names))[:7], "big")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
