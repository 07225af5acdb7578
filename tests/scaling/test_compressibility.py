from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from gradcascade.errors import InputError
from gradcascade.scaling.compressibility import compressibility
from gradcascade.scaling.exponents import fit_exponents


def test_one_row_per_step_with_the_r2_of_every_channel(cascades: Callable[..., pl.DataFrame]) -> None:
    table = cascades(steps=[4, 2], variants=("real", "N0")).with_columns(
        duration=pl.when(pl.col("step") == 2).then(9).otherwise(pl.col("duration"))
    )
    fits = fit_exponents(table)
    found = compressibility(fits)
    names = ["D", "z", "beta", "delta"]
    assert found.columns == ["family", "field", "variant", "step", *(f"R2_{name}" for name in names)]
    assert found["variant"].to_list() == ["N0", "N0", "real", "real"] and found["step"].to_list() == [2, 4, 2, 4]
    for row in found.iter_rows(named=True):
        here = fits.filter((pl.col("variant") == row["variant"]) & (pl.col("step") == row["step"]))
        assert [row[f"R2_{name}"] for name in names] == here["r2"].to_list()
    assert found.filter(pl.col("step") == 2)["R2_z"].to_list() == [None, None]


def test_missing_column(cascades: Callable[..., pl.DataFrame]) -> None:
    with pytest.raises(InputError, match="the table of fits lacks the column r2"):
        compressibility(fit_exponents(cascades()).drop("r2"))
