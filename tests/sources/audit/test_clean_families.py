"""No alarm on families that nothing is wrong with, whatever way their weights take."""

from pathlib import Path

import numpy as np
import pytest
from imitation_family import WIDTHS, training, write_checkpoint, write_family, write_gradient_family

from gradcascade.sources.audit import audit_family

WAYS: dict[str, dict[str, float]] = {
    "walk": {"drift": 0.0},
    "walk-with-drift": {},
    "nearly-straight": {"drift": 5.0},
    "fluctuation": {"pull": 0.02, "drift": 8.0},
    "warmed-up-again": {"pull": 0.02, "drift": 0.0},  # starts where it comes to rest, and fluctuates around it
}
SCHEDULES = {
    "pythia": (0, 1, 2, 4, 8, 16, 100, 200, 300, 400, 500, 600, 700, 800),
    "grid": tuple(range(0, 1300, 100)),
    "few": (0, 500, 1000, 1500, 2000),
    "no-schedule": (3, 10, 50, 51, 200, 210, 800, 1500),
    "short-end": (*range(0, 1000, 100), 943),
}


@pytest.mark.parametrize("seed", range(20))
def test_no_alarm_on_checkpoints(seed: int, tmp_path: Path) -> None:
    kind = ("safetensors", "bin")[seed % 2]
    way = list(WAYS)[seed % len(WAYS)]
    schedule = list(SCHEDULES)[(seed // len(WAYS)) % len(SCHEDULES)]
    write_family(tmp_path, seed, kind, SCHEDULES[schedule], **WAYS[way])
    assert audit_family(tmp_path).findings == ()


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("way", WAYS)
def test_no_alarm_on_any_way_and_schedule(way: str, schedule: str, tmp_path: Path) -> None:
    write_family(tmp_path, 1000, "safetensors", SCHEDULES[schedule], **WAYS[way])
    assert audit_family(tmp_path).findings == ()


@pytest.mark.parametrize("seed", range(20))
def test_no_alarm_on_gradients(seed: int, tmp_path: Path) -> None:
    write_gradient_family(tmp_path, seed)
    assert audit_family(tmp_path).findings == ()


def test_no_alarm_on_a_restart_of_the_learning_rate(tmp_path: Path) -> None:
    steps = tuple(range(0, 1300, 100))
    for width in WIDTHS:
        first = training(width, width, steps)
        shift = {name: first[1200][name] - values for name, values in training(width + 50, width, steps)[0].items()}
        for step in steps[:-1]:
            write_checkpoint(first[step], tmp_path / f"run-{width}" / f"step{step}")
        for step, tensors in training(width + 50, width, steps).items():
            moved = {name: tensors[name] + shift[name] for name in tensors}
            write_checkpoint(moved, tmp_path / f"run-{width}" / f"step{1200 + step}")
    assert audit_family(tmp_path).findings == ()


def test_frozen_tensors_raise_no_alarm(tmp_path: Path) -> None:
    for width in WIDTHS:
        run = training(width, width)
        for step, tensors in run.items():
            frozen = {"embed.weight": run[0]["embed.weight"], "table": np.zeros((40, 40))}
            write_checkpoint(tensors | frozen, tmp_path / f"run-{width}" / f"step{step}")
    audit = audit_family(tmp_path)
    assert {(finding.code, finding.severity) for finding in audit.findings} == {("frozen", "note")}
    assert audit.entries == ()


def test_a_single_checkpoint_and_a_pair_raise_no_alarm(tmp_path: Path) -> None:
    for number, steps in enumerate([(0,), (0, 100), (0, 100, 200)]):
        write_family(tmp_path / str(number), 5, "safetensors", steps)
        assert audit_family(tmp_path / str(number)).findings == ()
