"""N2: the field's own values in random order, which is also what relabelling the graph's nodes at random does."""

from __future__ import annotations

from typing import Any

from gradcascade.fields.nulls.base import Drawing, Null


def _draw(values: Any, how: Drawing) -> Any:
    from gradcascade.fields.permutation import permute

    return permute(values, how.stream, how.threads)


NULL = Null("N2", 2, "all values", "the field's own values in random order", _draw, stream=2)
