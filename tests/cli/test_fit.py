from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from gradcascade.cli.fit import print_inference
from gradcascade.report.data import ReportData


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
    assert "Runs are" not in capsys.readouterr().out
