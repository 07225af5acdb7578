"""Values in random order within each tensor."""

from __future__ import annotations

from typing import Any

from gradcascade.fields.nulls.base import Drawing, Null


def _draw(values: Any, how: Drawing) -> Any:
    from gradcascade.fields.permutation import permute_within
    from gradcascade.fields.tensor_sizes import tensor_ranges

    return permute_within(values, tensor_ranges(how.layout, how.n), how.stream, how.threads)


NULL = Null(
    "in-tensor",
    4,
    "all values of each tensor",
    "the values in random order within each tensor",
    _draw,
    stream=4,
    needs_layout=True,
)
