from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from gradcascade.cli.fit import _print_borrowed, print_inference
from gradcascade.report.data import ReportData
from gradcascade.scaling.borrowed import borrowed_intervals


def cascades(runs: int) -> pl.DataFrame:
    rng = np.random.default_rng(runs)
    rows = [
        {"family": "nano", "scale": f"d{k}", "run": str(run), "step": step, "field": "gradient", "variant": variant}
        | {
            "replicate": 0,
            "n": 4**k * 1000,
            "size": 4**k * 130,
            "duration": int(rng.integers(5, 40)),
            "activity": [9],
        }
        | {"ceiling": False, "max_over_tau": 3.0, "kurtosis": 3.0, "tau": 1.0}
        for run in range(runs)
        for variant in ("real", "N0")
        for step in range(9)
        for k in range(4)
    ]
    return pl.DataFrame(rows)


def test_fit_says_that_runs_were_averaged_and_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    table = cascades(3).filter((pl.col("scale") != "d2") | (pl.col("run") == "0"))
    print_inference(ReportData.from_tables(table))
    said = capsys.readouterr().out
    assert "The points are means of runs over the window; of each scale there are: d0 3, d1 3, d2 1, d3 3." in said
    print_inference(ReportData.from_tables(cascades(1)))
    assert "means of runs" not in capsys.readouterr().out


def test_borrowed_intervals_are_named_with_what_they_assume(capsys: pytest.CaptureFixture[str]) -> None:
    noise = pl.Series(np.exp(0.05 * np.random.default_rng(1).standard_normal(12)))
    lender = cascades(3)
    keys = lender.select("scale", "run").unique(maintain_order=True).with_columns(off=noise)
    lender = lender.join(keys, on=["scale", "run"]).with_columns(pl.col("duration") * pl.col("off")).drop("off")
    _print_borrowed(borrowed_intervals(cascades(1), lender))
    said = capsys.readouterr().out
    assert said.startswith("with the scatter between runs borrowed, if runs here scatter alike and scales follow")
    assert "degrees of freedom)" in said and "z = " in said
