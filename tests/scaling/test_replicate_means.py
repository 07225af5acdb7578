"""Channels are averaged in logarithms, over the replicates of a run first, and only of cascades that enter fits."""

from __future__ import annotations

import polars as pl
import pytest

from gradcascade.scaling.replicate_means import replicate_means

COLUMNS = ["family", "field", "variant", "step", "scale", "n", "run", "size_per_n", "duration", "v_rel", "included"]


def table(*rows: tuple[str, float, bool]) -> pl.DataFrame:
    made = [("nano", "gradient", "real", 1, "a", 100, run, v, 4, v / 4, used) for run, v, used in rows]
    return pl.DataFrame(made, schema=COLUMNS, orient="row")


def test_replicates_are_averaged_in_logarithms_and_excluded_ones_left_out() -> None:
    found = replicate_means(table(("0", 0.1, True), ("0", 0.4, True), ("0", 9.0, False)).drop("run"))
    assert found.height == 1
    assert found.row(0, named=True)["size_per_n"] == pytest.approx(0.2)
    assert found.row(0, named=True)["v_rel"] == pytest.approx(0.05)


def test_every_run_counts_once_however_many_replicates_it_has() -> None:
    found = replicate_means(table(("0", 0.1, True), ("0", 0.1, True), ("0", 0.1, True), ("1", 0.4, True)))
    assert found["size_per_n"].to_list() == pytest.approx([0.2])
