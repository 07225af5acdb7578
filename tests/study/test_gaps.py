import shutil
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.sources.base import GRADIENT, UPDATE, Name, SnapshotRef
from gradcascade.study.gaps import bridged, ends_of
from gradcascade.study.plan import FamilyPlan, NullPlan, Plan

STEPS = (0, 5, 10, 15, 20)


def nothing():
    return np.zeros(1)


def differences(scale, steps, label="later", run="0"):
    return [
        SnapshotRef("f", scale, b if label == "later" else a, UPDATE, (), "", "", nothing, run, b - a)
        for a, b in pairwise(steps)
    ]


@pytest.mark.parametrize(
    ("field", "span", "label", "ends"),
    [
        (UPDATE, 10, "later", (10, 20)),
        (UPDATE, 10, "earlier", (20, 30)),
        (UPDATE, None, "later", None),
        (GRADIENT, None, "later", None),
    ],
)
def test_the_ends_of_an_update_follow_from_its_step_its_span_and_the_label(field, span, label, ends):
    assert ends_of(SnapshotRef("f", "a", 20, field, (), "", "", nothing, "0", span), label) == ends


@pytest.mark.parametrize(("label", "step"), [("later", 15), ("earlier", 5)])
def test_the_gap_is_found_under_either_label(label, step):
    snapshots = [d for scale, steps in zip("abc", (STEPS, (0, 5, 15, 20), STEPS), strict=True)
                 for d in differences(scale, steps, label)]  # fmt: skip
    assert bridged(snapshots, label) == {Name("f", "b", "0", step, UPDATE): ((5, 15), 10)}


def test_runs_of_one_scale_are_compared_with_each_other():
    snapshots = [d for run, steps in zip("123", (STEPS, (0, 5, 15, 20), STEPS), strict=True)
                 for d in differences("a", steps, run=run)]  # fmt: skip
    assert set(bridged(snapshots)) == {("f", "a", "2", 15, UPDATE)}


def test_a_checkpoint_that_other_scales_have_is_not_bridged():
    snapshots = [d for scale, steps in zip("abc", (STEPS, (0, 5, 15, 20), STEPS), strict=True)
                 for d in differences(scale, steps)]  # fmt: skip
    assert set(found := bridged(snapshots)) == {("f", "b", "0", 15, UPDATE)}
    assert (
        found[Name("f", "b", "0", 15, UPDATE)]
        .sentence()
        .startswith("the checkpoint of step 10 is missing here and other runs have it")
    )


def test_a_hole_in_the_own_schedule_counts_with_one_other_scale():
    long = (*range(0, 60, 10), *range(70, 100, 10))
    assert set(bridged(differences("a", range(0, 100, 10)) + differences("b", long))) == {("f", "b", "0", 70, UPDATE)}


@given(st.lists(st.sets(st.integers(0, 30), min_size=2), min_size=1, max_size=4))
def test_equal_schedules_bridge_nothing_and_gradients_never_do(schedules):
    same = sorted(schedules[0])
    assert not bridged([d for scale in "abcd" for d in differences(scale, same)])
    gradients = [SnapshotRef("f", "a", 9, GRADIENT, (), "", "", nothing)]
    assert not bridged(gradients + [d for scale in "bc" for d in differences(scale, range(10))])


@pytest.fixture
def runs(tmp_path):
    for width in (6, 12, 18):
        write_pico_run(tmp_path / "runs" / f"tiny-d{width}", STEPS, width, blocks=1)
    return tmp_path / "runs"


def measured(folder):
    plan = Plan(families=(FamilyPlan(name="tiny", path="../runs", fields=("update",)),), nulls=NullPlan(kinds=()))
    with gc.Study.create(folder, plan) as study:
        return gc.run(study), study.cascades().drop("seconds")


def test_what_was_measured_stays_when_a_checkpoint_is_pruned(runs, tmp_path):
    _, before = measured(tmp_path / "study")
    shutil.rmtree(runs / "tiny-d12" / "checkpoints" / "step_10")
    outcome, after = measured(tmp_path / "study")
    assert (outcome.measured, outcome.refused) == (0, ())
    assert after.equals(before)
    for width in (6, 18):  # the same at every scale: no other scale tells that it is missing
        shutil.rmtree(runs / f"tiny-d{width}" / "checkpoints" / "step_10")
    outcome, after = measured(tmp_path / "study")
    assert (outcome.measured, outcome.refused) == (0, ())
    assert after.equals(before)


def test_a_gap_is_refused_until_the_checkpoint_is_back(runs, tmp_path):
    gone = runs / "tiny-d12" / "checkpoints" / "step_10"
    gone.rename(tmp_path / "aside")
    outcome, table = measured(tmp_path / "study")
    assert len(outcome.refused) == 1
    assert outcome.refused[0].startswith("d12, step 15, update: the checkpoint of step 10 is missing")
    assert table.filter(pl.col("scale") == "d12")["step"].to_list() == [5, 20]
    (tmp_path / "aside").rename(gone)
    outcome, table = measured(tmp_path / "study")
    assert (outcome.measured, outcome.refused) == (2, ())
    _, fresh = measured(tmp_path / "fresh")
    assert table.equals(fresh)


def test_a_bridge_that_was_measured_gives_way_to_the_shorter_difference(runs, tmp_path):
    for run in runs.iterdir():
        (run / "checkpoints" / "step_10").rename(tmp_path / run.name)
    _, wide = measured(tmp_path / "study")
    assert wide.filter(pl.col("step") == 15)["source"].str.ends_with("step_5/model.safetensors").all()
    for run in runs.iterdir():
        (tmp_path / run.name).rename(run / "checkpoints" / "step_10")
    _, table = measured(tmp_path / "study")
    _, fresh = measured(tmp_path / "fresh")
    assert table.equals(fresh)


def test_other_settings_of_a_pruned_difference_are_refused(runs, tmp_path):
    measured(tmp_path / "study")
    shutil.rmtree(runs / "tiny-d12" / "checkpoints" / "step_10")
    plan = tmp_path / "study" / "plan.toml"
    plan.write_text(plan.read_text().replace("alpha = 0.3", "alpha = 0.2"))
    with gc.Study.open(tmp_path / "study") as study:
        outcome = gc.run(study)
        assert len(outcome.refused) == 1 and "one of its checkpoints is gone" in outcome.refused[0]
        assert study.cascades().height == 3 * 4 - 2
