from __future__ import annotations

import subprocess
import sys

import polars as pl

from gradcascade.scaling.fits import shortages

TOY = """
import numpy as np, polars as pl
from gradcascade import vocabulary as v
v.CHANNELS["breadth"] = v.Channel("breadth", "w", "breadths", "", {"size": 2, "duration": -1}, "a toy")
v.EXPONENTS["omega"] = v.Exponent("omega", "ω", "breadth", "a toy")
v.EXPONENT_CHANNELS["omega"] = "breadth"
import gradcascade as gc
rng = np.random.default_rng(0)
table = pl.DataFrame([
    {"family": "f", "field": "gradient", "variant": variant, "step": step, "scale": f"s{k}", "n": 4**k * 1000,
     "size": 4**k * 100, "duration": int(rng.integers(5, 40)), "activity": [4**k * 50, 20, 3]}
    for variant in ("real", "N0", "N2") for step in range(14) for k in range(4)
])
fits = gc.fit_exponents(table)
wide = fits.pivot("exponent", index=["variant", "step"], values="value")
np.testing.assert_allclose(wide["omega"], 2 * wide["D"] - wide["z"], atol=1e-12)
assert gc.closure_error(fits)["closure_error"].max() < 1e-12
answers = gc.infer(table, (2, 13))
missing = [name for name, answer in answers.items()
           if "exponent" in answer.columns and answer.height and "omega" not in set(answer["exponent"])]
assert not missing, missing
from gradcascade.report.data import ReportData
data = ReportData.from_tables(table)
assert all("omega" in set(part["exponent"]) for part in (data.summary, data.null_parts))
"""


def test_a_channel_that_is_declared_is_fitted_and_answered_everywhere() -> None:
    done = subprocess.run([sys.executable, "-c", TOY], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def rows(*cells: tuple[str, int, str, str | None]) -> pl.DataFrame:
    table = pl.DataFrame(cells, schema=["family", "step", "scale", "reason"], orient="row")
    return table.with_columns(pl.col("reason").cast(pl.String)).with_columns(included=pl.col("reason").is_null())


def found(table: pl.DataFrame) -> dict[tuple[str, int], str]:
    return {(f, s): words for f, s, _, words in shortages(table, ["family", "step"], ["family"]).iter_rows()}


def test_only_short_fits_are_listed() -> None:
    full = [("f", 0, scale, None) for scale in "abc"]
    short = [("f", 1, "c", None), ("f", 1, "a", "is broken")]
    assert found(rows(*full, *short)) == {("f", 1): "1 of 3 scales left: a is broken, b was not measured"}
    assert found(rows(*full)) == {}


def test_families_have_their_own_scales() -> None:
    table = rows(("f", 0, "a", None), ("g", 0, "b", None), ("g", 0, "c", None))
    assert found(table) == {
        ("f", 0): "only 1 scale in all, a fit needs 3",
        ("g", 0): "only 2 scales in all, a fit needs 3",
    }


def test_one_good_replicate_keeps_a_scale_in_either_order() -> None:
    for order in ([None, "is broken"], ["is broken", None]):
        table = rows(*(("f", 0, "a", reason) for reason in order), ("f", 0, "b", "is empty"))
        assert found(table) == {("f", 0): "1 of 2 scales left: b is empty"}


def test_no_rows() -> None:
    assert shortages(rows(("f", 0, "a", None))[:0], ["family", "step"], ["family"]).height == 0
