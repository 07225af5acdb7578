from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from gradcascade import families
from gradcascade.scaling.channel_means import variation
from gradcascade.scaling.exponents import fit_exponents
from gradcascade.scaling.published import (
    SUMMARY_SCHEMA,
    compare_summaries,
    published_associations,
    published_exponents,
)
from gradcascade.scaling.windows import summarise
from gradcascade.tables.reasons import SENTENCES


def test_the_table_of_the_paper() -> None:
    table = published_exponents()
    wide = {(row["family"], row["variant"], row["quantity"]): row for row in table.to_dicts()}
    assert len(wide) == table.height == 21
    z = wide["pico-lm", "real", "z"]
    assert (z["field"], z["value"], z["sd"], z["approximate"]) == ("gradient", 0.223, 0.024, False)
    assert wide["pythia", "real", "beta"]["approximate"] and wide["pythia", "real", "beta"]["sd"] is None
    shares = [wide["pythia", "real - N0", f"{part}_share_z"]["value"] for part in ("dist", "assign")]
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("family", ["pico-lm", "pythia"])
def test_published_exponents_close_to_their_digits(family: str) -> None:
    rows = published_exponents().filter(pl.col("family") == family, pl.col("variant") == "real")
    value = dict(rows.select("quantity", "value").iter_rows())
    assert value["beta"] == pytest.approx(value["D"] - value["z"], abs=0.002)
    assert value["delta"] == pytest.approx(value["D"] - value["z"] - 1, abs=0.002)


def test_the_associations_of_the_paper() -> None:
    row = published_associations().filter(pl.col("channel") == "v_rel").row(0, named=True)
    assert (row["family"], row["metric"], row["n_steps"]) == ("pythia", "slope of accuracy", 21)
    assert (row["pearson"], row["partial"]) == (-0.62, -0.66)


def planted(family: str, field: str, steps: range, variants: dict[str, float], seed: int = 3) -> pl.DataFrame:
    """Cascades of the published sizes with a planted z per variant, and scatter."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        [
            {
                "family": family,
                "scale": scale,
                "step": step,
                "field": field,
                "variant": variant,
                "replicate": 0,
                "n": n,
            }
            | {"size": int(0.135 * n), "duration": round(40 * (n / 1e6) ** z * rng.uniform(0.95, 1.05))}
            | {"ceiling": False, "zero_share": 0.0}
            for variant, z in variants.items()
            for step in steps
            for scale, n in families.family(family).entries.items()
        ]
    )


def test_mean_r2_and_variation_are_set_beside_the_published() -> None:
    table = planted("pico-lm", "gradient", range(1000, 70_000, 1000), {"real": 0.22, "N0": 0.05})
    found = compare_summaries(table)
    assert dict(found.select("quantity", "code").iter_rows()) == dict.fromkeys(
        ("r2_D", "r2_z", "r2_delta", "cv_v_rel")
    )
    assert found["n_steps"].unique().to_list() == [56] and found.schema == SUMMARY_SCHEMA
    row = found.row(by_predicate=pl.col("quantity") == "cv_v_rel", named=True)
    ours = variation(table, (5000, 60000)).filter(pl.col("variant") == "real").row(0, named=True)
    assert (row["value"], row["spread"], row["published"]) == (ours["cv"], ours["cv_sd"], 0.501)
    assert row["difference"] == pytest.approx(ours["cv"] - 0.501) and (row["first"], row["last"]) == (5000, 60000)
    r2 = summarise(fit_exponents(table), (5000, 60000)).filter(pl.col("variant") == "real", pl.col("exponent") == "z")
    assert found.row(by_predicate=pl.col("quantity") == "r2_z", named=True)["value"] == r2["mean_r2"].item()
    elsewhere = compare_summaries(table, (1000, 9000))
    assert elsewhere["code"].unique().to_list() == ["other-window"]


@pytest.mark.parametrize(("last", "code"), [(144_000, None), (60_000, "partial-run")])
def test_null_shares_are_over_the_whole_run_or_not_comparable(last: int, code: str | None) -> None:
    variants = {"real": -0.03, "N0": 0.06, "N1": 0.06, "N2": 0.0}
    found = compare_summaries(planted("pythia", "update", range(1000, last, 1000), variants))
    shares = found.filter(pl.col("quantity").str.contains("share"))
    assert shares["code"].to_list() == [code] * 2 and shares["value"].sum() == pytest.approx(1)
    assert shares["value"][0] == pytest.approx(0.06 / 0.09, abs=0.05)


def test_what_was_not_measured_says_so_and_other_families_have_no_rows() -> None:
    table = planted("pythia", "update", range(4000, 9000, 1000), {"real": -0.03})
    found = compare_summaries(table)
    assert set(found.filter(pl.col("code") == "not-measured")["quantity"]) == {"dist_share_z", "assign_share_z"}
    assert compare_summaries(table.with_columns(family=pl.lit("own"))).is_empty()
    assert set(found["code"].drop_nulls()) <= set(SENTENCES)
