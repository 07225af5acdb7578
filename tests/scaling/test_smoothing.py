"""Rolling medians are those of eleven steps, and only of long series."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from gradcascade.scaling.smoothing import with_median


def test_medians_are_centred_and_shorter_at_the_ends() -> None:
    values = np.random.default_rng(0).standard_normal(30)
    table = pl.DataFrame({"series": ["a"] * 30 + ["b"] * 21, "value": [*values, *values[:21]]})
    found = with_median(table, ["series"], "value")
    expected = [np.median(values[max(0, i - 5) : i + 6]) for i in range(30)]
    assert found.filter(pl.col("series") == "a")["median"].to_numpy() == pytest.approx(np.array(expected))
    assert found.filter(pl.col("series") == "b")["median"].is_null().all()
