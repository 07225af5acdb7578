"""`measure` killed at random moments, twenty times, gives the table of an uninterrupted run."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

from sample_runs import write_pico_run

import gradcascade as gc

KILLS = 20


def start(folder, study):
    words = ["measure", "runs", "--out", study, "--replicates", "4"]
    return subprocess.Popen([sys.executable, "-m", "gradcascade", *words], cwd=folder, stderr=subprocess.DEVNULL)


def count(path):
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT count(*) FROM cascades").fetchone()[0]
    except sqlite3.Error:  # not there yet, or the schema is just being made
        return 0


def table(folder):
    with gc.Study.open(folder) as study:
        order = ["scale", "field", "step", "variant", "replicate"]
        return study.cascades(everything=True).drop("seconds").sort(order)


def test_twenty_kills_lose_and_double_nothing(tmp_path):
    for width in (12, 24, 36):
        write_pico_run(tmp_path / "runs" / f"tiny-d{width}", tuple(range(0, 100, 10)), width)
    whole = start(tmp_path, "whole")
    assert whole.wait(120) == 0
    total = 3 * 19 * 13
    assert count(tmp_path / "whole" / "cascades.sqlite") == total
    moments = random.Random(42)
    kills, seen = 0, []
    while kills < KILLS:
        before = count(tmp_path / "broken" / "cascades.sqlite")
        process = start(tmp_path, "broken")
        if moments.random() < 0.7:  # most of the time while cascades are being written
            while count(tmp_path / "broken" / "cascades.sqlite") == before and process.poll() is None:
                time.sleep(0.001)
            time.sleep(moments.uniform(0, 0.02))
        else:  # else at any moment, start-up included
            time.sleep(moments.uniform(0, 2))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait(120)
        seen.append(count(tmp_path / "broken" / "cascades.sqlite"))
        if seen[-1] == total:
            break
    assert seen == sorted(seen)
    assert kills == KILLS
    assert start(tmp_path, "broken").wait(120) == 0
    assert count(tmp_path / "broken" / "cascades.sqlite") == total
    assert table(tmp_path / "broken").equals(table(tmp_path / "whole"))
