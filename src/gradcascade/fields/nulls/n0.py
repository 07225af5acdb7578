"""N0: independent standard normal numbers."""

from __future__ import annotations

from typing import Any

from gradcascade.fields.nulls.base import Drawing, Null


def _draw(values: Any, how: Drawing) -> Any:
    import numpy as np

    from gradcascade.fields.normal import normal

    return normal(how.key, how.n, np.float32, how.threads)


NULL = Null(
    "N0",
    0,
    "the number of entries",
    "independent standard normal numbers",
    _draw,
    stream=0,
    needs_values=False,
)
