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
    """What a null is drawn with: the number of entries, the random stream, settings, tensors and threads.

    ``key`` is the null's stream, the seed and the replicate; ``layout`` is there if the null needs it. The number of
    threads must not change the result.
    """

    n: int
    key: tuple[int, int, int]
    settings: NullSettings
    layout: Sequence[tuple[str, int]]
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
    """A randomised field.

    ``draw`` makes it of a flat field, which it must not modify. ``words`` say what it keeps of the field, ``summary``
    what is done. ``stream`` keeps its random numbers apart from those of others: numbers there already stay, and a
    new null has one that follows from its name. ``needs_values`` is unset if the number of entries is enough;
    ``needs_layout`` is set if the tensors of the field decide the result. ``setting`` names a setting that is not the
    default, as text that becomes part of the hash of a cascade.
    """

    name: str
    order: float
    words: str
    summary: str
    draw: Callable[[NDArray[Any], Drawing], NDArray[Any]]
    stream: int = field(default=-1)
    drawn: bool = True
    needs_values: bool = True
    needs_layout: bool = False
    setting: Callable[[NullSettings], str | None] = _no_setting

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name) or self.name == "real":
            raise ValueError(f"the null {self.name!r} needs a name of letters, digits, dots and hyphens, not 'real'")
        if self.stream < 0:
            digest = hashlib.sha256(self.name.encode()).digest()
            object.__setattr__(self, "stream", int.from_bytes(digest[:7], "little") | 1 << 56)
