"""The executor of a Dask cluster: the table of one process, whatever dies; on the loopback address only."""

import sys

import pytest
from fragile import FragileSource
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.study.executors import dask as executor
from gradcascade.study.plan import FamilyPlan, NullPlan, Plan
from gradcascade.study.runner import open_source

dask = pytest.importorskip("dask", reason="the package dask is not installed")
distributed = pytest.importorskip("distributed", reason="the package distributed is not installed")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
PLAN = Plan(families=(FamilyPlan(name="tiny", path="../runs"),), nulls=NullPlan(kinds=("N2", "in-tensor")))
STEPS = (0, 10, 20)


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for width in (6, 12):
        write_pico_run(folder / "runs" / f"tiny-d{width}", STEPS, width, blocks=1)
    broken = folder / "runs" / "tiny-d6" / "checkpoints" / "step_10" / "learning_dynamics" / "train_gradients.pt"
    broken.write_bytes(b"no gradients")
    return folder, *measured(folder, "serial")


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=None,
        silence_logs=50,
    ) as started:
        yield started


def measured(folder, name, **options):
    with gc.Study.create(folder / name, PLAN) as study:
        outcome = gc.run(study, **options)
        return outcome, study.cascades().drop("seconds"), study.refusals()


def test_the_workers_of_a_cluster_give_the_table_of_one_process(serial, cluster):
    folder, outcome, table, refusals = serial
    found, others, refused = measured(folder, "dask", scheduler=cluster.scheduler_address)
    assert found == outcome and len(outcome.refused) == 1
    assert others.equals(table) and refused.equals(refusals)
    again, _, _ = measured(folder, "dask", scheduler=cluster.scheduler_address)
    assert (again.measured, again.known) == (0, outcome.measured)


def test_the_snapshot_of_a_worker_that_was_killed_is_measured_by_another(serial, cluster, tmp_path):
    folder, outcome, table, _ = serial
    marker = tmp_path / "once"
    marker.touch()
    source = FragileSource(open_source(folder / "killed", PLAN.families[0]), 3, marker)
    found, others, _ = measured(folder, "killed", scheduler=cluster.scheduler_address, opened={"tiny": source})
    assert not marker.exists()
    assert found.measured == outcome.measured and others.equals(table)


def test_a_run_that_is_stopped_keeps_the_snapshots_under_way(serial, cluster):
    folder, _, table, _ = serial
    seen = []
    options = {"progress": seen.append, "stop": lambda: len(seen) >= 1}
    found, _, _ = measured(folder, "stopped", scheduler=cluster.scheduler_address, **options)
    assert 0 < found.measured <= 3 * 3 and found.left > 0
    _, others, _ = measured(folder, "stopped", scheduler=cluster.scheduler_address)
    assert others.equals(table)


def test_a_snapshot_that_ends_every_worker_is_named_and_a_cluster_of_its_own_is_closed(serial):
    folder = serial[0]
    source = FragileSource(open_source(folder / "ended", PLAN.families[0]), 8)
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        pytest.raises(gc.InputError, match=r"every worker that measured .*step \d+, \w+ died, .*command continues"),
    ):
        measured(folder, "ended", scheduler="local", workers=2, opened={"tiny": source})
    with gc.Study.open(folder / "ended") as study:
        assert study.cascades().height > 0


def test_a_cluster_without_workers_is_refused_after_a_while_and_one_that_is_gone_is_said(serial, monkeypatch):
    folder = serial[0]
    monkeypatch.setattr(executor, "PATIENCE", 0.1)
    with (
        distributed.LocalCluster(
            n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=50
        ) as empty,
        pytest.raises(gc.InputError, match=r"has had no worker for .* start workers"),
    ):
        measured(folder, "empty", scheduler=empty.scheduler_address)


def test_a_worker_of_another_version_is_refused(serial, cluster, monkeypatch):
    folder = serial[0]
    monkeypatch.setattr(executor, "__version__", "0.0.1")
    with pytest.raises(gc.InputError, match=r"has gradcascade .* and this process 0\.0\.1; install the same"):
        measured(folder, "other", scheduler=cluster.scheduler_address)


def test_an_address_is_for_executors_that_have_a_scheduler(serial):
    with pytest.raises(gc.InputError, match="'serial' has no scheduler"):
        measured(serial[0], "serial", executor="serial", scheduler="local")


def test_rows_that_are_lost_on_their_way_are_measured_again(serial, cluster, monkeypatch):
    folder, outcome, table, _ = serial
    result, lost = executor._Cluster._result, []

    def lose_some(self, future, task):
        found = result(self, future, task)
        if len(lost) < 2:
            lost.append(task.snapshot.place)
            raise ConnectionResetError("the worker died")
        return found

    monkeypatch.setattr(executor._Cluster, "_result", lose_some)
    found, others, _ = measured(folder, "lost", scheduler=cluster.scheduler_address)
    assert len(lost) == 2 and found == outcome and others.equals(table)


def test_rows_that_never_arrive_are_measured_again(serial, cluster, monkeypatch):
    """As seen once in a campaign of faults: a result that is done, and that Dask waits for without an end."""
    folder, outcome, table, _ = serial
    result, waited = distributed.Future.result, []

    def stuck(self, timeout=None):
        assert timeout is not None, "this would wait for ever"
        if len(waited) < 2:
            waited.append(self.key)
            raise TimeoutError
        return result(self, timeout)

    monkeypatch.setattr(distributed.Future, "result", stuck)
    found, others, _ = measured(folder, "stuck", scheduler=cluster.scheduler_address)
    assert len(waited) == 2 and found == outcome and others.equals(table)


def test_without_the_package_it_is_named(serial, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(gc.InputError, match=r"distributed.*; pip install 'gradcascade\[cluster\]'"):
        measured(serial[0], "without", scheduler="local")


@pytest.mark.parametrize("error", [OSError("refused"), ValueError("unknown scheme")])
def test_an_address_without_a_scheduler_is_refused(serial, monkeypatch, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(gc.InputError, match=rf"no Dask scheduler answers at 'tcp://127.0.0.1:1' \({error}\)"):
        measured(serial[0], "nowhere", scheduler="tcp://127.0.0.1:1")


def test_what_dask_raises_where_nobody_listens_is_one_of_these():
    """Last: after a client that failed, Dask's loop may not be there for the next one."""
    with pytest.raises((OSError, ValueError)):
        distributed.Client("tcp://127.0.0.1:1", timeout=0.5)
