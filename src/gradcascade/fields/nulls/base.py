"""What a null declares."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLIP = 3.0
"""Multiple of tau that entries are clipped to. A normal field hardly reaches it (one entry in a million lies beyond),
so what clipping changes is the share of tails heavier than normal."""


@dataclass(frozen=True)
class NullSettings:
    """Settings that a null may depend on; the quantile is the probe's."""

    deviation: Literal["population", "sample"] = "population"
    clip: float = CLIP
    quantile: float = 0.9


@dataclass(frozen=True)
class Drawing:
    """What a null is drawn with. The number of threads must not change the result."""

    n: int
    key: tuple[int, int, int]
    """The null's stream, the seed and the replicate."""
    settings: NullSettings
    layout: Sequence[tuple[str, int]]
    """Given if the null needs it."""
    threads: int

    @property
    def stream(self) -> np.uint64:
        """Key of counted random numbers; see :mod:`gradcascade.probe.hashing`."""
        from gradcascade.probe.hashing import stream_key

        return stream_key(*self.key, self.n)


def _no_setting(settings: NullSettings) -> str | None:
    return None


@dataclass(frozen=True)
class Null:
    """A randomised field."""

    name: str
    order: float
    words: str
    """What it keeps of the field."""
    summary: str
    """What is done."""
    draw: Callable[[NDArray[Any], Drawing], NDArray[Any]]
    """Makes it from a flat field, which it must not modify."""
    stream: int = field(default=-1)
    """Keeps its random numbers apart from others'; numbers that are set stay, a new null's follows from its name."""
    drawn: bool = True
    needs_values: bool = True
    """False if the number of entries is enough."""
    needs_layout: bool = False
    """Whether the tensors of the field decide the result."""
    setting: Callable[[NullSettings], str | None] = _no_setting
    """Names a setting that is not the default, as text in the hash of a cascade."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name) or self.name == "real":
            raise ValueError(f"the null {self.name!r} needs a name of letters, digits, dots and hyphens, not 'real'")
        if self.stream < 0:
            digest = hashlib.sha256(self.name.encode()).digest()
            object.__setattr__(self, "stream", int.from_bytes(digest[:7], "little") | 1 << 56)
