"""Any array, tensor, mapping or iterable of them that a user has, as one flat field."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.parts import Parts, in_parts
from gradcascade.probe.tensor import check_field, flat, refuse_unreadable


def as_field(values: Any) -> NDArray[np.floating]:
    """What the probe takes as flat float32 or float64, row-major, a view where possible; half precision exactly."""
    values = in_parts(values)
    if isinstance(values, Parts):
        return values.whole()
    refuse_unreadable("the field", values)
    field = flat(values)
    check_field(str(field.dtype), field.size)
    return field
