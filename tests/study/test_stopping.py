"""Asked to stop, a run ends after the cascades under way, keeps them all, and goes on when it is run again."""

import os
import signal
import sys

import pytest
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.cli.main import main
from gradcascade.study.plan import FamilyPlan, NullPlan, Plan
from gradcascade.study.runner import Progress
from gradcascade.study.stopping import SIGNALS, asked_to_stop

PLAN = Plan(families=(FamilyPlan(name="tiny", path="../runs"),), nulls=NullPlan(kinds=("N2", "in-tensor")))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for width in (6, 12):
        write_pico_run(folder / "runs" / f"tiny-d{width}", (0, 10, 20), width, blocks=1)
    return folder


def run(folder, name, **options):
    with gc.Study.create(folder / name, PLAN) as study:
        return gc.run(study, **options), study.cascades().drop("seconds")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_is_stopped_keeps_what_was_under_way_and_goes_on(runs, workers):
    seen: list[Progress] = []
    at = 4
    outcome, table = run(
        runs, f"stopped-{workers}", workers=workers, progress=seen.append, stop=lambda: len(seen) >= at
    )
    assert outcome.measured + outcome.left == 2 * 5 * 3 and outcome.measured == table.height == len(seen)
    assert at <= outcome.measured < at + 3 * workers  # the one that was asked at, and those under way beside it
    if workers == 1:
        assert outcome.measured == at
    again, whole = run(runs, f"stopped-{workers}", workers=workers)
    assert (again.measured, again.known, again.left) == (outcome.left, outcome.measured, 0)
    assert whole.equals(run(runs, f"undisturbed-{workers}")[1])


def test_a_run_that_is_asked_before_it_begins_measures_nothing(runs):
    outcome, table = run(runs, "never", stop=lambda: True)
    assert (outcome.measured, outcome.left, table.height) == (0, 30, 0)


def test_signals_are_noted_while_the_block_runs_and_handled_as_before_after_it():
    before = [signal.getsignal(number) for number in SIGNALS]
    with asked_to_stop() as stop:
        assert not stop()
        for number in (signal.SIGTERM, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert stop() and stop.signal == signal.SIGTERM
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGUSR1 on Windows")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (getattr(signal, "SIGUSR1", 0), 138)])
def test_the_command_says_how_to_go_on(runs, monkeypatch, capsys, number, code):
    from gradcascade.study.store import Store

    add = Store.add

    def add_and_ask(self, row):
        add(self, row)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(Store, "add", add_and_ask)
    monkeypatch.chdir(runs)
    monkeypatch.setattr(sys, "argv", ["gradcascade", "measure", "runs", "--out", f"command-{code}"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    said = capsys.readouterr().err
    assert f"stopped by {signal.Signals(number).name} with 39 cascades still to be measured" in said
    with gc.Study.open(f"command-{code}") as study:
        assert study.cascades().height == 1
