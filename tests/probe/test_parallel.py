import os
import signal
import subprocess
import sys

import numpy as np
import pytest

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


@pytest.fixture
def interrupts():
    """Raise KeyboardInterrupt after some seconds, as Ctrl-C does."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
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
