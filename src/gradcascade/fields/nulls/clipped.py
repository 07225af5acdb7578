"""The field itself, with its largest magnitudes brought down to a multiple of the threshold."""

from __future__ import annotations

from typing import Any

from gradcascade.fields.nulls.base import CLIP, Drawing, Null, NullSettings


def _draw(values: Any, how: Drawing) -> Any:
    from gradcascade.fields.controls import clip_field

    return clip_field(values, how.settings.clip, how.settings.quantile, how.threads)


def _setting(settings: NullSettings) -> str | None:
    return None if settings.clip == CLIP else f"clip {settings.clip!r}"


NULL = Null(
    "clipped",
    6,
    "everything but the largest magnitudes",
    "magnitudes beyond a multiple of the threshold brought down to it",
    _draw,
    stream=6,
    drawn=False,
    setting=_setting,
)
