"""The nulls, one file each."""

from gradcascade.fields.nulls.base import Drawing, Null, NullSettings
from gradcascade.registry import Registry

NULLS = Registry("gradcascade.fields.nulls", Null, "null")

__all__ = ["NULLS", "Drawing", "Null", "NullSettings", "undrawn"]


def undrawn() -> tuple[str, ...]:
    """Nulls in which nothing is drawn: their seed is 0, and replicates would all be the same."""
    return tuple(name for name, null in NULLS.items() if not null.drawn)
