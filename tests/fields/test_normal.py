from __future__ import annotations

import numpy as np
import pytest

from gradcascade.fields.normal import normal


def twin(key: tuple[int, int, int], n: int, dtype: type) -> np.ndarray:
    """NumPy's own numbers, block by block."""
    parts = []
    for number, first in enumerate(range(0, n, 2**20)):
        stream = np.random.PCG64(np.random.SeedSequence([*key, n], spawn_key=(number,)))
        parts.append(np.random.Generator(stream).standard_normal(min(2**20, n - first), dtype=dtype))
    return np.concatenate(parts) if parts else np.empty(0, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [0, 1, 5, 2047, 2048, 2049, 2**20 + 3])
def test_numbers_are_those_of_numpy_for_every_number_of_threads(n: int, dtype: type) -> None:
    expected = twin((0, 42, 1), n, dtype)
    for threads in (1, 3):
        np.testing.assert_array_equal(normal((0, 42, 1), n, dtype, threads), expected)


def test_each_block_may_be_changed_at_once() -> None:
    def finish(block: np.ndarray) -> None:
        block *= 2

    np.testing.assert_array_equal(
        normal((1, 2, 3), 2**20 + 7, np.float32, 2, finish), 2 * twin((1, 2, 3), 2**20 + 7, np.float32)
    )
