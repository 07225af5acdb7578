"""Shards: every snapshot in one of them, joined while they work, and told what is missing, doubled or foreign."""

import itertools
import json
import shutil
import sys
from pathlib import Path

import pytest
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.cli.main import main
from gradcascade.sources.base import SnapshotRef
from gradcascade.study.merging import merge_studies
from gradcascade.study.plan import FamilyPlan, NullPlan, Plan
from gradcascade.study.runner import open_source
from gradcascade.study.shards import Shard, divide, read_shard

PLAN = Plan(families=(FamilyPlan(name="tiny", path="../../runs"),), nulls=NullPlan(kinds=("N2",)))
STEPS = tuple(range(0, 60, 10))
PARTS = 3


def measure(folder, part, plan=PLAN, **options):
    out = part.folder(folder)
    with gc.Study.create(out, plan) as study:
        return gc.run(study, shard=part, **options)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Runs, a whole study, and the study of every shard."""
    folder = tmp_path_factory.mktemp("runs")
    for width in (6, 12):
        write_pico_run(folder / "runs" / f"tiny-d{width}", STEPS, width, blocks=1)
    broken = folder / "runs" / "tiny-d6" / "checkpoints" / "step_10" / "learning_dynamics" / "train_gradients.pt"
    broken.write_bytes(b"no gradients")
    with gc.Study.create(folder / "studies" / "whole", PLAN) as study:
        gc.run(study)
        table = study.cascades().drop("seconds")
    outcomes = [measure(folder / "shards", Shard(PARTS, number)) for number in range(1, PARTS + 1)]
    return folder, table, outcomes


def ref(step, field="gradient", scale="d12", run="0"):
    return SnapshotRef("tiny", scale, step, field, (), "somewhere", "1", lambda: None, run, 10 * (field == "update"))  # type: ignore[arg-type]


@pytest.mark.parametrize("of", [1, 2, 3, 7, 40])
def test_every_snapshot_is_in_one_shard_and_a_step_is_never_divided(of):
    snapshots = [
        ref(step, field, scale, run)
        for scale, run in (("d6", "0"), ("d12", "0"), ("d12", "1"))
        for field in ("gradient", "update")
        for step in STEPS
    ]
    shards = divide(snapshots, of, ())
    assert all(1 <= number <= of for number in shards)
    places = {}
    for snapshot, number in zip(snapshots, shards, strict=True):
        places.setdefault((snapshot.scale, snapshot.run, snapshot.step), set()).add(number)
    assert all(len(found) == 1 for found in places.values())
    # Along the runs the number never falls, so a checkpoint is in two shards at of - 1 places at most.
    along = [min(found) for found in places.values()]
    assert along == sorted(along)
    counts = [shards.count(number) for number in range(1, of + 1)]
    assert max(counts) - min(counts) <= 2


def test_large_models_weigh_more(base):
    folder, _, _ = base
    source = open_source(folder / "shards" / "any", PLAN.families[0])
    snapshots = source.snapshots()
    shards = divide(snapshots, 2, [source])
    entries = {"d6": 0, "d12": 0}
    for snapshot, number in zip(snapshots, shards, strict=True):
        entries[snapshot.scale] += number == 1
    assert entries["d6"] == 11 and 1 < entries["d12"] < 11  # all of the small model and some of the large one


def test_shards_that_are_joined_are_the_whole_study(base, tmp_path):
    folder, table, outcomes = base
    assert sum(outcome.measured for outcome in outcomes) == table.height
    assert sum(len(outcome.refused) for outcome in outcomes) == 1
    merged = merge_studies([folder / "shards"], tmp_path / "joined")
    assert (merged.cascades, merged.doubles, merged.unmeasured) == (table.height, 0, ())
    with gc.Study.open(tmp_path / "joined") as study:
        assert study.cascades().drop("seconds").equals(table)


def test_a_shard_that_is_not_there_is_told_with_its_snapshots_and_one_that_is_there_twice_is_kept_once(
    base, tmp_path
):
    folder, table, _ = base
    shards = [Shard(PARTS, number).folder(folder / "shards") for number in (1, 3)]
    merged = merge_studies([*shards, shards[0]], tmp_path / "joined")
    with gc.Study.open(shards[0]) as first, gc.Study.open(shards[1]) as second:
        counts = [study.cascades().height for study in (first, second)]
    assert (merged.cascades, merged.doubles) == (sum(counts), counts[0])
    (lack,) = merged.unmeasured
    assert lack.shard == Shard(PARTS, 2)
    assert len(lack.snapshots) * 2 == table.height - sum(counts)
    assert lack.sentence.startswith(
        f"shard 2 of 3 still has to measure {len(lack.snapshots)} snapshots (tiny, d12, step"
    )


def test_shards_are_joined_while_one_of_them_is_being_measured(base, tmp_path):
    folder, table, _ = base
    out = tmp_path / "studies"
    shutil.copytree(folder / "runs", tmp_path / "runs")
    measure(out, Shard(2, 1))
    seen = []

    def join(_):
        if not seen:
            seen.append(merge_studies([out], tmp_path / "early"))

    measure(out, Shard(2, 2), progress=join)
    early = seen[0]
    (lack,) = early.unmeasured
    assert lack.shard == Shard(2, 2) and 0 < early.cascades < table.height
    assert merge_studies([out], tmp_path / "late").cascades == table.height


def test_a_shard_of_another_plan_is_refused(base, tmp_path):
    folder, _, _ = base
    shutil.copytree(folder / "runs", tmp_path / "runs")
    other = PLAN.model_copy(update={"nulls": NullPlan(kinds=("N2",), seed=43)})
    measure(tmp_path / "other", Shard(PARTS, 2), other, stop=lambda: True)
    shards = [Shard(PARTS, 1).folder(folder / "shards"), tmp_path / "other" / "shard-2-of-3"]
    with pytest.raises(gc.InputError, match=r"nulls.seed = 42 .* 43; only studies of the same plan"):
        merge_studies(shards, tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


def test_shards_of_another_division_and_whole_studies_are_not_mixed(base):
    folder, _, _ = base
    with pytest.raises(gc.InputError, match=r"has shards of 3 .*--shard I/3"):
        Shard(4, 1).folder(folder / "shards")
    with pytest.raises(gc.InputError, match="is a study; give --out a folder for the shards"):
        Shard(4, 1).folder(folder / "studies" / "whole")


def slurm(task, tasks, step=1):
    numbers = {"ID": task, "COUNT": len(tasks), "MIN": tasks[0], "MAX": tasks[-1], "STEP": step}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in numbers.items()}


@pytest.mark.parametrize(("tasks", "step"), [(range(8), 1), (range(1, 5), 1), (range(5, 20, 5), 5), (range(3, 4), 1)])
def test_the_tasks_of_a_slurm_array_are_its_shards(tasks, step):
    found = [read_shard("slurm", slurm(task, tasks, step)) for task in tasks]
    assert found == [Shard(len(tasks), number) for number in range(1, len(tasks) + 1)]


@pytest.mark.parametrize("tasks", [(1, 3), (1, 2, 5), (0, 1, 2, 7)])
def test_an_array_with_gaps_is_refused_by_all_its_tasks(tasks):
    for task in tasks:
        with pytest.raises(gc.InputError, match="do not say which shard is which; give --shard I/N"):
            read_shard("slurm", slurm(task, tasks))


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "-1/4", "1/4/2", ""])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(gc.InputError, match="--shard takes I/N with I from 1 to N"):
        read_shard(text, {})


def test_without_an_array_slurm_is_refused_and_its_variables_alone_divide_nothing(base, monkeypatch, capsys):
    folder, table, _ = base
    with pytest.raises(gc.InputError, match="SLURM_ARRAY_TASK_ID is not set"):
        read_shard("slurm", {})
    for name, value in slurm(2, range(4)).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    words = ["measure", "runs", "--nulls", "N2", "--json", "--out"]
    for out, options, share in (("alone", [], None), ("array", ["--shard", "slurm"], "shard 3 of 4, since SLURM")):
        monkeypatch.setattr(sys, "argv", ["gradcascade", *words, out, *options])
        with pytest.raises(SystemExit):
            main()
        said = capsys.readouterr()
        measured = json.loads(said.out)["measured"]
        assert (measured == table.height) == (share is None) and measured > 0
        assert share is None or share in said.err
    assert [path.name for path in Path("array").iterdir()] == ["shard-3-of-4"]


def test_the_division_is_the_same_in_any_order_of_the_steps():
    snapshots = [ref(step) for step in STEPS]
    for order in itertools.islice(itertools.permutations(range(6)), 0, 720, 97):
        shuffled = divide([snapshots[at] for at in order], 4, ())
        whole = divide(snapshots, 4, ())
        assert shuffled == [whole[at] for at in order]
