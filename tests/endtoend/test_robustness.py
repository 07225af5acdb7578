"""`robustness` killed on the way and started again gives the table of an undisturbed run; fits stay as they were."""

import json
import os
import random
import signal
import subprocess
import sys
import time

from sample_runs import write_pico_run

import gradcascade as gc

KILLS = 4


def start(folder, *words, **options):
    return subprocess.Popen([sys.executable, "-m", "gradcascade", *words], cwd=folder, text=True, **options)


def answer(folder, *words):
    process = start(folder, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return out


def stored(folder):
    with gc.Study.open(folder) as study:
        order = ["scale", "field", "step", "variant", "replicate", "probe_hash"]
        return study.cascades(everything=True).drop("seconds").sort(order)


def test_kills_lose_nothing_and_the_plan_keeps_its_own(tmp_path):
    for width in (12, 18, 24, 30):
        write_pico_run(tmp_path / "runs" / f"tiny-d{width}", tuple(range(0, 60, 10)), width, blocks=3)
    (tmp_path / "plan.toml").write_text(
        "[nulls]\nkinds = ['N0', 'N2', 'signs', 'in-tensor', 'in-block', 'clipped']\nreplicates = 2\n"
        "[[families]]\nname = 'tiny'\npath = 'runs'\n"
    )
    for study in ("whole", "broken"):
        answer(tmp_path, "measure", "plan.toml", "--out", study)
    fits = answer(tmp_path, "fit", "broken", "--json")
    words = ["robustness", "--steps", "3", "--replicates", "2"]
    whole = json.loads(answer(tmp_path, *words, "whole", "--json"))
    known = 4 * (3 + 3) * (1 + 5 * 2 + 1)
    assert (whole["known"], whole["measured"]) == (known, 4 * (3 + 3) * 33 - known)

    moments, before = random.Random(7), len(stored(tmp_path / "broken"))
    for _ in range(KILLS):
        process = start(tmp_path, *words, "broken", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(stored(tmp_path / "broken")) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.1))
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
        assert len(stored(tmp_path / "broken")) >= before
        before = len(stored(tmp_path / "broken"))
    assert before < len(stored(tmp_path / "whole"))
    broken = json.loads(answer(tmp_path, *words, "broken", "--json"))
    assert broken["robustness"] == whole["robustness"]
    assert stored(tmp_path / "broken").equals(stored(tmp_path / "whole"))
    assert answer(tmp_path, "fit", "broken", "--json") == fits
    differences = {row["difference"] for row in json.loads(fits)["null_differences"]}
    assert differences == {"total", "dist", "assign", "signs", "in-tensor", "in-block", "clipped"}
    assert json.loads(answer(tmp_path, *words, "broken", "--json"))["measured"] == 0
