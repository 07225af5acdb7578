import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import unprivileged

from gradcascade.probe import cache, parallel, threshold
from gradcascade.probe.engines import serial
from gradcascade.probe.threshold import survey

PROGRAM = """
import sys, threading
import numba, numpy as np
import gradcascade as gc

probe = gc.Probe(threads=2)
fields = [np.random.default_rng(seed).standard_normal(60_000).astype(np.float32) for seed in (1, 2)]
alone = [probe(gc.null("N0", field, seed=3)).activity.tolist() for field in fields]
found = [[], []]


def measure(place):
    for _ in range(10):
        found[place].append(probe(gc.null("N0", fields[place], seed=3)).activity.tolist())


threads = [threading.Thread(target=measure, args=(place,)) for place in (0, 1)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(numba.threading_layer(), found == [[alone[0]] * 10, [alone[1]] * 10])
"""


@pytest.mark.parametrize("layer", ["workqueue", "omp"])
def test_threads_of_python_measure_side_by_side(layer):
    """Numba's own layer, the only one on some systems, ends a process in which two threads run kernels at once."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        env={**os.environ, "NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2"},
    )
    assert done.stdout == f"{layer} True\n", done.stderr


FORK = """
import multiprocessing
import numba, numpy as np
import gradcascade as gc

field = np.random.default_rng(0).standard_normal(5000, dtype=np.float32)
probe = gc.Probe(threads=2)
print(probe(field).size, numba.threading_layer(), flush=True)
worker = multiprocessing.get_context("fork").Process(target=lambda: print(probe(field).size, flush=True))
worker.start()
worker.join(100)
print(worker.exitcode, probe(field).size)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("layer", ["workqueue", "omp"])
def test_a_forked_worker_measures_the_same_after_its_parent_did(layer):
    """GNU OpenMP ends a forked process whose parent has used it."""
    done = subprocess.run(
        [sys.executable, "-c", FORK],
        capture_output=True,
        text=True,
        env={**os.environ, "NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2"},
    )
    assert done.stdout == f"693 {layer}\n693\n0 693\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_while_another_thread_runs_a_kernel_does_not_wait_for_it():
    """The lock that the thread holds is held for ever in the fork, which has no such thread."""
    code = """
import os, signal
from gradcascade.probe import parallel

parallel._STATE.running.acquire()
child = os.fork()
if not child:
    signal.alarm(20)
    with parallel._STATE.running:
        os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "7\n", done.stderr


def test_every_kernel_that_is_kept_is_compiled_here():
    """Elsewhere, an installation that cannot be written would end in a traceback."""
    source = Path(parallel.__file__).parents[1]
    kept = [path.name for path in source.rglob("*.py") if "cache=True" in path.read_text(encoding="utf-8")]
    assert kept == ["parallel.py"]


def test_kernels_are_kept_in_a_temporary_folder_where_nothing_else_can_be_written(tmp_path):
    site, home = tmp_path / "site", tmp_path / "home"
    package = Path(parallel.__file__).parents[1]
    shutil.copytree(package, site / "gradcascade", ignore=shutil.ignore_patterns("__pycache__"))
    home.mkdir()
    subprocess.run(["chmod", "-R", "a-w", site, home], check=True)
    (tmp_path / "tmp").mkdir()
    code = "import numpy as np; from gradcascade.probe import rows, cache; print(cache.checksum(np.arange(5)))"
    left_out = ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR")
    own = {"HOME": str(home), "PYTHONPATH": str(site), "TMPDIR": str(tmp_path / "tmp")}
    env = {name: value for name, value in os.environ.items() if name not in left_out} | own
    try:
        done = unprivileged.python(code, env=env)
    finally:
        subprocess.run(["chmod", "-R", "u+w", site, home], check=True)
    assert done.stdout == f"{cache.checksum(np.arange(5))}\n", done.stderr
    assert done.stderr.count("CacheWarning") == 1 and "set NUMBA_CACHE_DIR" in done.stderr
    assert list((tmp_path / "tmp").rglob("cache._checksum*.nbc"))


@pytest.fixture
def interrupts():
    """Raise KeyboardInterrupt after some seconds, as Ctrl-C does."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    # Again after a while, as a user would: one that comes while Numba looks up a type can be lost, if very rarely.
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds, 20)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_an_interrupt_within_a_kernel_is_an_interrupt(interrupts):
    field = np.random.default_rng(1).standard_normal(300_000).astype(np.float32)
    survey(field, 2)
    for wait in np.random.default_rng(2).uniform(0.0001, 0.005, 300):
        with pytest.raises(KeyboardInterrupt):
            interrupts(wait)
            while True:
                survey(field, 2)


@pytest.mark.parametrize("kernel", [threshold._survey, serial._spread])
def test_kernels_let_other_threads_of_python_run(kernel):
    assert kernel.targetoptions["nogil"]
