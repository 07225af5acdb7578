"""Normal random numbers, the same for every number of threads: one PCG64 stream for every 2**20 entries."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from operator import index

import numpy as np
from numpy.typing import NDArray

from gradcascade.fields import ziggurat

_BLOCK = 1 << 20


def normal(
    key: tuple[int, int, int],
    n: int,
    dtype: type,
    threads: int,
    finish: Callable[[NDArray[np.floating]], None] | None = None,
) -> NDArray[np.floating]:
    """Draw n standard normal numbers; ``finish`` may change each block in place."""
    result = np.empty(n, dtype)
    root = [index(part) & 0xFFFFFFFFFFFFFFFF for part in (*key, n)]

    def fill(number: int) -> None:
        block = result[number * _BLOCK : (number + 1) * _BLOCK]
        bits = np.random.PCG64(np.random.SeedSequence(root, spawn_key=(number,)))
        if dtype == np.float32 and sys.byteorder == "little":
            ziggurat.fill(bits, block)
        else:
            np.random.Generator(bits).standard_normal(out=block, dtype=dtype)
        if finish:
            finish(block)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, range(-(-n // _BLOCK))))
    return result
