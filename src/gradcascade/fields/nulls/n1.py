"""N1: independent normal numbers with the field's mean and variance."""

from __future__ import annotations

from typing import Any

from gradcascade.fields.nulls.base import Drawing, Null, NullSettings


def _draw(values: Any, how: Drawing) -> Any:
    import math

    from gradcascade.fields.moments import moments
    from gradcascade.fields.normal import normal

    found = moments(values, how.threads)
    freedom = found.n - (how.settings.deviation == "sample")
    scale = math.ldexp(math.sqrt(found.second * found.n / freedom), found.exponent)
    mean = math.ldexp(found.mean, found.exponent)

    def finish(block: Any) -> None:
        block *= block.dtype.type(scale)
        block += block.dtype.type(mean)

    return normal(how.key, how.n, values.dtype.type, how.threads, finish)


def _setting(settings: NullSettings) -> str | None:
    return None if settings.deviation == "population" else settings.deviation


NULL = Null(
    "N1",
    1,
    "mean and variance",
    "independent normal numbers with the mean and variance of the field",
    _draw,
    stream=1,
    setting=_setting,
)
