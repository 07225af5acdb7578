"""fit and report say which run is not healthy, and can leave it out."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from runs_of_scales import clean, sick

from gradcascade.cli.main import main


def command(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["gradcascade", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert not ended.value.code, said.err
    return said.out


def test_a_sick_run_is_named_and_left_out_on_demand(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    table = sick(clean(np.random.default_rng(2)), 0.2, 20_000, scale="s3")
    table.with_columns(graph_seed=42).write_parquet("cascades.parquet")
    command(monkeypatch, capsys, "merge", "cascades.parquet", "--out", "S")
    said = " ".join(command(monkeypatch, capsys, "fit", "S").split())
    assert "Not healthy: f, s3, run 1: size of its updates leaves the median of the other runs at step 20,000" in said
    assert "all runs, 95 %" in said and "healthy runs, 95 %" in said
    healthy = command(monkeypatch, capsys, "fit", "S", "--healthy")
    assert "Left out: what runs that are not healthy have" in healthy and "Not healthy:" not in healthy
    fits = [json.loads(command(monkeypatch, capsys, "fit", "S", "--json", *flag)) for flag in ((), ("--healthy",))]
    d = [next(row for row in fit["intervals"] if row["exponent"] == "D")["scales_value"] for fit in fits]
    assert abs(d[1] - 1) < 0.02 < abs(d[0] - 1)
    assert [len(fit["health"]) > 0 for fit in fits] == [True, False]
    command(monkeypatch, capsys, "report", "S", "--out", "R")
    page = Path("R/index.html").read_text(encoding="utf-8")
    assert "Runs that are not healthy" in page and "f, s3, run 1" in page
