"""fit and report say which run is not healthy, and can leave it out."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from runs_of_scales import clean, sick
from sample_runs import write_pico_run

from gradcascade.cli.main import main


def command(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["gradcascade", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert not ended.value.code, said.err
    return said.out


@pytest.mark.usefixtures("no_figures")
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


def test_an_audit_names_runs_that_evaluations_or_a_study_show_to_be_sick(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    for run in range(1, 6):
        folder = Path(f"runs/f-d6-seed{run}")
        write_pico_run(folder, (0, 10, 20, 30), blocks=2)
        for step in (0, 10, 20, 30):
            value = 100 / (step + 1) * (1 + 0.01 * run) * (3 if run == 3 and step >= 20 else 1)
            (folder / "eval_results" / f"step_{step}.json").write_text(json.dumps({"paloma": value}))
    said = " ".join(command(monkeypatch, capsys, "audit", "runs", "--no-contents", "--family", "f").split())
    assert "warning d6 run 3 from step 20 apart f, d6, run 3: paloma leaves the median of the other runs" in said
    table = sick(clean(np.random.default_rng(2)), 0.2, 20_000, scale="s3")
    table.with_columns(graph_seed=42).write_parquet("cascades.parquet")
    command(monkeypatch, capsys, "merge", "cascades.parquet", "--out", "S")
    words = ("audit", "runs", "--no-contents", "--study", "S", "--json", "--family", "f")
    (found,) = json.loads(command(monkeypatch, capsys, *words))["families"]
    sick_runs = {(row["scale"], row["run"], row["field"]) for row in found["health"]}
    assert sick_runs == {("d6", "3", None), ("s3", "1", "update")}
    monkeypatch.setattr(sys, "argv", ["gradcascade", *words[:-1], "other"])
    with pytest.raises(SystemExit):
        main()
    assert "the study S has none of the families audited (other); it has: f" in capsys.readouterr().err
