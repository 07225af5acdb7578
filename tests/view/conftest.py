from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.study.plan import FamilyPlan, NullPlan


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small models, four steps."""
    folder = tmp_path_factory.mktemp("view") / "runs"
    for width in (6, 12, 18):
        write_pico_run(folder / f"tiny-d{width}", (0, 10, 20, 30), width, blocks=1)
    return folder


@pytest.fixture(scope="session")
def measured(runs: Path) -> Path:
    """A study that has been measured; not to be changed."""
    with gc.Study.create(runs.parent / "measured", plan_of(runs)) as study:
        gc.run(study)
    return runs.parent / "measured"


@pytest.fixture
def study(measured: Path) -> Path:
    """A copy of the measured study, beside it (its plan names the runs by their relative path)."""
    copy = measured.with_name(f"copy-{len(list(measured.parent.iterdir()))}")
    shutil.copytree(measured, copy)
    return copy


def plan_of(runs: Path, replicates: int = 1) -> gc.Plan:
    family = FamilyPlan(name="tiny", path="../runs")
    assert runs.name == "runs"
    return gc.Plan(families=(family,), nulls=NullPlan(kinds=("N0",), replicates=replicates))


@pytest.fixture
def add_cascade() -> Callable[[gc.Study], None]:
    """Adds one more cascade to an open study: another replicate of the last."""

    def add(study: gc.Study) -> None:
        rows = study.cascades(everything=True)
        row = rows.row(0, named=True)
        study.store.add(row | {"replicate": rows["replicate"].max() + 1})  # type: ignore[operator]

    return add


@pytest.fixture
def render() -> Callable[[Path, Path], None]:
    """Writes a page that says how many cascades it shows, and a file in a folder."""

    def write(study: Path, out: Path) -> None:
        with gc.Study.open(study) as opened:
            count = opened.cascades(everything=True).height
        (out / "figures").mkdir(parents=True)
        (out / "index.html").write_text(f"<title>{count} cascades</title>")
        (out / "figures" / "a.svg").write_text("<svg/>")

    return write
