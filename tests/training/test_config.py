from typing import Any

import numpy as np
import pytest

from gradcascade.errors import InputError
from gradcascade.training.config import FamilyConfig, describe, first_difference
from gradcascade.training.corpus import Corpus

TEXT = Corpus("text", np.zeros(100, np.uint8), np.zeros(50, np.uint8))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"widths": ()}, "widths must be different and ascending"),
        ({"widths": (48, 24)}, "ascending"),
        ({"widths": (24, 24)}, "different"),
        ({"widths": (24, 50)}, "width 50 is not a multiple of 24"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"record_every": 0}, "record_every must be at least 1"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"context": 1}, "context must be at least 2"),
        ({"evaluation": 0}, "evaluation must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive"),
        ({"clip": float("inf")}, "clip must be positive and finite"),
        ({"warmup": -1}, "warmup must not be negative"),
        ({"seed": -1}, "seed must not be negative"),
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(setting, message):
    with pytest.raises(InputError, match=message):
        FamilyConfig(**setting)


def test_the_default_family_has_picos_smallest_field_among_four():
    assert [64 * width**2 for width in FamilyConfig().widths] == [36_864, 147_456, 589_824, 2_359_296]


@pytest.mark.parametrize(
    ("steps", "every", "recorded"),
    [(6, 2, (0, 2, 4, 6)), (7, 2, (0, 2, 4, 6, 7)), (1, 5, (0, 1)), (2, 1, (0, 1, 2))],
)
def test_the_first_and_the_last_step_are_recorded(steps, every, recorded):
    assert FamilyConfig(steps=steps, record_every=every).recorded_steps == recorded


def test_the_rate_rises_linearly_and_stays():
    config = FamilyConfig(learning_rate=0.4, warmup=4)
    assert [config.rate(step) for step in range(6)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    assert FamilyConfig(learning_rate=0.4, warmup=0).rate(0) == 0.4


def test_descriptions_differ_by_name():
    one, two = (describe(FamilyConfig(learning_rate=rate), 24, TEXT) for rate in (0.1, 0.2))
    assert first_difference(one, one) is None
    assert first_difference(one, two) == ("training.optimization.lr", 0.1, 0.2)
    assert first_difference({"a": {"b": 1}}, {"a": {}}) == ("a.b", 1, None)


def test_every_setting_that_changes_a_run_is_described():
    base = describe(FamilyConfig(), 24, TEXT)
    settings: list[dict[str, Any]] = [
        {"steps": 7}, {"record_every": 7}, {"batch": 7}, {"context": 7}, {"learning_rate": 7.0}, {"warmup": 7},
        {"clip": 7.0}, {"weight_decay": 7.0}, {"seed": 7}, {"evaluation": 7}, {"threads": 7},
    ]  # fmt: skip
    for setting in settings:
        assert first_difference(base, describe(FamilyConfig(**setting), 24, TEXT)), setting
    assert first_difference(base, describe(FamilyConfig(), 48, TEXT))
    other = Corpus("text", np.ones(100, np.uint8), TEXT.held_out)
    assert first_difference(base, describe(FamilyConfig(), 24, other))


def test_further_runs_have_the_next_seeds_and_names_of_their_own() -> None:
    config = FamilyConfig(widths=(24, 48, 96), runs=(3, 1, 2), seed=7)
    found = [(training.width, training.name, training.label, training.config.seed) for training in config.trainings]
    assert found == [
        (24, "nano-d24", "d24", 7),
        (24, "nano-d24-seed8", "d24, seed 8", 8),
        (24, "nano-d24-seed9", "d24, seed 9", 9),
        (48, "nano-d48", "d48", 7),
        (96, "nano-d96", "d96", 7),
        (96, "nano-d96-seed8", "d96, seed 8", 8),
    ]
    assert FamilyConfig(widths=(24, 48), runs=(1, 1)) == FamilyConfig(widths=(24, 48))


def test_the_first_run_is_described_as_an_only_one_is() -> None:
    """So that a family of one run of each scale can be continued with more."""
    alone, several = FamilyConfig(), FamilyConfig(runs=(3, 3, 3, 1))
    first, second, *_ = several.trainings
    assert describe(first.config, first.width, TEXT, first.name) == describe(alone, 24, TEXT)
    old, new = (describe(run.config, run.width, TEXT, run.name) for run in (first, second))
    assert first_difference(old, new) == ("training.seed", 42, 43)
    assert new["checkpointing"]["run_name"] == "nano-d24-seed43"


@pytest.mark.parametrize("runs", [(1, 2), (1, 1, 0, 1), (1, 1, 1, 1, 1)])
def test_runs_are_given_for_every_width(runs: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="one number of at least 1 for each of the 4 widths"):
        FamilyConfig(runs=runs)
