"""Window means of the parts are those where all are known, or of each where one null was not measured."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from gradcascade.scaling.decomposition import decompose, summarise_decomposition
from gradcascade.scaling.exponents import fit_exponents
from gradcascade.scaling.null_parts import null_parts, window_null_parts

Build = Callable[..., pl.DataFrame]


def test_means_are_those_of_the_summary(cascades: Build) -> None:
    split = decompose(fit_exponents(cascades(variants=("real", "N0", "N2"))))
    whole = summarise_decomposition(split, (2, 8)).filter(pl.col("exponent") == "z").row(0, named=True)
    found = window_null_parts(split, (2, 8)).filter(pl.col("exponent") == "z")
    assert {row["part"]: (row["value"], row["sd"]) for row in found.to_dicts()} == {
        name: (whole[name], whole[f"{name}_sd"]) for name in ("total", "dist", "assign")
    }
    assert null_parts(split).height == 3 * split.height


def test_the_total_needs_no_n2(cascades: Build) -> None:
    split = decompose(fit_exponents(cascades(variants=("real", "N0"))))
    known = window_null_parts(split, (2, 8)).drop_nulls("value")
    assert set(known["part"]) == {"total"} and known.height == 4
    z = split.filter(pl.col("exponent") == "z", pl.col("step").is_between(2, 8))
    assert known.filter(pl.col("exponent") == "z")["value"].item() == pytest.approx(z["total"].mean())
