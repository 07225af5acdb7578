import json

import numpy as np
import pytest

import gradcascade as gc
from gradcascade.families import families
from gradcascade.performance.schedules import LearningRate, published_schedules
from gradcascade.study.plan import FamilyPlan
from gradcascade.study.schedules import FILE, describe_schedule, keep_schedules, published_name, schedules_of

STEPS = np.arange(0, 300, 7)


def configured(folder, rate=1e-3, warmup=10, total=200, kind="linear_with_warmup"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "training_config.yaml").write_text(
        f"training:\n  max_steps: {total}\n  optimization:\n    lr: {rate}\n    lr_warmup_steps: {warmup}\n"
        f"    lr_scheduler: {kind}\n"
    )
    return folder


def test_the_schedule_of_the_runs_is_kept_and_found_again(tmp_path):
    folders = {"a": configured(tmp_path / "a"), "b": configured(tmp_path / "b", rate=2e-3)}
    keep_schedules(tmp_path, {"own": describe_schedule(folders)})
    found = schedules_of(tmp_path)
    assert np.allclose(found["own"](STEPS), LearningRate("linear", 1e-3, 10, 200)(STEPS))
    assert np.allclose(found["pythia"](STEPS), published_schedules()["pythia"](STEPS))


def test_a_constant_rate_stays_constant(tmp_path):
    keep_schedules(tmp_path, {"own": describe_schedule({"a": configured(tmp_path, kind="constant_with_warmup")})})
    assert schedules_of(tmp_path)["own"](np.array([10, 100, 1000])).tolist() == [1e-3] * 3


def test_published_schedules_go_by_the_family_and_others_say_why_there_is_none(tmp_path):
    (tmp_path / "bare").mkdir()
    assert describe_schedule({"a": tmp_path / "bare"}, "pythia") == {"published": "pythia"}
    assert describe_schedule({"a": tmp_path / "bare"}) == {"reason": "no run has a training_config.yaml"}
    different = {"a": configured(tmp_path / "a"), "b": configured(tmp_path / "b", total=400)}
    assert describe_schedule(different)["reason"] == "the runs of a, b do not follow one schedule"
    (tmp_path / "a" / "training_config.yaml").write_text("training: {}")
    assert "lacks training.optimization.lr" in describe_schedule(different)["reason"]
    keep_schedules(tmp_path, {"mine": {"published": "pythia"}, "none": {"reason": "no run"}})
    found = schedules_of(tmp_path)
    assert np.allclose(found["mine"](STEPS), published_schedules()["pythia"](STEPS)) and "none" not in found


def test_a_study_without_the_file_has_the_published_ones_and_a_broken_file_is_named(tmp_path):
    known = {name for name, family in families().items() if family.schedule}
    assert known < set(schedules_of(tmp_path)) == set(published_schedules())
    for content in ("{", "[1]", '{"own": {"published": "unknown"}}', '{"own": {}}', '{"own": 3}'):
        (tmp_path / FILE).write_text(content)
        with pytest.raises(gc.InputError, match="is not a file of schedules; remove it"):
            schedules_of(tmp_path)


def test_a_family_on_the_hub_has_the_published_schedule_only_if_it_is_that_family_or_its_relative():
    def plan(*repositories):
        hub = {"layout": "pythia", "repositories": {f"s{i}": name for i, name in enumerate(repositories)}}
        return FamilyPlan.model_validate({"name": "mine", "hub": hub, "fields": ["update"]})

    assert published_name(plan("EleutherAI/pythia-14m-seed4", "EleutherAI/pythia-1b")) == "pythia"
    assert published_name(plan("EleutherAI/pythia-14m-seed4", "someone/else")) is None
    assert published_name(FamilyPlan(name="pythia", path=".")) is None


def test_schedules_written_by_an_earlier_version_are_read(tmp_path):
    old = {"peak": 1e-3, "warmup": 10, "total": 200, "published": False}
    described = {"a": {**old, "decays": True}, "b": {**old, "decays": False}, "c": {"published": "pico-lm"}}
    (tmp_path / FILE).write_text(json.dumps(described))
    found = schedules_of(tmp_path)
    assert found["a"] == LearningRate("linear", 1e-3, 10, 200) and found["c"] == published_schedules()["pico-lm"]
    assert found["b"] == LearningRate("constant", 1e-3, 10, 200)
