from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.export.tables import study_tables
from gradcascade.report.access import study_data
from gradcascade.study.plan import FamilyPlan, NullPlan

NAME = "=HYPERLINK(\"x\", 1)\n<b>, 'naïve'"
"""A family's name that a spreadsheet would run, with everything that a format must escape."""


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A measured study: four scales, six steps, both fields, two replicates, one broken snapshot, metrics."""
    folder = tmp_path_factory.mktemp("export")
    for width in (6, 12, 18, 24):
        write_pico_run(folder / "runs" / f"tiny-d{width}", tuple(range(0, 60, 10)), width, blocks=2)
    broken = folder / "runs" / "tiny-d6" / "checkpoints" / "step_20" / "learning_dynamics" / "train_gradients.pt"
    broken.write_bytes(b"no tensors")
    family = FamilyPlan(name=NAME, path="../runs")
    plan = gc.Plan(families=(family,), nulls=NullPlan(replicates=2))
    with gc.Study.create(folder / "study", plan) as made:
        outcome = gc.run(made)
    assert len(outcome.refused) == 1
    return folder / "study"


@pytest.fixture(scope="session")
def tables(study: Path) -> dict[str, pl.DataFrame]:
    with gc.Study.open(study) as opened:
        return study_tables(study_data(opened))
