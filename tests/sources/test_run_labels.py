"""Which runs are of one scale, told by their names and by the size of their fields."""

import json
import shutil
from pathlib import Path

import pytest
from sample_runs import pico_parameters, recorded, save_pt, write_pico_run

from gradcascade.errors import InputError
from gradcascade.sources import discover
from gradcascade.sources.run_labels import labelled, without_seed


@pytest.mark.parametrize(
    ("name", "base", "label"),
    [
        ("d96-seed1", "d96", "1"),
        ("410m-seed7", "410m", "7"),
        ("d96_run-03", "d96", "03"),
        ("d96.Rep2", "d96", "2"),
        ("trial_4-d96", "d96", "4"),
        ("d96-seed1-lr3", "d96-lr3", "1"),
        ("d96-seed1-run2", "d96", "1-2"),
        ("d96-s1", "d96-s1", "0"),
        ("d96_1", "d96_1", "0"),
        ("reseed1", "reseed1", "0"),
        ("d96-seed1b", "d96-seed1b", "0"),
        ("run-7", "run-7", "0"),
        ("seed", "seed", "0"),
    ],
)
def test_seed_like_parts(name: str, base: str, label: str) -> None:
    assert without_seed(name) == (base, label)


def test_a_single_seed_of_each_scale_stays_in_its_name() -> None:
    names = ["pythia-70m-seed3", "pythia-160m-seed3"]
    assert labelled(names, lambda members: True) == [(name, "0") for name in names]


def test_where_two_runs_are_of_one_scale_all_names_are_told_apart() -> None:
    names = ["d96-seed1", "d96-seed2", "410m-seed7", "d24"]
    assert labelled(names, lambda members: True) == [("d96", "1"), ("d96", "2"), ("410m", "7"), ("d24", "0")]


def test_runs_of_other_sizes_and_with_one_label_stay_scales() -> None:
    names = ["a-seed1", "a-seed2", "b-seed1", "b-run1", "c-seed1", "c-seed2", "d", "d-seed5"]
    found = labelled(names, lambda members: members[0] != "a-seed1")
    assert found == [(name, "0") for name in names[:4]] + [("c", "1"), ("c", "2"), ("d", "0"), ("d", "5")]


STEPS = (0, 20)


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    for name, width in {"tiny-d6-seed1": 6, "tiny-d6-seed2": 6, "tiny-d12-seed10": 12, "tiny-d18": 18}.items():
        write_pico_run(tmp_path / "runs" / name, STEPS, width, blocks=2)
    return tmp_path / "runs"


def test_runs_of_one_scale_in_a_folder(seeds: Path) -> None:
    source = discover(seeds)
    assert (source.family, source.scales) == ("tiny", ("d6", "d12", "d18"))
    found = {(ref.scale, ref.run) for ref in source.snapshots()}
    assert found == {("d6", "1"), ("d6", "2"), ("d12", "10"), ("d18", "0")}
    assert {(ref.field, ref.span) for ref in source.snapshots()} == {("gradient", None), ("update", 20)}
    assert source.metrics().columns == ["family", "scale", "run", "step", "metric", "value"]
    assert {row[1:3] for row in source.metrics().rows()} == found
    assert set(source.folders()) == {"d6, run 1", "d6, run 2", "d12, run 10", "d18"}


def test_runs_alone_in_their_folder_are_one_scale(seeds: Path) -> None:
    for name in ("tiny-d12-seed10", "tiny-d18"):
        shutil.rmtree(seeds / name)
    assert {(ref.family, ref.scale, ref.run) for ref in discover(seeds, "tiny").snapshots()} == {
        ("tiny", "d6", "1"),
        ("tiny", "d6", "2"),
    }


def test_a_run_of_another_size_is_a_scale_of_its_own(seeds: Path) -> None:
    write_pico_run(seeds / "tiny-d6-seed3", STEPS, 12, blocks=2)
    assert set(discover(seeds).scales) == {"d6-seed1", "d6-seed2", "d6-seed3", "d12-seed10", "d18"}


def test_a_run_whose_first_files_are_broken_is_told_by_the_next(seeds: Path) -> None:
    write_pico_run(seeds / "tiny-d6-seed3", STEPS, 12, blocks=2)
    (seeds / "tiny-d6-seed3/checkpoints/step_0/learning_dynamics/train_gradients.pt").write_bytes(b"PK\x03\x04")
    assert "d6-seed3" in discover(seeds).scales


def test_runs_can_be_named(seeds: Path) -> None:
    runs = {"small": {"a": "tiny-d6-seed1", "b": "tiny-d6-seed2"}, "large": {"a": "tiny-d12-seed10"}}
    found = discover(seeds, "own", runs=runs)
    assert {(ref.family, ref.scale, ref.run) for ref in found.snapshots()} == {
        ("own", "small", "a"),
        ("own", "small", "b"),
        ("own", "large", "a"),
    }
    for wrong, words in (
        ({"s": {"1": "tiny-d6-seed1", "2": "tiny-d18"}}, r"has 384 entries and that of .*tiny-d18 3,456"),
        ({"s": {"1": "tiny-d6-seed1", "2": "tiny-d6-seed1"}}, "is named as two runs, s, run 1 and s, run 2"),
        ({"s": {"1": "nowhere"}}, "nowhere, the run of scale s, run 1, is not a folder"),
    ):
        with pytest.raises(InputError, match=words):
            discover(seeds, runs=wrong)


def test_measured_runs_are_coordinates_of_the_table(seeds: Path, tmp_path: Path) -> None:
    import gradcascade as gc
    from gradcascade.study.plan import FamilyPlan, NullPlan, Plan

    (seeds / "tiny-d18/eval_results/step_0.json").write_text(json.dumps({"paloma": 2.0}))
    plan = Plan(families=(FamilyPlan(name="tiny", path="../runs"),), nulls=NullPlan(kinds=()))
    with gc.Study.create(tmp_path / "study", plan) as study:
        assert gc.run(study).refused == ()
        table = study.cascades()
        assert set(table.select("scale", "run").rows()) == {("d6", "1"), ("d6", "2"), ("d12", "10"), ("d18", "0")}
        assert ("d6", "2") in study.metrics().select("scale", "run").rows()


def test_runs_of_one_scale_are_audited_one_by_one(seeds: Path) -> None:
    from gradcascade.sources.audit import audit_family
    from gradcascade.sources.base import RunName

    step = seeds / "tiny-d6-seed2" / "checkpoints" / "step_20"
    save_pt(recorded(pico_parameters(77, 2)), step / "learning_dynamics" / "train_gradients.pt")
    (step / "model.safetensors").write_bytes(b"cut off")
    found = audit_family(seeds)
    assert [run.name for run in found.listing.runs] == [
        RunName("d6", "1"), RunName("d6", "2"), RunName("d12", "10"), RunName("d18")
    ]  # fmt: skip
    assert {(entry.scale, entry.run, entry.step) for entry in found.entries} == {("d6", "2", 20)}
    only = {"d6": {"1": "tiny-d6-seed1"}}
    assert [run.name for run in audit_family(seeds, runs=only).listing.runs] == [RunName("d6", "1")]
