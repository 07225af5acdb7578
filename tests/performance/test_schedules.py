from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from gradcascade.errors import InputError
from gradcascade.performance.schedules import LearningRate, published_schedules, read_schedule

PICO, PYTHIA = (published_schedules()[name] for name in ("pico-lm", "pythia"))


def slow_pico(step: int) -> float:
    return 3e-4 * (step / 2500 if step < 2500 else max(0.0, (200_000 - step) / (200_000 - 2500)))


def slow_pythia(step: int) -> float:
    if step < 1430:
        return 1e-3 * step / 1430
    progress = min(1.0, (step - 1430) / (143_000 - 1430))
    return 1e-4 + 9e-4 * 0.5 * (1 + math.cos(math.pi * progress))


@pytest.mark.parametrize(("fast", "slow"), [(PICO, slow_pico), (PYTHIA, slow_pythia)])
def test_matches_a_loop(fast: Callable[..., Any], slow: Callable[[int], float]) -> None:
    steps = [
        0,
        1,
        512,
        1429,
        1430,
        1431,
        2499,
        2500,
        2501,
        71_500,
        142_999,
        143_000,
        150_000,
        199_999,
        200_000,
        10**6,
    ]
    np.testing.assert_allclose(fast(steps), [slow(step) for step in steps], rtol=1e-12)
    np.testing.assert_array_equal(fast(pl.Series(steps)), fast(np.array(steps)))


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (PICO(0), 0),
        (PICO(2_500), 3e-4),
        (PICO(101_250), 1.5e-4),
        (PICO(200_000), 0),
        (PYTHIA(0), 0),
        (PYTHIA(1_430), 1e-3),
        (LearningRate("cosine", 2, 1_430, 143_000, 0.1)(72_215), 1.1),
        (PYTHIA(143_000), 1e-4),
        (LearningRate("linear", 3e-4, 0, 200_000)(0), 3e-4),
    ],
)
def test_points_of_the_schedules(rate: np.ndarray, expected: float) -> None:
    assert rate.shape == () and float(rate) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("schedule", [PICO, PYTHIA])
def test_shape_is_kept(schedule: Callable[..., Any]) -> None:
    assert schedule(np.zeros((2, 3), dtype=int)).shape == (2, 3)


@pytest.mark.parametrize("schedule", [PICO, PYTHIA])
def test_bad_input(schedule: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="cannot be negative, got -3"):
        schedule([1, -3])
    with pytest.raises(InputError, match="got warmup 10 and total 10"):
        LearningRate("cosine", 1e-3, 10, 10)(1)


def configured(folder, **changes):
    options = {"lr": 6e-4, "lr_scheduler": "linear_with_warmup", "lr_warmup_steps": 100, "optimizer": "adamw"}
    training = {"max_steps": 1000, "optimization": {**options, **changes}}
    (folder / "training_config.yaml").write_text(yaml.safe_dump({"training": training}))
    return folder


def test_a_run_without_its_configuration_has_no_schedule_of_its_own(tmp_path):
    assert read_schedule(tmp_path) is None


def test_every_name_of_a_published_family_has_its_schedule():
    found = published_schedules()
    assert found["pythia-seed7"] == found["pythia"] == found["pythia-deduped"] != found["pico-lm"]


def test_the_schedule_of_a_run_is_that_of_its_configuration(tmp_path):
    schedule = read_schedule(configured(tmp_path))
    assert schedule is not None
    assert schedule == LearningRate("linear", 6e-4, 100, 1000)
    assert schedule([0, 50, 100, 550, 1000, 1500]) == pytest.approx([0, 3e-4, 6e-4, 3e-4, 0, 0])
    constant = read_schedule(configured(tmp_path, lr_scheduler="constant_with_warmup"))
    assert constant is not None
    assert constant([0, 50, 100, 550, 1000]) == pytest.approx([0, 3e-4, 6e-4, 6e-4, 6e-4])


def test_a_configuration_as_the_family_trainer_writes_it_is_read(tmp_path):
    from gradcascade.training.config import FamilyConfig, describe
    from gradcascade.training.corpus import Corpus

    config = FamilyConfig(steps=40, warmup=8)
    text = np.arange(256, dtype=np.uint8)
    corpus = Corpus(name="text", training=text, held_out=text)
    (tmp_path / "training_config.yaml").write_text(yaml.safe_dump(describe(config, 24, corpus)))
    schedule = read_schedule(tmp_path)
    assert schedule == LearningRate("constant", 2e-3, 8, 40)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("training: [", "is not readable YAML"),
        ("training: {}", "lacks training.optimization.lr"),
        ("[]", "lacks training.optimization.lr"),
        ("training: 2024-13-45", "is not readable YAML"),
        ("# " + "x" * 1_000_001, "has more than 1,000,000 bytes"),
        (
            "training: {max_steps: 10, optimization: {lr: 1, lr_warmup_steps: 1, lr_scheduler: []}}",
            "has the schedule",
        ),
        ("!!python/object/apply:os.system ['true']", "is not readable YAML"),
    ],
)
def test_a_broken_configuration_is_refused(tmp_path, text, words):
    (tmp_path / "training_config.yaml").write_text(text)
    with pytest.raises(InputError, match=words):
        read_schedule(tmp_path)


def test_an_unknown_schedule_is_refused(tmp_path):
    with pytest.raises(InputError, match="has the schedule 'cosine'"):
        read_schedule(configured(tmp_path, lr_scheduler="cosine"))
