"""What D and z say of beta and delta agrees with the fits, over the window and at its worst step."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from gradcascade.scaling.closure import largest_closure_error, summarise_closure
from gradcascade.scaling.exponents import closure_error, fit_exponents
from gradcascade.scaling.windows import summarise

Build = Callable[..., pl.DataFrame]


def test_closure_is_that_of_the_summary(cascades: Build) -> None:
    fits = fit_exponents(cascades(variants=("real", "N0")))
    closed = summarise_closure(fits, (2, 6)).filter(pl.col("variant") == "N0")
    fitted = {row["exponent"]: row["mean"] for row in summarise(fits, (2, 6)).to_dicts() if row["variant"] == "N0"}
    assert dict(closed.select("quantity", "mean").iter_rows()) == pytest.approx(
        {"D - z": fitted["beta"], "D - z - 1": fitted["delta"]}
    )
    assert closed["n_steps"].to_list() == [5, 5]
    assert summarise_closure(fits.clear()).is_empty()


def test_the_worst_step_is_named() -> None:
    keys = {"family": "nano", "field": "gradient", "variant": "real"}
    table = pl.DataFrame(
        [keys | {"step": step, "closure_error": error} for step, error in ((1, 0.2), (2, 0.5), (3, None))]
    )
    assert largest_closure_error(table).row(0) == ("nano", "gradient", "real", 2, 0.5)
    assert largest_closure_error(closure_error(fit_exponents_of_nothing())).is_empty()


def fit_exponents_of_nothing() -> pl.DataFrame:
    schema = dict.fromkeys(("family", "field", "variant", "exponent"), pl.String) | {"step": pl.Int64}
    return pl.DataFrame(schema=schema | {"value": pl.Float64})
