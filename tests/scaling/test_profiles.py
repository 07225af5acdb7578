"""Profiles are averaged over cascades; one that has stopped counts as zero."""

from __future__ import annotations

import polars as pl
import pytest

from gradcascade.scaling.profiles import mean_profiles


def test_stopped_cascades_count_as_zero() -> None:
    table = pl.DataFrame({"scale": ["a", "a"], "n": [100, 100], "activity": [[10, 6, 2], [10, 2]]})
    found = mean_profiles(table, ["scale", "n"])
    assert found["relaxation_step"].to_list() == [0, 1, 2]
    assert found["share"].to_list() == pytest.approx([0.1, 0.04, 0.01])
    assert found["alive"].to_list() == [2, 2, 1] and found["cascades"].to_list() == [2, 2, 2]
    assert mean_profiles(table.drop("activity"), ["scale", "n"]).columns == found.columns
