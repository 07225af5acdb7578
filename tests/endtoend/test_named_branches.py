"""A family whose runs are branches of one repository, named by a pattern, is measured and asked about."""

import json

import numpy as np
import polars as pl
import pytest
from remote_runs import checkpoint, parameters_of, pythia_tensors

import gradcascade as gc
from gradcascade.families.files import VARIABLE

TOY = """
name = "seeds"
title = "Sizes and seeds in branches"
layout = "named-branches"
fields = ["update"]
repository = "lab/seeds-{variant}-{scale}@step{step}-tokens{tokens}B-seed-{run}"
variants = ["c4", "web"]
runs = ["default", "aux"]
tensors = ["gpt_neox.layers.*.weight"]
[scales]
s = { entries = 400, tokens = 1_000_000_000 }
m = { entries = 888, tokens = 1_000_000_000, runs = ["default"] }
l = { tokens = 999 }
[[citations]]
key = "lab2026seeds"
authors = ["Lab, A."]
[verified]
state = "inferred"
evidence = "by this test"
"""
WIDTHS = {"s": 4, "m": 6, "l": 8}
STEPS = (0, 10, 20, 25)


@pytest.fixture
def seeds(hub, at_the_hub, tmp_path, monkeypatch):
    for scale, width in WIDTHS.items():
        repository = hub.repository(f"lab/seeds-c4-{scale}")
        repository.commit("main", "initial commit", {"README.md": b"# seeds\n"})
        for run, shift in (("default", 0), ("aux", 100)):
            for step in STEPS:
                branch = f"step{step}-tokens{step}B-seed-{run}"
                repository.commit(
                    branch, "add", checkpoint(pythia_tensors(width, step + shift), tmp_path / "f", "whole")
                )
    (tmp_path / "families").mkdir()
    (tmp_path / "families" / "seeds.toml").write_text(TOY)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "families"))
    return hub


def test_runs_of_one_repository_are_measured_with_the_chosen_tensors(seeds, command):
    code, out, err = command("measure", "seeds", "--out", "S", "--nulls", "", "--json")
    assert (code, json.loads(out)["measured"]) == (0, 3 * 2 + 3 + 3 * 2), err
    with gc.Study.open("S") as study:
        table = study.cascades()
    own = table.filter(scale="s", run="aux", step=25).row(0, named=True)
    before, after = (parameters_of(pythia_tensors(4, step + 100)) for step in (20, 25))
    names = [name for name in sorted(after) if name.startswith("gpt_neox.layers.") and name.endswith("weight")]
    field = [after[name].astype(np.float32) - before[name].astype(np.float32) for name in names]
    expected = gc.Probe()(np.concatenate([values.reshape(-1) for values in field]))
    assert (own["n"], own["size"], own["duration"]) == (expected.n, expected.size, expected.duration)
    assert own["span"] == 5 and "step25-tokens25B-seed-aux minus step20-tokens20B-seed-aux" in own["source"]
    assert set(table.filter(scale="m")["run"]) == {"default"}
    assert command("export", "S", "--format", "csv")[0] == 0
    exported = pl.read_csv("S/export/cascades.csv", schema_overrides={"run": pl.String})
    assert exported.filter(scale="s", step=25)["tokens"].unique().to_list() == [25 * 10**9]
    assert exported.filter(scale="l", step=25)["tokens"].unique().to_list() == [25 * 999]  # as the file has it
    assert pl.read_csv("S/export/fits.csv")["tokens"].null_count() == pl.read_csv("S/export/fits.csv").height
    code, _, err = command("measure", "seeds-web", "--out", "S", "--nulls", "")
    assert code == 2 and "lab/seeds-web-s" in err


def test_check_asks_the_hub(seeds, command):
    code, out, _ = command("families", "seeds", "--check", "--json")
    runs = {(one["scale"], one["run"]): one for one in json.loads(out)["runs"]}
    assert code == 0 and runs["s", "aux"]["steps"] == list(STEPS) and runs["s", "aux"]["differences"] == []
    assert [found["code"] for found in runs["l", "default"]["differences"]] == ["tokens"]
    assert ("m", "aux") not in runs
    code, out, _ = command("families", "seeds-web", "--check")
    assert code == 0 and "5 runs asked about, 5 of them differ" in out and "lab/seeds-web-s" in out
    assert command("families", "--check")[0] == 2
