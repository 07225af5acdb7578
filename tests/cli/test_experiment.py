"""What the command asks of an experiment, and what it says and exits with."""

from __future__ import annotations

import json
import signal
from types import SimpleNamespace
from typing import Any

import pytest
import typer

import gradcascade.cli.experiment as module
from gradcascade.errors import InputError
from gradcascade.training.experiment import engine
from gradcascade.training.experiment.plan import ExperimentPlan


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Stands for an experiment that finishes at once, or is stopped by SIGTERM if a plan has seed 9."""
    found: list[tuple[Any, ...]] = []

    def run(plan, out, workers, progress, stop):
        found.append((plan, out, workers))
        progress(engine.Overall("runs", 3, 9, 0, None, 120.0))
        if 9 in plan.seeds:
            signal.raise_signal(signal.SIGTERM)
        return engine.Outcome(not stop(), ("a note",))

    report = SimpleNamespace(headline=["a headline"], page="report/index.html", to_dict=lambda: {"found": 1})
    monkeypatch.setattr(engine, "run_experiment", run)
    monkeypatch.setattr("gradcascade.report.experiment.write_experiment", lambda out: report)
    monkeypatch.setattr(module, "_warm_up", lambda plan: None)
    return found


def test_the_plan_is_the_default_the_quick_one_or_a_files(asked, tmp_path, capsys):
    module.experiment(out=tmp_path / "a")
    module.experiment(out=tmp_path / "a", quick=True, workers=3)
    (tmp_path / "own.toml").write_text("seeds = [5]")
    module.experiment(tmp_path / "own.toml", out=tmp_path / "a")
    assert [plan for plan, *_ in asked] == [ExperimentPlan(), ExperimentPlan.quick(), ExperimentPlan(seeds=(5,))]
    assert [workers for *_, workers in asked] == [None, 3, None]
    said = capsys.readouterr()
    assert said.out.splitlines()[:2] == ["a note", "a headline"]
    assert "report: report/index.html" in said.out
    assert "runs: 3/9 2 min left" in said.err


def test_json_is_one_object(asked, tmp_path, capsys):
    module.experiment(out=tmp_path, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["report"], told["notes"], told["study"]) == ({"found": 1}, ["a note"], str(tmp_path / "study"))


def test_a_signal_ends_it_with_the_signals_exit_code(asked, tmp_path, capsys):
    (tmp_path / "own.toml").write_text("seeds = [9]")
    with pytest.raises(typer.Exit) as ended:
        module.experiment(tmp_path / "own.toml", out=tmp_path)
    assert ended.value.exit_code == 128 + signal.SIGTERM
    assert "stopped by SIGTERM; the same command continues" in capsys.readouterr().err


def test_quick_and_a_plan_exclude_each_other(tmp_path):
    with pytest.raises(InputError, match="leave out PLAN or --quick"):
        module.experiment(tmp_path / "own.toml", out=tmp_path, quick=True)


def test_a_dry_run_says_what_it_takes_and_runs_nothing(asked, tmp_path, capsys, monkeypatch):
    from gradcascade.training.experiment import estimate

    found = estimate.Estimate(48, 10, 6960, 3840, 19200, 2, 1350.0, 675.0, 150_000_000, 1_400_000_000)
    monkeypatch.setattr(estimate, "estimate", lambda plan, workers: found)
    module.experiment(out=tmp_path / "a", dry_run=True)
    said = capsys.readouterr().out
    assert "48 runs, 6,960 optimizer steps" in said
    assert "a difference of z of 0.046 between two fields is shown in four of five" in said
    module.experiment(out=tmp_path / "a", dry_run=True, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["cascades"] == 19200 and told["smallest_difference"] == pytest.approx(0.0462, abs=1e-4)
    (tmp_path / "two.toml").write_text("widths = [24, 48]\n")
    module.experiment(tmp_path / "two.toml", out=tmp_path / "a", dry_run=True, as_json=True)
    assert json.loads(capsys.readouterr().out)["smallest_difference"] is None
    assert not asked
    assert not (tmp_path / "a").exists()
