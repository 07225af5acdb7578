from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from gradcascade.errors import InputError
from gradcascade.scaling.decomposition import decompose, null_parts, summarise_decomposition, window_null_parts
from gradcascade.scaling.exponents import fit_exponents

Build = Callable[..., pl.DataFrame]
ALL = ("real", "N0", "N1", "N2")


def test_differences_split_exactly(cascades: Build) -> None:
    fits = fit_exponents(cascades(variants=ALL))
    found = decompose(fits)
    variants = ["real", "N0", "N1", "N2"]
    assert found.columns == ["family", "field", "step", "exponent", *variants, "total", "dist", "assign"]
    assert found["exponent"].to_list()[:4] == ["D", "z", "beta", "delta"]
    total, parts = found["total"].to_numpy(), (found["dist"] + found["assign"]).to_numpy()
    np.testing.assert_allclose(total, parts, atol=1e-12)
    for row in found.iter_rows(named=True):
        here = fits.filter((pl.col("step") == row["step"]) & (pl.col("exponent") == row["exponent"]))
        value = dict(here.select("variant", "value").iter_rows())
        assert [row[name] for name in variants] == [value[name] for name in variants]
        assert row["total"] == value["real"] - value["N0"]
        assert row["dist"] == value["N2"] - value["N0"]
        assert row["assign"] == value["real"] - value["N2"]


def test_missing_variants_and_steps_are_null(cascades: Build) -> None:
    table = cascades(variants=("real", "N0")).filter((pl.col("variant") == "real") | (pl.col("step") != 3))
    found = decompose(fit_exponents(table))
    assert found["N1"].null_count() == found["dist"].null_count() == found["assign"].null_count() == found.height
    assert found["total"].null_count() == 4
    summary = summarise_decomposition(found)
    assert summary["n_steps"].to_list() == [0] * 4 and summary["dist_share"].null_count() == 4


@pytest.mark.parametrize("window", [None, (4, 7)], ids=str)
def test_summary_matches_numpy(cascades: Build, window: tuple[int, int] | None) -> None:
    found = decompose(fit_exponents(cascades(variants=ALL)))
    summary = summarise_decomposition(found, window)
    assert summary["exponent"].to_list() == ["D", "z", "beta", "delta"]
    first, last = window or (3, 9)
    for row in summary.iter_rows(named=True):
        used = found.filter((pl.col("exponent") == row["exponent"]) & pl.col("step").is_between(first, last))
        assert row["n_steps"] == used.height
        for name in ("total", "dist", "assign"):
            values = used[name].to_numpy()
            np.testing.assert_allclose([row[name], row[f"{name}_sd"]], [values.mean(), values.std(ddof=1)])
        dist, assign = abs(row["dist"]), abs(row["assign"])
        assert row["dist_share"] == pytest.approx(dist / (dist + assign))
        assert row["dist_share"] + row["assign_share"] == pytest.approx(1)


def test_shares_are_the_plain_ratios_where_both_parts_have_one_sign() -> None:
    steps = pl.DataFrame(
        {"family": "f", "field": "update", "step": [1, 2], "exponent": "z", "total": -0.09, "dist": -0.067}
    ).with_columns(assign=pl.col("total") - pl.col("dist"))
    row = summarise_decomposition(steps, (1, 2)).row(0, named=True)
    assert row["dist_share"] == pytest.approx(0.067 / 0.09)
    assert row["assign_share"] == pytest.approx(0.023 / 0.09)


def test_no_difference_has_no_shares(cascades: Build) -> None:
    fits = fit_exponents(cascades())
    same = pl.concat([fits.with_columns(variant=pl.lit(name)) for name in ALL])
    summary = summarise_decomposition(decompose(same))
    assert summary["total"].to_list() == [0] * 4 and summary["dist_share"].to_list() == [None] * 4


def test_repeated_fits_are_refused(cascades: Build) -> None:
    fits = fit_exponents(cascades())
    with pytest.raises(InputError, match="decompose the fits of one study at a time"):
        decompose(pl.concat([fits, fits]))
    with pytest.raises(InputError, match="lacks the columns variant, value"):
        decompose(fits.drop("variant", "value"))


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
