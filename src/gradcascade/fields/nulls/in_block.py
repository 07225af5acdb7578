"""Values in random order within each block of the network."""

from __future__ import annotations

from typing import Any

from gradcascade.fields.nulls.base import Drawing, Null


def _draw(values: Any, how: Drawing) -> Any:
    from gradcascade.fields.permutation import permute_within
    from gradcascade.fields.tensor_sizes import block_ranges

    return permute_within(values, block_ranges(how.layout, how.n), how.stream, how.threads)


NULL = Null(
    "in-block",
    5,
    "all values of each block of the network",
    "the values in random order within each block of the network",
    _draw,
    stream=5,
    needs_layout=True,
)
