"""The gradient of the loss."""

from __future__ import annotations

from typing import Any

from gradcascade.fields.kinds.base import FieldKind, Optimizer, Parts


def _make(parts: Parts, optimizer: Optimizer) -> Any:
    return parts["gradient"]


FIELD_KIND = FieldKind("gradient", 0, "gradients", "gradient of the loss", (("gradient",),), _make)
