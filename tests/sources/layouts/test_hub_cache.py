"""The cache that huggingface_hub's own downloads fill is measured as it lies, links and all."""

import numpy as np
import pytest
from huggingface_hub import hf_hub_download
from remote_runs import checkpoint, parameters_of, pythia_tensors

from gradcascade.errors import InputError
from gradcascade.sources import discover

WIDTHS = {"14m": 8, "70m": 12}
STEPS = (0, 1000, 2000)


@pytest.fixture
def cache(hub, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_PROGRESS_BARS", True)
    place, options = tmp_path / "hub", {"endpoint": hub.endpoint, "token": False}
    for scale, width in WIDTHS.items():
        for step in STEPS:
            files = checkpoint(pythia_tensors(width, step), tmp_path, "shards" if scale == "70m" else "whole")
            hub.repository(f"lab/pythia-{scale}").commit(f"step{step}", "add", files)
            for name in files:
                hf_hub_download(f"lab/pythia-{scale}", name, revision=f"step{step}", cache_dir=place, **options)
    return place


def test_models_in_the_cache_are_runs_whose_branches_are_steps(cache):
    source = discover(cache, fields=("update",))
    assert (source.family, source.scales) == ("pythia", ("14m", "70m"))
    for at in source.snapshots():
        before, after = (parameters_of(pythia_tensors(WIDTHS[at.scale], step)) for step in (at.step - 1000, at.step))
        field = [after[name].astype(np.float32) - before[name].astype(np.float32) for name in after]
        assert at.step in (1000, 2000) and sorted(at.load()) == sorted(np.concatenate([one.ravel() for one in field]))
    alone = discover(cache / "models--lab--pythia-14m", fields=("update",))
    assert [at.step for at in alone.snapshots()] == [1000, 2000] and alone.family == "pythia-14m"


def test_a_part_of_the_cache_is_refused_with_what_to_give(cache):
    model = cache / "models--lab--pythia-14m"
    commit = (model / "refs" / "step0").read_text()
    for folder in (model / "snapshots", model / "snapshots" / commit):
        with pytest.raises(InputError, match=r"part of the cache .*; give .*models--lab--pythia-14m"):
            discover(folder)


def test_a_snapshot_without_its_files_costs_its_differences(cache):
    model = cache / "models--lab--pythia-14m"
    commit = (model / "refs" / "step1000").read_text()
    (model / "snapshots" / commit / "model.safetensors").unlink()
    (model / "refs" / "step_0002000").write_text(commit)
    with pytest.raises(InputError, match="has two branches for step 2000, step2000 and step_0002000"):
        discover(model)
    (model / "refs" / "step_0002000").unlink()
    (model / "refs" / "main").write_text(commit)
    (model / "refs" / "step9").write_text("no commit")
    found = [at for at in discover(cache, fields=("update",)).snapshots() if at.scale == "14m"]
    assert [(at.step, at.span) for at in found] == [(2000, 2000)]  # which measuring refuses, as 70m has step 1000
