"""A whole experiment: its table, whatever the workers and interruptions, and the files beside it."""

import json
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch

import gradcascade as gc
from gradcascade.errors import InputError
from gradcascade.training.experiment import engine
from gradcascade.training.experiment.engine import run_experiment
from gradcascade.training.experiment.estimate import estimate
from gradcascade.training.experiment.plan import ExperimentPlan, TuningPlan
from gradcascade.training.experiment.tuning import best


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> ExperimentPlan:
    path = tmp_path_factory.mktemp("text") / "own.txt"
    path.write_bytes(b"".join(b"line %d of a text\n" % i for i in range(500)))
    return ExperimentPlan(
        optimizers=("adamw", "sgd"), spans=(1, 3), batches=2, widths=(24, 48), seeds=(0,), steps=4, warmup=1,
        measured=(3, 4), batch=2, context=8, evaluation=2, text=(str(path),), learning_rates={"sgd": 0.1},
        tuning=TuningPlan(rates=2, further=1),
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(plan, tmp_path_factory):
    out = tmp_path_factory.mktemp("experiment") / "out"
    seen = []
    outcome = run_experiment(plan, out, workers=1, progress=seen.append)
    assert outcome.finished
    assert outcome.notes[0] == "sgd has no direction and no momentum: left out"
    found = json.loads((out / "tuning.json").read_text())["families"]["adamw-constant"]
    assert found["at_end"] == any("lowest or highest that was tried" in note for note in outcome.notes)
    assert {found.phase for found in seen} == {"tuning", "checking rates", "runs"}
    return out


def table(out):
    with gc.Study.open(out / "study") as study:
        return study.cascades().drop("seconds"), study.metrics()


def test_the_table_has_every_field_of_every_run_with_its_nulls(plan, finished):
    cascades, metrics = table(finished)
    counts = cascades.group_by("family", "field", "span").len().sort("family", "field", "span").rows()
    each = 2 * 2 * 5  # scales, measured steps, the field and its nulls
    sgd = [("gradient", None), ("mean-gradient", None), ("update", 1), ("update", 3)]
    adamw = sorted([*sgd, ("momentum", None), ("direction", None)], key=lambda own: (own[0], own[1] or 0))
    assert counts == [
        *(("adamw-constant", *own, each) for own in adamw), *(("sgd-constant", *own, each) for own in sgd)
    ]  # fmt: skip
    assert cascades.select("scale", "n").unique().sort("n").rows() == [("d24", 64 * 24**2), ("d48", 64 * 48**2)]
    of_noise = cascades.filter(variant="N0").group_by("n", "step", "replicate").agg(pl.col("size").n_unique())
    assert of_noise["size"].unique().to_list() == [1]
    assert metrics.filter(metric="loss").height == 2 * 2 * 2
    losses, perplexities = (metrics.filter(metric=name)["value"] for name in ("loss", "perplexity"))
    np.testing.assert_allclose(np.exp(losses), perplexities, rtol=1e-12)


def test_what_was_tuned_and_what_came_of_it_stands_beside_the_table(plan, finished):
    found = json.loads((finished / "tuning.json").read_text())["families"]
    tried = {row["rate"]: row["loss"] for row in found["adamw-constant"]["tried"]}
    assert len(tried) in (2, 3)
    assert found["adamw-constant"]["chosen"] == best(tried).rate
    assert found["adamw-constant"]["rates"]["d48"] == found["adamw-constant"]["chosen"] / 2
    assert (found["sgd-constant"]["tried"], found["sgd-constant"]["given"]) == ([], True)
    assert [row["rate"] for row in found["sgd-constant"]["largest"]["tried"]] == [0.05, 0.1, 0.2]
    told = json.loads((finished / "experiment.json").read_text())
    assert told["left_out"] == {"sgd": ["direction", "momentum"]}
    last = table(finished)[1].filter(metric="loss", step=4)
    assert {(run["family"], run["scale"], run["run"]): run["loss"] for run in told["runs"]} == {
        tuple(row[:3]): row[3] for row in last.select("family", "scale", "run", "value").rows()
    }
    assert not list(finished.rglob("resume.pt"))


class InThisProcess:
    """Workers that start no process: starting one takes seconds."""

    def __init__(self, make, most):
        self.trainer = make()

    def run(self, specs, keep, done, progress, stop):
        waiting = list(specs)
        for spec in waiting:
            link = SimpleNamespace(keep=keep, stopped=lambda spec, step, loss: False)
            waiting += done(spec, self.trainer.run(spec, link))
        return True

    def close(self):
        pass


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_stopped_and_continued_elsewhere_it_is_the_same(plan, finished, tmp_path, monkeypatch):
    seen = []
    stopped = run_experiment(plan, tmp_path, 1, seen.append, lambda: any(one.phase == "runs" for one in seen))
    assert not stopped.finished
    assert not (tmp_path / "experiment.json").exists()
    monkeypatch.setattr(engine, "Workers", InThisProcess)
    assert run_experiment(plan, tmp_path).finished
    for ours, theirs in zip(table(tmp_path), table(finished), strict=True):
        assert ours.equals(theirs)
    monkeypatch.setattr(engine.Trainer, "run", None)  # nothing is left to do, so nothing is run
    assert run_experiment(plan, tmp_path).finished
    for ours, theirs in zip(table(tmp_path), table(finished), strict=True):
        assert ours.equals(theirs)


def test_another_text_in_the_same_folder_is_refused(plan, finished, tmp_path):
    (tmp_path / "short.txt").write_bytes(b"too short")
    other = plan.model_copy(update={"text": (str(tmp_path / "short.txt"),)})
    with pytest.raises(InputError, match="short"):
        run_experiment(other, finished)


def test_an_estimate_counts_what_the_table_has(plan, finished):
    found = estimate(plan, 2)
    assert found.cascades == table(finished)[0].height
    assert (found.runs, found.trials, found.steps) == (4, 8, 48)
    assert 0 < found.seconds <= found.cpu_seconds
    assert found.disk > 0
    assert found.memory > 5e8
