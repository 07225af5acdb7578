"""The band of chance holds a share that was counted, 95 times in 100."""

from __future__ import annotations

import numpy as np

from gradcascade.scaling.coverage import chance_band


def test_the_band_holds_what_chance_counts() -> None:
    low, high = chance_band(20, 500)
    counted = np.random.default_rng(0).binomial(500, 0.2, 20_000) / 5
    assert 0.93 < ((low < counted) & (counted < high)).mean() < 0.97
    assert chance_band(95, 0)[0] < 95
