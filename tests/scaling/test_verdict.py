from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from gradcascade.errors import InputError
from gradcascade.scaling.verdict import VERDICT_SCHEMA, verdicts
from gradcascade.scaling.window_means import window_differences, window_intervals

Build = Callable[..., pl.DataFrame]


def planted(z: float, null: float | None, noise: float = 0.02, steps: int = 20) -> pl.DataFrame:
    rng = np.random.default_rng(6)
    n = np.array([589_824, 9_437_184, 37_748_736, 150_994_944])
    rows = []
    for variant, slope in {"real": z, "N0": null}.items():
        if slope is None:
            continue
        for step in range(steps):
            for k in range(4):
                duration = 12 * (n[k] / 1e7) ** slope * np.exp(noise * rng.standard_normal())
                rows.append(("f", "gradient", variant, step, f"s{k}", int(n[k]), 0.13 * n[k], duration))
    names = ["family", "field", "variant", "step", "scale", "n", "size", "duration"]
    return pl.DataFrame(rows, schema=names, orient="row")


def judged(table: pl.DataFrame, **options: Any) -> dict[str, Any]:
    found = verdicts(table, (0, 10**6), **options)
    assert found.schema == VERDICT_SCHEMA and found.height == 1
    return found.row(0, named=True)


@pytest.mark.parametrize(
    ("z", "null", "verdict", "words"),
    [
        (0.22, 0.06, "duration-supported", "Cascades last longer in larger models than noise explains"),
        (-0.12, 0.06, "below the null", "Cascades gain less from scale than those of noise"),
        (0.0, 0.0, "flat", "by more than a power of 0.05"),
        (-0.02, 0.06, "flat", "Yet z lies below that of N0"),
        (0.04, 0.0, "duration-supported", "Both exponents are also within 0.05 of zero"),
        (0.12, 0.12, "like the null", "Cascades change with scale as those of noise do, within a power of 0.05"),
    ],
)
def test_planted_regimes(z: float, null: float, verdict: str, words: str) -> None:
    found = judged(planted(z, null, noise=0.005))
    assert found["verdict"] == verdict
    assert words in found["sentence"]


def test_numbers_are_those_of_the_intervals_across_scales() -> None:
    table = planted(0.2, 0.1, noise=0.3)
    found = judged(table)
    assert found["verdict"] == "undecided" and "leave it open" in found["sentence"]
    real = window_intervals(table, (0, 99)).filter(pl.col("variant") == "real", pl.col("exponent") == "z")
    gap = window_differences(table, (0, 99)).filter(pl.col("difference") == "total", pl.col("exponent") == "delta")
    for row, name in ((real, "z"), (gap, "delta_total")):
        expected = [row[column].item() for column in ("scales_value", "scales_low", "scales_high")]
        assert [found[name], found[f"{name}_low"], found[f"{name}_high"]] == expected
    assert (found["n_scales"], found["n_steps"], found["null"], found["margin"]) == (4, 20, "N0", 0.05)


def test_a_wider_margin_is_flat_where_a_narrow_one_is_undecided() -> None:
    table = planted(0.06, None, noise=0.005)
    assert judged(table)["verdict"] == "undecided"
    assert judged(table, margin=0.1)["verdict"] == "flat"
    with pytest.raises(InputError, match="margin of equivalence must be above 0"):
        verdicts(table, margin=0.0)


def test_like_the_null_rests_on_intervals_of_the_differences() -> None:
    table = planted(0.12, 0.12, noise=0.05)
    found = judged(table)
    near = window_differences(table, (0, 99), 0.9).filter(pl.col("difference") == "total")
    z, delta = (near.filter(pl.col("exponent") == e).row(0, named=True) for e in ("z", "delta"))
    assert found["verdict"] == "like the null" and found["like_null"] and found["p"] < 0.05
    for part in (z, delta):
        assert f"{part['scales_low']:+.3f} to {part['scales_high']:+.3f}" in found["sentence"]
    assert judged(table, margin=0.9 * z["scales_high"])["like_null"] is False


def test_like_the_null_says_where_z_still_lies_above_it() -> None:
    """Sizes grow as durations do, so that delta is the same and only z differs."""
    found = judged(planted(0.16, 0.12, noise=0.005).with_columns(size=pl.col("size") * pl.col("duration")))
    assert found["verdict"] == "like the null" and "Yet z lies above that of N0" in found["sentence"]


def test_without_a_null(cascades: Build) -> None:
    found = judged(planted(0.2, None))
    assert found["verdict"] == "undecided" and found["sentence"].startswith("No null was measured")
    assert found["above_null"] is None and found["below_null"] is None
    assert judged(planted(0.0, None, noise=0.005))["verdict"] == "flat"
    only = planted(0.2, 0.1).filter(pl.col("variant") == "N0")
    assert judged(only)["sentence"] == "Nothing can be said: no real field was measured."
    shuffled = planted(0.2, 0.06, noise=0.005).with_columns(pl.col("variant").replace("N0", "N2"))
    assert judged(shuffled)["null"] == "N2"
    assert judged(shuffled)["verdict"] == "duration-supported"


def test_what_is_missing_is_said() -> None:
    table = planted(0.2, 0.06)
    found = judged(table.filter(pl.col("scale").is_in(["s0", "s1"])))
    assert found["verdict"] == "undecided"
    assert found["sentence"] == (
        "Nothing can be said: only 2 scales are there at half of the window's steps or more."
    )
    elsewhere = table.filter((pl.col("variant") == "real") | (pl.col("step") > 15))
    found = verdicts(elsewhere, (0, 10)).row(0, named=True)
    assert "no cascade in the window can be used" in found["sentence"]
    equal = table.with_columns(duration=pl.lit(9.0))
    assert judged(equal)["verdict"] == "flat" and judged(equal)["z"] == 0
    assert verdicts(table.head(0)).is_empty()


def test_of_many_fields_a_verdict_must_hold_over_all() -> None:
    """Ten families: what one alone would show barely, all together do not."""
    from statsmodels.stats.multitest import multipletests

    tables = [planted(0.12, 0.06, noise=0.06).with_columns(family=pl.lit("a"))]
    one = verdicts(tables[0], (0, 10**6)).row(0, named=True)
    assert one["verdict"] == "duration-supported" and one["asked"] == 1 and one["p"] == one["p_adjusted"] < 0.05
    rng = np.random.default_rng(9)
    for k in range(9):
        noise = planted(0.06, 0.06)
        off = pl.Series(np.exp(0.3 * rng.standard_normal(noise.height)))
        tables.append(noise.with_columns(duration=pl.col("duration") * off, family=pl.lit(f"b{k}")))
    found = verdicts(pl.concat(tables), (0, 10**6))
    np.testing.assert_allclose(
        found["p_adjusted"], np.asarray(multipletests(found["p"].to_numpy(), method="bonferroni")[1])
    )
    first = found.row(0, named=True)
    assert first["p"] == one["p"] and first["asked"] == 10
    if first["p_adjusted"] > 0.05:
        assert first["verdict"] == "undecided" and "Taken alone it would be duration-supported" in first["sentence"]
    else:
        assert first["verdict"] == "duration-supported"


def test_what_holds_over_all_is_the_verdict_where_a_bolder_one_does_not() -> None:
    """A small difference shown of one field alone; over twenty fields only that it is small."""
    from gradcascade.scaling.verdict import Judged, judged

    def interval(value: float, se: float, t: float) -> dict[str, Any]:
        return {
            "scales_value": value, "scales_se": se, "scales_low": value - t * se, "scales_high": value + t * se,
            "n_scales": 8, "scales_steps": 9,
        }  # fmt: skip

    wide, slim = 2.4469, 1.9432
    parts = Judged(
        *({"z": interval(z, 0.004, t), "delta": interval(-z, 0.004, t)}
          for z, t in ((0.17, wide), (0.17, slim), (0.012, wide), (0.012, slim)))
    )  # fmt: skip
    assert judged(parts, 0.05, "N0")["verdict"] == "duration-supported"
    many = judged(parts, 0.05, "N0", asked=20)
    assert many["verdict"] == "like the null" and many["above_null"]
    assert "Yet z lies above that of N0" in many["sentence"] and "Taken alone" not in many["sentence"]
    none = judged(parts, 0.05, "N0", asked=2000)
    assert none["verdict"] == "undecided" and "Taken alone it would be duration-supported" in none["sentence"]


def test_p_agrees_with_the_intervals() -> None:
    for z, null in ((0.2, 0.06), (-0.1, 0.06), (0.0, 0.0), (0.07, 0.06), (0.1, 0.06)):
        for noise in (0.02, 0.1, 0.2):
            row = judged(planted(z, null, noise))
            assert (row["verdict"] != "undecided") == (row["p"] <= 0.05)
            if row["verdict"] in ("duration-supported", "below the null"):
                assert row["z_total_low"] * row["z_total_high"] > 0
            assert row["below_null"] == (row["z_total_high"] < 0)
            assert row["above_null"] == (row["z_total_low"] > 0 and row["delta_total_high"] < 0)


def test_each_alone_if_asked() -> None:
    tables = [planted(0.2, 0.06, 0.02 + 0.02 * k).with_columns(family=pl.lit(f"f{k}")) for k in range(4)]
    alone = verdicts(pl.concat(tables), (0, 10**6), together=False)
    ones = [verdicts(table, (0, 10**6)).row(0, named=True) for table in tables]
    assert alone["verdict"].to_list() == [row["verdict"] for row in ones]
    assert alone["sentence"].to_list() == [row["sentence"] for row in ones]
