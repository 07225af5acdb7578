from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from gradcascade.inference import infer
from gradcascade.scaling.contrasts import CONTRAST_SCHEMA, field_contrasts
from gradcascade.scaling.window_means import window_differences, window_intervals

Build = Callable[..., pl.DataFrame]


def both(cascades: Build, **options: object) -> pl.DataFrame:
    fields = (cascades(field=field, seed=seed, **options) for seed, field in enumerate(("gradient", "update")))
    return pl.concat(fields)


def planted(less: float, z: float = 0.2) -> pl.DataFrame:
    """Two fields with one law of the duration in N; updates hold fewer entries than gradients, most so when small."""
    rng = np.random.default_rng(3)
    rows = []
    for field in ("gradient", "update"):
        for step in range(12):
            for place, n in enumerate((40_000, 160_000, 640_000, 2_560_000)):
                # Embeddings, say, are left out of one field: they weigh more in small models.
                entries = n if field == "gradient" else int(n * (n / 2_560_000) ** less)
                row = {"family": "nano", "scale": f"s{place}", "step": step, "field": field, "variant": "real"}
                duration = 5 * entries**z * np.exp(rng.normal(0, 0.002))
                rows.append(row | {"n": entries, "size": 0.1 * entries, "duration": duration, "ceiling": False})
    return pl.DataFrame(rows)


def test_fields_of_equal_n_are_subtracted_scale_by_scale(cascades: Build) -> None:
    table = both(cascades, steps=range(20))
    spans = {("nano", "gradient"): (0, 11), ("nano", "update"): (6, 19)}
    found = field_contrasts(table, spans)
    assert found.schema == CONTRAST_SCHEMA and found["exponent"].to_list() == ["D", "z", "beta", "delta"]
    assert set(found["method"]) == {"paired"} and found["code"].null_count() == 4
    swapped = table.with_columns(variant=pl.col("field"), field=pl.lit("both"))
    paired = window_differences(swapped, (6, 11), parts={"gap": ("gradient", "update")})
    for name in ("scales_value", "scales_low", "scales_high", "mean", "low", "high", "scales_steps"):
        assert found[name].to_list() == paired[name].to_list()
    singles = window_intervals(swapped, (6, 11)).filter(pl.col("variant") == "update")
    assert found["second_value"].to_list() == singles["scales_value"].to_list()
    assert set(found["scales_steps"]) == {6}


def test_fields_that_differ_in_n_are_not_subtracted() -> None:
    table = planted(0.15)
    swapped = table.with_columns(variant=pl.col("field"), field=pl.lit("both"))
    wrong = window_differences(swapped, (0, 11), parts={"gap": ("gradient", "update")}).filter(exponent="z")
    assert wrong["scales_high"].item() < 0  # one planted z, and yet "a clear difference"
    row = field_contrasts(table, (0, 11)).filter(exponent="z").row(0, named=True)
    assert (row["method"], row["code"], row["code_scale"]) == ("independent", "unequal-n", "s0")
    assert (row["n_first"], row["n_second"]) == (40_000, 21_435)
    assert row["scales_low"] < 0 < row["scales_high"] and row["scales_high"] - row["scales_low"] < 0.02
    assert row["first_value"] == pytest.approx(0.2, abs=0.01) and row["second_value"] == pytest.approx(0.2, abs=0.01)
    assert row["scales_value"] == pytest.approx(row["first_value"] - row["second_value"])
    assert row["mean"] == pytest.approx(row["scales_value"], abs=1e-6) and row["low"] < row["mean"] < row["high"]


def test_the_same_planted_exponent_shows_no_difference_at_equal_n() -> None:
    row = field_contrasts(planted(0.0), (0, 11)).filter(exponent="z").row(0, named=True)
    assert row["method"] == "paired" and row["scales_low"] < 0 < row["scales_high"]


def test_scales_that_only_one_field_has_are_left_out_and_named(cascades: Build) -> None:
    table = both(cascades).filter((pl.col("scale") != "d192") | (pl.col("field") == "gradient"))
    found = field_contrasts(table, (0, 9))
    assert set(found["unmatched"]) == {"d192"} and set(found["n_scales"]) == {3}
    without = field_contrasts(table.filter(pl.col("scale") != "d192"), (0, 9))
    assert found.drop("unmatched").equals(without.drop("unmatched"))


def test_windows_without_a_common_step_say_so(cascades: Build) -> None:
    table = both(cascades, steps=range(20))
    found = field_contrasts(table, {("nano", "gradient"): (0, 5), ("nano", "update"): (6, 19)})
    assert set(found["code"]) == {"no-common-steps"} and found["scales_value"].null_count() == 4
    assert "share no step" in found["reason"][0]


def test_one_kind_of_field_has_no_contrast_and_three_have_three(cascades: Build) -> None:
    assert field_contrasts(cascades()).is_empty()
    assert field_contrasts(cascades().clear()).is_empty()
    third = cascades(field="momentum", seed=5)
    found = field_contrasts(pl.concat([both(cascades), third]))
    pairs = found.select("first", "second").unique(maintain_order=True).rows()
    assert pairs == [("gradient", "update"), ("gradient", "momentum"), ("update", "momentum")]


def test_inference_gives_the_contrasts(cascades: Build) -> None:
    table = both(cascades, steps=range(8))
    assert infer(table, (0, 7))["contrasts"].equals(field_contrasts(table, (0, 7)))


def test_only_runs_that_both_fields_have_are_compared(cascades: Build) -> None:
    table = both(cascades).with_columns(run=pl.lit("1"))
    second = cascades(seed=9).with_columns(run=pl.lit("2"))
    assert field_contrasts(pl.concat([table, second]), (0, 9)).equals(field_contrasts(table, (0, 9)))
    apart = pl.concat([table.filter(pl.col("field") == "update"), second])
    found = field_contrasts(apart, (0, 9))
    assert set(found["code"]) == {"no-common-runs"} and found["scales_value"].null_count() == 4
    assert found["reason"][0] == "no run of a scale has both gradients and updates in the windows"
