"""`measure` killed at random moments, twenty times, gives the table of an uninterrupted run."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from sample_runs import write_pico_run
from warm import Warm

import gradcascade as gc

KILLS = 20


def start(folder, study, *options, warm=False):
    words = ["measure", "runs", "--out", study, "--replicates", "4", *options]
    if warm:
        return Warm(folder, *words)
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
        writing = moments.random() < 0.7
        process = start(tmp_path, "broken", warm=writing)
        if writing:  # most of the time while cascades are being written
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


def workers_of(folder):
    """Processes that were started to measure in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (
                b"multiprocessing.spawn" in (process / "cmdline").read_bytes()
                and (process / "cwd").resolve() == folder
            ):
                found.append(process.name)
        except OSError:  # it ended meanwhile
            continue
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_kills_among_two_workers_lose_and_double_nothing_and_leave_no_worker(tmp_path):
    for width in (12, 24):
        write_pico_run(tmp_path / "runs" / f"tiny-d{width}", tuple(range(0, 60, 10)), width)
    assert start(tmp_path, "whole").wait(120) == 0
    seen = []
    for after in (1, 30, 90):
        process = start(tmp_path, "broken", "--workers", "2")
        while count(tmp_path / "broken" / "cascades.sqlite") < after and process.poll() is None:
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(120)
        seen.append(count(tmp_path / "broken" / "cascades.sqlite"))
    assert seen == sorted(seen) and seen[0] < len(table(tmp_path / "whole"))
    waited = time.monotonic() + 60
    while workers_of(tmp_path) and time.monotonic() < waited:
        time.sleep(0.1)
    assert workers_of(tmp_path) == []
    assert start(tmp_path, "broken", "--workers", "2").wait(120) == 0
    assert table(tmp_path / "broken").equals(table(tmp_path / "whole"))


def two_workers(folder):
    """A measurement by two workers in a group of processes of its own, once five cascades are stored."""
    write_pico_run(folder / "runs" / "tiny-d12", tuple(range(0, 60, 10)), 12)
    words = ["measure", "runs", "--out", "study", "--replicates", "4", "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gradcascade", *words],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while count(folder / "study" / "cascades.sqlite") < 5 and process.poll() is None:
        time.sleep(0.001)
    return process


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_ctrl_c_ends_two_workers_and_the_study_goes_on(tmp_path):
    process = two_workers(tmp_path)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    _, said = process.communicate(timeout=120)
    assert process.returncode != 0 and "Traceback" not in said
    assert workers_of(tmp_path) == []
    assert start(tmp_path, "study", "--workers", "2").wait(120) == 0


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_sigterm_to_all_processes_of_a_job_ends_two_workers_after_their_cascades(tmp_path):
    process = two_workers(tmp_path)
    os.killpg(process.pid, signal.SIGTERM)  # as Slurm does: to all of them
    _, said = process.communicate(timeout=120)
    stored = count(tmp_path / "study" / "cascades.sqlite")
    assert process.returncode == 143
    assert f"stopped by SIGTERM with {11 * 13 - stored} cascades still to be measured" in said
    assert workers_of(tmp_path) == []
    assert start(tmp_path, "study", "--workers", "2").wait(120) == 0
    assert count(tmp_path / "study" / "cascades.sqlite") == 11 * 13
