from __future__ import annotations

import polars as pl
import pytest

from gradcascade.scaling.published import published_associations, published_exponents


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
