import numpy as np
import pytest

import gradcascade as gc
from gradcascade.performance.schedules import pico_learning_rate, pythia_learning_rate
from gradcascade.study.schedules import FILE, describe_schedule, keep_schedules, schedules_of

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
    assert np.allclose(found["own"](STEPS), pico_learning_rate(STEPS, 1e-3, 10, 200))
    assert np.allclose(found["pythia"](STEPS), pythia_learning_rate(STEPS))


def test_a_constant_rate_stays_constant(tmp_path):
    keep_schedules(tmp_path, {"own": describe_schedule({"a": configured(tmp_path, kind="constant_with_warmup")})})
    assert schedules_of(tmp_path)["own"](np.array([10, 100, 1000])).tolist() == [1e-3] * 3


def test_published_schedules_go_by_the_layout_and_others_say_why_there_is_none(tmp_path):
    (tmp_path / "bare").mkdir()
    assert describe_schedule({"a": tmp_path / "bare"}, "pythia") == {"published": "pythia"}
    assert describe_schedule({"a": tmp_path / "bare"}) == {"reason": "no run has a training_config.yaml"}
    different = {"a": configured(tmp_path / "a"), "b": configured(tmp_path / "b", total=400)}
    assert describe_schedule(different)["reason"] == "the runs of a, b do not follow one schedule"
    (tmp_path / "a" / "training_config.yaml").write_text("training: {}")
    assert "lacks training.optimization.lr" in describe_schedule(different)["reason"]
    keep_schedules(tmp_path, {"mine": {"published": "pythia"}, "none": {"reason": "no run"}})
    found = schedules_of(tmp_path)
    assert np.allclose(found["mine"](STEPS), pythia_learning_rate(STEPS)) and "none" not in found


def test_a_study_without_the_file_has_the_published_ones_and_a_broken_file_is_named(tmp_path):
    assert set(schedules_of(tmp_path)) == {"pico-lm", "pythia"}
    for content in ("{", "[1]", '{"own": {"published": "unknown"}}', '{"own": {}}', '{"own": 3}'):
        (tmp_path / FILE).write_text(content)
        with pytest.raises(gc.InputError, match="is not a file of schedules; remove it"):
            schedules_of(tmp_path)
