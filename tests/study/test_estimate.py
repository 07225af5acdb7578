import pytest
from imitation_family import write_family
from sample_runs import write_pico_run

from gradcascade.errors import InputError
from gradcascade.study.estimate import PROBED, estimate
from gradcascade.study.plan import FamilyPlan, NullPlan, Plan


@pytest.fixture
def plan(tmp_path):
    for width in (6, 12):
        write_pico_run(tmp_path / "runs" / f"tiny-d{width}", (0, 10, 20), width, blocks=2)
    return Plan(families=(FamilyPlan(name="tiny", path="../runs"),), nulls=NullPlan(kinds=("N0",), replicates=3))


def test_files_on_disk_are_counted(plan, tmp_path):
    found = estimate(plan, tmp_path / "study")
    assert (found.snapshots, found.cascades) == (2 * (3 + 2), 2 * (3 + 2) * 4)
    gradients = sum(file.stat().st_size for file in (tmp_path / "runs").rglob("*_gradients.pt"))
    checkpoints = [sorted((tmp_path / "runs" / f"tiny-d{width}").rglob("model.safetensors")) for width in (6, 12)]
    pairs = sum(2 * sum(file.stat().st_size for file in files) - 2 * files[0].stat().st_size for files in checkpoints)
    assert found.read == gradients + pairs
    assert (found.files, found.fetched, found.held) == (None, 0, 0)
    assert [group.steps for group in found.groups if "gradient" in group.name] == [(0, 10, 20)] * 2
    assert not (tmp_path / "study").exists()


def test_shards_are_counted_with_their_index(tmp_path):
    write_family(tmp_path / "runs", kind="bin", steps=(0, 100))
    files = list((tmp_path / "runs").rglob("pytorch_model*"))
    assert any("of-00002" in file.name for file in files)
    found = estimate(Plan(families=(FamilyPlan(name="x", path="../runs", fields=("update",)),)), tmp_path / "study")
    assert found.read == sum(file.stat().st_size for file in files)


def test_time_is_that_of_a_probe_run_in_proportion_to_the_entries(plan, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("gradcascade.study.estimate._seconds", lambda plan, n, threads: asked.append(n) or 2.0)
    found = estimate(plan, tmp_path / "study")
    assert found.probed == asked[0] <= PROBED
    files = [file.stat().st_size for file in (tmp_path / "runs").rglob("*_gradients.pt")]
    files += [file.stat().st_size for file in (tmp_path / "runs").rglob("step_[12]0/model.safetensors")]
    assert found.seconds == pytest.approx(2.0 * sum(size // 4 for size in files) / found.probed)


def test_a_probe_run_takes_time(plan, tmp_path):
    assert estimate(plan, tmp_path / "study", threads=1).seconds > 0


def test_a_plan_of_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match="nothing to measure"):
        estimate(Plan(), tmp_path)
