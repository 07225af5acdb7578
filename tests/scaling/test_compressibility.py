from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from gradcascade.errors import InputError
from gradcascade.scaling.compressibility import compressibility_null
from gradcascade.scaling.exponents import fit_exponents


def test_missing_column(cascades: Callable[..., pl.DataFrame]) -> None:
    with pytest.raises(InputError, match="the table of fits lacks the column r2"):
        compressibility_null(fit_exponents(cascades()).drop("r2"))


def test_the_null_of_an_r2_is_that_of_noise_at_slope_zero() -> None:
    rng = np.random.default_rng(3)
    none = pl.lit(None, dtype=pl.String)
    for k in (3, 4, 5, 8):
        x = rng.standard_normal(k)
        y = rng.standard_normal((20_000, k))
        drawn = np.array([np.corrcoef(x, values)[0, 1] ** 2 for values in y])
        fits = pl.DataFrame(
            {"family": "f", "field": "g", "variant": "real", "step": range(len(drawn)), "exponent": "z", "r2": drawn}
        ).with_columns(n_scales=pl.lit(k), code=none, reason=none)
        found = compressibility_null(fits)
        assert found["null_mean"][0] == pytest.approx(drawn.mean(), abs=0.01)
        assert found["null_high"][0] == pytest.approx(np.quantile(drawn, 0.95), abs=0.01)
        assert float(np.mean(found["exceeds"].to_numpy())) == pytest.approx(0.05, abs=0.006)
        ranks = (drawn[:50, None] <= drawn).mean(axis=1)
        np.testing.assert_allclose(found["p"][:50], ranks, atol=0.02)


def test_to_exceed_the_null_is_an_interval_that_excludes_zero(cascades: Callable[..., pl.DataFrame]) -> None:
    fits = fit_exponents(cascades(steps=range(200)))
    found = compressibility_null(fits)
    clear = (fits["low"] > 0) | (fits["high"] < 0)
    assert found["exceeds"].to_list() == clear.to_list() and clear.any() and not clear.all()


def test_an_undefined_r2_has_no_null_and_says_why(cascades: Callable[..., pl.DataFrame]) -> None:
    table = cascades(steps=[1]).with_columns(duration=pl.lit(9))
    found = compressibility_null(fit_exponents(table)).filter(pl.col("exponent") == "z").row(0, named=True)
    assert [found[name] for name in ("r2", "null_mean", "null_high", "p", "exceeds")] == [None] * 5
    assert found["reason"] == "R2 is undefined: all durations are equal"
    assert compressibility_null(fit_exponents(table.head(0))).is_empty()
