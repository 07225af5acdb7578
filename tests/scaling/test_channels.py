from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gradcascade.errors import InputError
from gradcascade.scaling.channels import channels
from gradcascade.scaling.exponents import fit_exponents
from gradcascade.scaling.points import Points

Build = Callable[..., pl.DataFrame]
MINIMAL = ("family", "field", "variant", "step", "scale", "n", "size", "duration")


def spoil(table: pl.DataFrame, scale: str, step: int, **values: Any) -> pl.DataFrame:
    here = (pl.col("scale") == scale) & (pl.col("step") == step)
    return table.with_columns(
        pl.when(here).then(pl.lit(value)).otherwise(pl.col(name)).alias(name) for name, value in values.items()
    )


def test_channels_keep_rows_and_columns(cascades: Build) -> None:
    table = cascades().sample(fraction=1, shuffle=True, seed=3)
    found = channels(table)
    assert_frame_equal(found.select(table.columns), table)
    first = found.row(0, named=True)
    assert first["v_abs"] == first["size"] / first["duration"]
    assert first["v_rel"] == pytest.approx(first["v_abs"] / first["n"], rel=1e-15)
    assert first["size_per_n"] == first["size"] / first["n"]
    assert first["duration_per_n"] == first["duration"] / first["n"]
    assert found["included"].all() and found["reason"].null_count() == found.height


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop("n", "size"), "lacks the columns n, size"),
        (lambda t: t.drop("variant"), "lacks the column variant (it has family"),
        (lambda t: pl.concat([t, t[:1]]), "first family nano, field gradient, variant real, step 0, scale d24"),
        (lambda t: t.drop("replicate").vstack(t.drop("replicate")), "keep one of them"),
        (lambda t: t.with_columns(size=pl.col("size") - 10**9), "a negative size in 40 of 40 rows"),
        (lambda t: t.with_columns(n=pl.lit(0)), "n below 1"),
        (lambda t: t.with_columns(duration=pl.lit(0)), "a size above 0 with a duration of 0"),
        (lambda t: t.with_columns(duration=pl.lit(-1)), "a negative duration"),
        (lambda t: t.with_columns(duration=pl.lit(math.nan)), "no finite value for duration in 40 of 40 rows"),
        (lambda t: spoil(t, "d48", 0, size=None), "no finite value for size in 1 of 40 rows, first in row 1"),
        (lambda t: t.with_columns(size=pl.lit("many")), "holds String, not numbers"),
        (
            lambda t: pl.concat(
                [t, t[:1].with_columns(replicate=pl.lit(9, dtype=pl.Int64), n=pl.lit(5, dtype=pl.Int64))]
            ),
            "scale d24 of nano has fields of 5 and of 36864 entries at step 0",
        ),
    ],
)
def test_bad_tables_are_refused(cascades: Build, change: Callable[[pl.DataFrame], pl.DataFrame], words: str) -> None:
    with pytest.raises(InputError) as caught:
        Points.of(change(cascades()))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_without_a_ceiling_column_500_steps_are_one(cascades: Build) -> None:
    table = spoil(cascades().select(MINIMAL), "d48", 4, duration=500)
    found = channels(table).filter(~pl.col("included"))
    assert found["reason"].to_list() == ["reached the ceiling"]


def test_a_model_under_two_names_counts_once(cascades: Build) -> None:
    table = cascades(steps=range(0, 60, 10), variants=("real", "N0"))
    table = table.with_columns(content_hash=pl.format("{}-{}", "scale", "step"))
    renamed = table.filter(pl.col("scale") == "d48", pl.col("step") >= 20).with_columns(scale=pl.lit("other-d48"))
    both = pl.concat([table, renamed])
    left_out = channels(both).filter(pl.col("reason").is_not_null())
    assert left_out.select("scale", "reason").unique().rows() == [("other-d48", "has the same values as scale d48")]
    assert left_out.height == renamed.height
    assert_frame_equal(fit_exponents(both), fit_exponents(table))
    fuller = pl.concat([table.filter((pl.col("scale") != "d48") | (pl.col("step") == 20)), renamed])
    assert set(channels(fuller).filter(~pl.col("included"))["scale"]) == {"d48"}


def test_equal_hashes_mean_nothing_across_sizes_families_and_steps(cascades: Build) -> None:
    table = cascades(steps=range(3)).with_columns(content_hash=pl.lit("0"))
    assert channels(table)["included"].all()
    unknown = table.with_columns(content_hash=pl.lit(None, dtype=pl.String), n=pl.lit(1000, dtype=pl.Int64))
    assert channels(unknown)["included"].all()
    assert not channels(unknown.with_columns(content_hash=pl.lit("0")))["included"].all()
