from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gradcascade.cli.demo as module
from gradcascade.errors import InputError
from gradcascade.training.config import FamilyConfig


class _ReachedError(Exception):
    """Training would start."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[FamilyConfig]:
    """What the demo would train."""
    found: list[FamilyConfig] = []

    def train(config: FamilyConfig, out: Path) -> list[Path]:
        found.append(config)
        raise _ReachedError

    monkeypatch.setattr(module, "train_with_progress", train)
    return found


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        ({}, (3, 3, 2, 2, 1, 1)),
        ({"runs": 1}, (1, 1, 1, 1, 1, 1)),
        ({"quick": True}, (1, 1, 1)),
        ({"quick": True, "runs": 2}, (2, 2, 1)),
    ],
)
def test_small_scales_have_several_runs(
    options: dict[str, Any], runs: tuple[int, ...], asked: list[FamilyConfig], tmp_path: Path
) -> None:
    with pytest.raises(_ReachedError):
        module.demo(out=tmp_path, **options)
    assert asked[0].runs == runs


def test_runs_are_those_that_train_makes(asked: list[FamilyConfig], tmp_path: Path) -> None:
    with pytest.raises(_ReachedError):
        module.demo(out=tmp_path, runs=1)
    assert asked == [FamilyConfig(widths=(24, 48, 72, 96, 144, 192))]
    names = [f"nano-d{width}" for width in (24, 48, 72, 96, 144, 192)]
    assert [training.name for training in asked[0].trainings] == names


def test_runs_that_were_not_asked_for_are_refused(asked: list[FamilyConfig], tmp_path: Path) -> None:
    (tmp_path / "runs" / "nano-d24-seed43").mkdir(parents=True)
    with pytest.raises(InputError, match=r"also holds nano-d24-seed43; ask with --runs"):
        module.demo(out=tmp_path, runs=1)
    with pytest.raises(_ReachedError):
        module.demo(out=tmp_path)
    assert len(asked) == 1
