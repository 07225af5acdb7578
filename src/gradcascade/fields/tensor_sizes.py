"""Sizes of a field's tensors: which it is made of, and which of them belong to one block of the network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gradcascade.errors import InputError

TensorSizes = Sequence[tuple[str, int]]
"""Name and number of entries of every tensor, in the order in which they make up the field."""

Ranges = list[tuple[int, int]]

_BLOCK = re.compile(r"(?:.*?\.)?[0-9]+(?=\.|$)")


def tensor_ranges(layout: TensorSizes, n: int) -> list[Ranges]:
    """Places of every tensor."""
    return _gathered(enumerate(size for _, size in layout), n)


def block_ranges(layout: TensorSizes, n: int) -> list[Ranges]:
    """Places of every block: tensors whose names agree up to the first number between dots, such as ``layers.3``.

    A tensor whose name has no such number (an embedding, a final norm) is a block of its own.
    """
    return _gathered(((_block(name) or (number,), size) for number, (name, size) in enumerate(layout)), n)


def _block(name: str) -> str | None:
    found = _BLOCK.match(name)
    return found[0] if found else None


def _gathered(sizes: Iterable[tuple[object, int]], n: int) -> list[Ranges]:
    groups: dict[object, Ranges] = {}
    start = 0
    for group, size in sizes:
        if size:
            ranges = groups.setdefault(group, [])
            if ranges and ranges[-1][1] == start:
                ranges[-1] = (ranges[-1][0], start + size)
            else:
                ranges.append((start, start + size))
        start += size
    if start != n:
        raise InputError(
            f"the layout names tensors of {start:,} entries in all, but the field has {n:,}; give the tensors that "
            f"make up this field, in order"
        )
    return list(groups.values())
