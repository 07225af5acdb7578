"""Executors: several workers give the table of one, survive a worker's end, and one file is all a new one takes."""

import multiprocessing
import shutil
import sys
import threading
from dataclasses import replace
from itertools import pairwise

import pytest
from fragile import FragileSource
from sample_runs import write_pico_run
from toys import add_module

import gradcascade as gc
from gradcascade.study import snapshot
from gradcascade.study.executors import EXECUTORS
from gradcascade.study.plan import FamilyPlan, HubPlan, NullPlan, Plan
from gradcascade.study.runner import open_source

PLAN = Plan(families=(FamilyPlan(name="tiny", path="../runs"),), nulls=NullPlan(kinds=("N2", "in-tensor")))
STEPS = (0, 10, 20)
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for width in (6, 12):
        write_pico_run(folder / "runs" / f"tiny-d{width}", STEPS, width, blocks=1)
    broken = folder / "runs" / "tiny-d6" / "checkpoints" / "step_10" / "learning_dynamics" / "train_gradients.pt"
    broken.write_bytes(b"no gradients")
    with gc.Study.create(folder / "serial", PLAN) as study:
        outcome = gc.run(study)
        return folder, outcome, study.cascades(), study.refusals()


def run(folder, name, **options):
    with gc.Study.create(folder / name, PLAN) as study:
        seen = []
        outcome = gc.run(study, progress=lambda at: seen.append((at.done, at.total)), **options)
        assert seen == sorted(seen) and seen[-1][0] <= seen[-1][1]
        return outcome, study.cascades(), study.refusals()


def test_two_workers_give_the_table_of_one(runs):
    folder, outcome, table, refusals = runs
    found, others, refused = run(folder, "two", workers=2)
    assert found == outcome and outcome.measured == 3 * 9 and len(outcome.refused) == 1
    assert others.drop("seconds").equals(table.drop("seconds"))
    assert refused.equals(refusals)
    again, _, _ = run(folder, "two", workers=2)
    assert (again.measured, again.known) == (0, outcome.measured)
    assert multiprocessing.active_children() == []


def test_the_snapshot_of_a_worker_that_was_killed_is_measured_by_another(runs, tmp_path):
    folder, outcome, table, _ = runs
    marker = tmp_path / "once"
    marker.touch()
    source = FragileSource(open_source(folder / "killed", PLAN.families[0]), 3, marker)
    found, others, _ = run(folder, "killed", workers=2, opened={"tiny": source})
    assert not marker.exists()
    assert found.measured == outcome.measured
    assert others.drop("seconds").equals(table.drop("seconds"))


def test_a_snapshot_that_ends_every_worker_is_named_and_the_rest_is_kept(runs):
    folder, outcome, table, _ = runs
    # Late, so that a worker that starts before the others has measured something.
    source = FragileSource(open_source(folder / "ended", PLAN.families[0]), 8)
    with pytest.raises(gc.InputError, match=r"step \d+, \w+ was killed .*what was measured is kept"):
        run(folder, "ended", workers=4, opened={"tiny": source})
    with gc.Study.open(folder / "ended") as study:
        assert 0 < len(study.cascades()) < outcome.measured
    found, others, _ = run(folder, "ended", workers=2)
    assert found.measured + found.known == outcome.measured
    assert others.drop("seconds").equals(table.drop("seconds"))


def test_families_on_the_hub_are_not_measured_by_several_workers(tmp_path):
    hub = HubPlan(layout="pythia", repositories={"70m": "a/b"})
    plan = Plan(families=(FamilyPlan(name="far", hub=hub, fields=("update",)),))
    with (
        gc.Study.create(tmp_path / "study", plan) as study,
        pytest.raises(gc.InputError, match="'far' is on the hub"),
    ):
        gc.run(study, workers=2)


@pytest.mark.parametrize(
    ("options", "words"), [({"workers": 0}, "at least 1"), ({"executor": "proceses"}, "did you mean 'processes'")]
)
def test_what_there_is_not_is_refused(runs, options, words):
    folder = runs[0]
    with gc.Study.create(folder / "refused", PLAN) as study, pytest.raises(gc.InputError, match=words):
        gc.run(study, **options)


def test_one_file_is_all_an_executor_takes(runs, tmp_path, monkeypatch):
    folder, outcome, table, _ = runs
    source = """
        from gradcascade.study.executors.base import Executor, Finished
        from gradcascade.study.snapshot import measure

        def backwards(tasks, workers):
            for number, task in reversed(list(tasks)):
                for event in measure(task):
                    yield number, event
                yield number, Finished()

        EXECUTOR = Executor("backwards", 9, "from the last snapshot to the first", backwards)
    """
    add_module(monkeypatch, tmp_path, "gradcascade.study.executors", "backwards", source)
    assert EXECUTORS.names == ("serial", "ahead", "processes", "dask", "backwards")
    found, others, _ = run(folder, "backwards", executor="backwards")
    assert found == outcome
    assert others.drop("seconds").equals(table.drop("seconds"))
    shutil.rmtree(folder / "backwards")


@pytest.mark.parametrize("broken", [False, True])
def test_the_next_snapshot_is_loaded_while_one_is_measured(runs, monkeypatch, broken):
    """Loading waits until the measurement of the one before has begun, and this until that loading has."""
    folder, outcome, table, refusals = runs
    source = open_source(folder / "ahead", PLAN.families[0])
    order, loading = [], []
    lock = threading.Lock()

    class Watched:
        """A source whose snapshots note when they are loaded."""

        def __init__(self):
            self.__dict__ |= {"family": source.family, "metrics": source.metrics, "folders": source.folders}
            self.__dict__ |= {"complaints": source.complaints, "close": source.close}

        def snapshots(self):
            return [replace(at, reader=Loaded(at)) for at in source.snapshots()]

    class Loaded:
        def __init__(self, at):
            self.at, self.parts, self.describe = at, (), at.describe

        def __call__(self):
            with lock:
                loading.append(self.at.place)
                assert len(loading) == 1, "one at a time"
            order.append(("load", self.at.place, threading.current_thread() is threading.main_thread()))
            if broken and len(order) > 5:
                raise ValueError("broken on purpose")
            try:
                return self.at.load()
            finally:
                loading.clear()

    row_of = snapshot.row_of

    def watched(at, *rest):
        order.append(("row", at.place, True))
        return row_of(at, *rest)

    monkeypatch.setattr(snapshot, "row_of", watched)
    name = f"ahead{broken}"
    if broken:
        with pytest.raises(ValueError, match="broken on purpose"):
            run(folder, name, executor="ahead", opened={"tiny": Watched()})
        return
    found, others, refused = run(folder, name, executor="ahead", opened={"tiny": Watched()})
    assert found == outcome and refused.equals(refusals)
    assert others.drop("seconds").equals(table.drop("seconds"))
    loads = [place for what, place, main in order if what == "load"]
    assert len(loads) == len(set(loads)) == 10 and not any(main for what, _, main in order if what == "load")
    for before, place in pairwise(loads):  # begun at the latest with the first row of the one before
        rows = [at for at, one in enumerate(order) if one[:2] == ("row", before)]
        assert not rows or order.index(("load", place, False)) <= rows[0] + 1
    again, _, _ = run(folder, name, executor="ahead", opened={"tiny": Watched()})
    assert (
        again.known == outcome.measured and len([one for one in order if one[0] == "load"]) == 11
    )  # the refused one
