"""`robustness` killed on the way and started again gives the table of an undisturbed run; fits stay as they were."""

import json
import os
import random
import shutil
import signal
import time

from sample_runs import write_pico_run
from typer.testing import CliRunner
from warm import Warm

import gradcascade as gc
from gradcascade.cli.main import app

KILLS = 4


def answer(*words):
    run = CliRunner().invoke(app, words)
    assert run.exit_code == 0, run.output
    return run.stdout


def stored(folder):
    with gc.Study.open(folder) as study:
        order = ["scale", "field", "step", "variant", "replicate", "probe_hash"]
        return study.cascades(everything=True).drop("seconds").sort(order)


def test_kills_lose_nothing_and_the_plan_keeps_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for width in (12, 18, 24, 30):
        write_pico_run(tmp_path / "runs" / f"tiny-d{width}", tuple(range(0, 60, 10)), width, blocks=3)
    (tmp_path / "plan.toml").write_text(
        "[nulls]\nkinds = ['N0', 'N2', 'signs', 'in-tensor', 'in-block', 'clipped']\nreplicates = 2\n"
        "[[families]]\nname = 'tiny'\npath = 'runs'\n"
    )
    answer("measure", "plan.toml", "--out", "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "broken")
    fits = answer("fit", "broken", "--json")
    words = ["robustness", "--steps", "3", "--replicates", "2"]
    whole = json.loads(answer(*words, "whole", "--json"))
    known = 4 * (3 + 3) * (1 + 5 * 2 + 1)
    assert (whole["known"], whole["measured"]) == (known, 4 * (3 + 3) * 33 - known)

    moments, before = random.Random(7), len(stored(tmp_path / "broken"))
    for _ in range(KILLS):
        process = Warm(tmp_path, *words, "broken")
        while len(stored(tmp_path / "broken")) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.1))
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
        assert len(stored(tmp_path / "broken")) >= before
        before = len(stored(tmp_path / "broken"))
    assert before < len(stored(tmp_path / "whole"))
    broken = json.loads(answer(*words, "broken", "--json"))
    assert broken["robustness"] == whole["robustness"]
    assert stored(tmp_path / "broken").equals(stored(tmp_path / "whole"))
    before, after = json.loads(fits), json.loads(answer("fit", "broken", "--json"))
    # What the orders of the tensors do to a channel is known only since.
    assert not any([row.pop("order_sd") for row in before["variances"]])
    assert any([row.pop("order_sd") for row in after["variances"]])
    assert after == before
    differences = {row["difference"] for row in json.loads(fits)["null_differences"]}
    assert differences == {"total", "dist", "assign", "signs", "in-tensor", "in-block", "clipped"}
    assert json.loads(answer(*words, "broken", "--json"))["measured"] == 0
