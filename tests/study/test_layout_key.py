"""The same bytes split into other tensors have another in-tensor null, and the same of everything else."""

import numpy as np
import polars as pl
from safetensors.numpy import save_file

import gradcascade as gc
from gradcascade.study.plan import FamilyPlan, NullPlan, Plan

NULLS = ("N2", "in-tensor")
PLAN = Plan(families=(FamilyPlan(name="tiny", path="../runs", fields=("gradient",)),), nulls=NullPlan(kinds=NULLS))


def write(folder, sizes):
    values = np.random.default_rng(1).standard_normal(600).astype(np.float32) ** 3
    parts = np.split(values, np.cumsum(sizes)[:-1])
    place = folder / "runs" / "tiny-a" / "step_10"
    place.mkdir(parents=True, exist_ok=True)
    save_file({f"t{number}": part for number, part in enumerate(parts)}, place / "train_gradients.safetensors")


def measured(folder, name="study"):
    with gc.Study.create(folder / name, PLAN) as study:
        outcome = gc.run(study)
        assert outcome.refused == ()
        return outcome.measured, study.cascades().drop("seconds", "revision")


def test_other_tensors_of_the_same_bytes_are_measured_anew_only_where_they_matter(tmp_path):
    write(tmp_path, (300, 300))
    _, halves = measured(tmp_path)
    write(tmp_path, (100, 500))
    new, table = measured(tmp_path)
    _, fresh = measured(tmp_path, "fresh")
    assert new == 1  # in-tensor alone
    assert table.equals(fresh)
    assert set(halves["content_hash"]) == set(table["content_hash"])
    layouts = table.select("variant", pl.col("layout_hash") != "").rows()
    assert sorted(layouts) == [("N2", False), ("in-tensor", True), ("real", False)]
    write(tmp_path, (300, 300))
    assert measured(tmp_path)[0] == 0
