"""Random signs: every magnitude at its place."""

from __future__ import annotations

from typing import Any

from gradcascade.fields.nulls.base import Drawing, Null


def _draw(values: Any, how: Drawing) -> Any:
    from gradcascade.fields.controls import draw_signs

    return draw_signs(values, how.stream, how.threads)


NULL = Null(
    "signs",
    3,
    "every magnitude at its place",
    "every magnitude at its place, with a random sign",
    _draw,
    stream=3,
)
