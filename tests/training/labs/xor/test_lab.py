import pytest

from gradcascade.errors import InputError
from gradcascade.training.labs.xor.config import XorConfig
from gradcascade.training.labs.xor.lab import run_lab

CONFIG = XorConfig((20, 30), runs=1, epochs=2, record_every=1, activations=("tanh",), graph_kinds=("ring",))


def test_a_lab_stopped_after_every_training_ends_with_the_same_tables(tmp_path):
    whole = run_lab(CONFIG, tmp_path / "whole")
    assert whole is not None
    for _ in range(6):
        once = iter([False, True])
        fresh = []
        assert run_lab(CONFIG, tmp_path / "stopped", fresh.append, lambda once=once: next(once)) is None
        assert len(fresh) == 1
        stop_late = tmp_path / "stopped" / "runs" / fresh[0].name
        assert (stop_late / "cascades.parquet").exists()
        # Half written, as after a power cut.
        (stop_late / ".writing-x").mkdir()
        CONFIG_FOLDERS = sorted((tmp_path / "stopped" / "runs").glob("*/*"))
        assert CONFIG_FOLDERS
    again = run_lab(CONFIG, tmp_path / "stopped")
    assert again is not None
    for name in ("cascades", "series", "gaussian"):
        assert getattr(again, name).equals(getattr(whole, name))
    assert not list((tmp_path / "stopped").rglob(".writing-*"))


def test_other_settings_in_the_same_folder_are_refused_and_more_runs_are_not(tmp_path):
    run_lab(CONFIG, tmp_path)
    with pytest.raises(InputError, match=r"other settings \(epochs 2\)"):
        run_lab(XorConfig((20, 30), runs=1, epochs=3, record_every=1, graph_kinds=("ring",)), tmp_path)
    more = XorConfig((20, 30), runs=2, epochs=2, record_every=1, activations=("tanh",), graph_kinds=("ring",))
    made = []
    found = run_lab(more, tmp_path, made.append)
    assert found is not None and found.cascades["run"].unique().sort().to_list() == ["0", "1"]


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InputError, match=r"other files and no lab.json"):
        run_lab(CONFIG, tmp_path)
    (tmp_path / "lab.json").write_text("not json")
    with pytest.raises(InputError, match="not a file of this lab"):
        run_lab(CONFIG, tmp_path)
