"""`measure pico-lm` and `measure pythia` against an imitation of the hub, as it is and as it fails."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import polars as pl
import pytest
from imitation import Imitation, sha256_of
from remote_runs import (
    PICO,
    PYTHIA,
    add_pico_family,
    add_pico_run,
    add_pythia_family,
    add_pythia_model,
    parameters_of,
    perplexity,
    pico_gradient,
    pythia_tensors,
)

import gradcascade as gc
from gradcascade import families
from gradcascade.fields.statistics import content_hash
from gradcascade.study.plan import FamilyPlan, HubPlan, NullPlan, Plan

STEPS = (0, 1000, 2000, 3000)
PYTHIA_STEPS = families.family("pythia").steps or ()
ORDER = ["family", "scale", "step", "variant"]


def table(study):
    with gc.Study.open(study) as opened:
        return opened.cascades().drop("seconds", "activity").sort(ORDER)


def flat(tensors):
    return np.concatenate([values.astype(np.float32).reshape(-1) for values in tensors.values()])


def check_row(row, field):
    expected = gc.Probe()(field)
    assert row["content_hash"] == content_hash(field)
    assert (row["n"], row["size"], row["duration"]) == (expected.n, expected.size, expected.duration)


def test_measure_pico_lm(hub, at_the_hub, command, tmp_path):
    add_pico_family(hub, STEPS, tmp_path / "files")
    code, out, err = command("measure", "pico-lm", "--out", "S", "--json")
    assert (code, json.loads(out)) == (
        0,
        {"measured": 4 * 4 * 4, "known": 0, "left": 0, "refused": [], "quarantined": []},
    ), err
    with gc.Study.open("S") as study:
        rows, metrics, plan = study.cascades(), study.metrics(), study.plan
    assert plan.fit.window is None and plan.families[0].window == (5000, 60000)
    for row in rows.filter(pl.col("variant") == "real").iter_rows(named=True):
        check_row(row, flat(pico_gradient(row["step"], PICO[row["scale"]])))
        repository = hub.repositories[f"pico-lm/pico-decoder-{row['scale']}"]
        change = repository.at(row["revision"])
        assert change is not None
        assert change.title == f"Saving Learning Dynamics Data (train) -- Step {row['step']}"
    assert set(metrics["scale"]) == set(PICO) and len(metrics) == 16
    one = metrics.filter((pl.col("scale") == "small") & (pl.col("step") == 1000))["value"].item()
    assert one == perplexity(1000, PICO["small"])
    before = len(hub.asked("/resolve/"))
    code, out, _ = command("measure", "pico-lm", "--out", "S", "--json")
    assert (code, json.loads(out)["known"], json.loads(out)["measured"]) == (0, 64, 0)
    assert len(hub.asked("/resolve/")) == before  # known by their commits, and not fetched again
    assert at_the_hub == []


def test_measure_pythia(hub, at_the_hub, command, tmp_path):
    add_pythia_family(hub, PYTHIA_STEPS, tmp_path / "files")
    code, out, err = command("measure", "pythia", "--out", "S", "--nulls", "N2", "--json")
    assert (code, json.loads(out)) == (
        0,
        {"measured": 5 * 153 * 2, "known": 0, "left": 0, "refused": [], "quarantined": []},
    ), err
    rows = table("S").filter(pl.col("variant") == "real")
    assert rows["field"].unique().to_list() == ["update"]
    for scale, width in PYTHIA.items():
        found = rows.filter(pl.col("scale") == scale).sort("step")
        assert found["step"].to_list() == list(PYTHIA_STEPS[1:])
        for row in found[::40].iter_rows(named=True):
            earlier = PYTHIA_STEPS[PYTHIA_STEPS.index(row["step"]) - 1]
            before, after = (flat(parameters_of(pythia_tensors(width, step))) for step in (earlier, row["step"]))
            check_row(row, after - before)
            assert row["source"] == f"EleutherAI/pythia-{scale}-seed3: step{row['step']} minus step{earlier}"
    assert len(hub.asked("/files/")) == 5 * 154  # each checkpoint once
    assert [path.name for path in (tmp_path / "S" / "hub" / "pythia").iterdir() if path.is_dir()] == ["small"]
    with gc.Study.open("S") as study:
        assert study.plan.families[0].window == (4000, 73000)
    code, out, _ = command("measure", "pythia", "--out", "S", "--nulls", "N2", "--json")
    assert (code, json.loads(out)["measured"]) == (0, 0)
    assert len(hub.asked("/files/")) == 5 * 154


PLAN = """
[nulls]
kinds = ["N1"]

[[families]]
name = "pythia"
fields = ["update"]
[families.hub]
layout = "pythia"
steps = [0, 1, 2, 1000, 2000, 3000]
[families.hub.repositories]
14m = "{owner}/pythia-14m-seed3"
31m = "{owner}/pythia-31m-seed3"
70m = "{owner}/pythia-70m-seed3"

[[families]]
name = "pico-lm"
fields = ["gradient"]
[families.hub]
layout = "pico-lm"
[families.hub.repositories]
tiny = "pico-lm/pico-decoder-tiny@pico-decoder-tiny-1"
small = "pico-lm/pico-decoder-small@pico-decoder-small-1"
"""


def test_faults_cost_what_cannot_be_had_and_nothing_wrong_is_kept(hub, at_the_hub, command, tmp_path):
    steps = (0, 1, 2, 1000, 2000, 3000)
    add_pythia_family(hub, steps, tmp_path / "files")
    add_pico_family(hub, STEPS, tmp_path / "files")
    (tmp_path / "plan.toml").write_text(PLAN.format(owner="EleutherAI"))
    code, _, err = command("measure", "plan.toml", "--out", "whole")
    assert code == 0, err
    whole = table("whole")

    hub.fail("/refs", "429", 2, Retry_After="3")
    hub.fail("/commits/", "503", 2)
    hub.fail("/tree/", "stall")
    hub.fail("/files/", "429", 1, Retry_After="4")
    hub.fail("/files/", "503", 2)
    hub.fail("/files/", "stall", 1)
    hub.fail("/files/", "cut", 4)
    hub.fail("/files/", "drop", 1)
    hub.fail("/files/", "wrong", 2)
    hub.fail(r"pico-decoder-small.*step_1000\.json", "cut", 1)
    gone = hub.repositories["EleutherAI/pythia-31m-seed3"].branches
    branch = gone["step1000"]
    sha = branch[-1].sha

    def vanish():  # after it was listed
        if any(f"pythia-31m-seed3/tree/{sha}" in path for _, path, _ in hub.requests[count:]):
            gone.pop("step1000", None)

    count = len(hub.requests)
    hub.watchers.append(vanish)
    bad = hub.repositories["EleutherAI/pythia-70m-seed3"].branches["step2"][-1].files["model.safetensors"]
    hub.fail(sha256_of(bad), "wrong", 99)
    code, _, err = command("measure", "plan.toml", "--out", "faulty")
    assert code == 2
    assert "4 snapshots could not be measured:\n  " in err
    for lost in ("31m, step 1000", "31m, step 2000", "70m, step 2", "70m, step 1000"):
        assert f"{lost}, update" in err
    assert 3.0 in at_the_hub and 4.0 in at_the_hub
    lost = (pl.col("scale") == "31m") & pl.col("step").is_in([1000, 2000])
    lost |= (pl.col("scale") == "70m") & pl.col("step").is_in([2, 1000])
    assert table("faulty").equals(whole.filter(~lost))
    with gc.Study.open("faulty") as study:
        assert len(study.refusals()) == 4
        assert len(study.cascades(everything=True)) == len(whole) - 4 * 2
        assert len(study.metrics()) == 8

    hub.faults.clear()
    hub.watchers.clear()
    gone["step1000"] = branch
    code, out, err = command("measure", "plan.toml", "--out", "faulty", "--json")
    assert (code, json.loads(out)["measured"]) == (0, 8), err
    assert table("faulty").equals(whole)


def test_a_restarted_run_is_measured_again_where_it_repeats_itself(hub, at_the_hub, command, tmp_path):
    add_pico_family(hub, STEPS, tmp_path / "files")
    words = ("measure", "pico-lm", "--out", "S", "--nulls", "", "--json")
    assert command(*words)[0] == 0
    branch = "pico-decoder-tiny-1"
    add_pico_run(
        hub.repositories["pico-lm/pico-decoder-tiny"], branch, 6, (3000, 4000), tmp_path / "files", seed=9000
    )
    code, out, err = command(*words)
    assert (code, json.loads(out)) == (
        0,
        {"measured": 2, "known": 15, "left": 0, "refused": [], "quarantined": []},
    ), err
    for row in table("S").filter(pl.col("scale") == "tiny").iter_rows(named=True):
        check_row(row, flat(pico_gradient(row["step"], 6, 9000 if row["step"] >= 3000 else 1000)))


def test_a_hub_that_is_lost_ends_the_run_which_continues_later(hub, at_the_hub, command, tmp_path):
    add_pico_family(hub, STEPS, tmp_path / "files")
    words = ("measure", "pico-lm", "--out", "S", "--nulls", "")

    def fifth_is_the_last():
        if len(hub.asked("/files/")) == 5:
            hub.fail("/", "drop", 9999)

    hub.watchers.append(fifth_is_the_last)
    code, _, err = command(*words)
    assert code == 2 and "run the same command again later" in err and err.count("gradcascade:") == 1
    assert 4 <= len(table("S")) < 16
    hub.watchers.clear()
    hub.faults.clear()
    code, out, _ = command(*words, "--json")
    assert (code, len(table("S"))) == (0, 16)
    assert 0 < json.loads(out)["measured"] <= 12


def test_another_number_of_entries_than_published_is_refused(hub, at_the_hub, monkeypatch, command, tmp_path):
    add_pico_family(hub, STEPS[:2], tmp_path / "files")
    monkeypatch.setattr("gradcascade.families.expected_entries", {"pico-lm/pico-decoder-tiny": 589_824}.get)
    code, _, err = command("measure", "pico-lm", "--out", "S", "--nulls", "")
    assert code == 2 and "384 entries, and that of pico-lm/pico-decoder-tiny has 589,824" in err
    assert set(table("S")["scale"]) == {"small", "medium", "large"}


def test_without_a_network_nothing_is_written_and_nothing_waited_for(at_the_hub, monkeypatch, command, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    code, out, err = command("measure", "pythia", "--out", "S")
    assert (code, out) == (2, "") and "http://127.0.0.1:9 cannot be reached" in err
    assert at_the_hub == [] and not (tmp_path / "S").exists()


def test_a_repository_that_is_missing_is_one_sentence(hub, at_the_hub, command, tmp_path):
    add_pythia_family(hub, (0, 1), tmp_path / "files")
    del hub.repositories["EleutherAI/pythia-70m-seed3"]
    code, out, err = command("measure", "pythia", "--out", "S")
    assert (code, out) == (2, "") and "pythia-70m-seed3" in err and "check its name" in err
    assert not (tmp_path / "S").exists()


@pytest.mark.parametrize("preset", ["pythia-deduped", "pythia-seed7"])
def test_other_members_of_pythia(hub, at_the_hub, command, tmp_path, preset):
    add_pythia_family(hub, (0, 1), tmp_path / "files", preset.removeprefix("pythia"))
    code, out, _ = command("measure", preset, "--out", "S", "--nulls", "", "--json")
    found = json.loads(out)
    assert code == 2 and (found["measured"], len(found["refused"])) == (5, 5 * 152)  # it has two steps only
    assert table("S")["family"].unique().to_list() == [preset]


def test_a_dry_run_fetches_nothing_large(hub, at_the_hub, command, tmp_path):
    add_pythia_family(hub, PYTHIA_STEPS, tmp_path / "files")
    add_pico_family(hub, STEPS, tmp_path / "files")
    code, out, _ = command("measure", "pythia", "pico-lm", "--out", "S", "--dry-run", "--json")
    found = json.loads(out)
    assert (code, hub.asked("/resolve/")) == (0, []) and not (tmp_path / "S").exists()
    assert (found["snapshots"], found["cascades"]) == (5 * 153 + 16, 4 * (5 * 153 + 16))
    sizes = {
        name: len(remote.branches["step0"][-1].files["model.safetensors"])
        for name, remote in hub.repositories.items()
        if "pythia" in name
    }
    assert (found["files_fetched"], found["small_files_fetched"]) == (5 * 154 + 16, 16 + 4)
    gradients = [
        len(remote.branches[f"pico-decoder-{scale}-1"][-1].files["learning_dynamics/train_gradients.pt"])
        for scale, remote in ((scale, hub.repositories[f"pico-lm/pico-decoder-{scale}"]) for scale in PICO)
    ]
    assert found["bytes_fetched"] == 154 * sum(sizes.values()) + 4 * sum(gradients)
    assert found["peak_disk"] == max(2 * max(sizes.values()), max(gradients)) and found["seconds"] > 0
    code, out, _ = command("measure", "pico-lm", "--out", "S", "--dry-run")
    assert "pico-lm / tiny / gradient: 4 steps, 0 to 3000" in out
    assert "16 snapshots, 64 cascades, 16 files of 0.2 MB to fetch, and 20 small ones" in out
    assert "of disk needed at the peak" in out and "from a probe run of" in out
    entries = [sum(values.size for values in parameters_of(pythia_tensors(w, 0)).values()) for w in PYTHIA.values()]
    assert found["peak_memory"] == 8 * max(*entries, *(384 * (width // 6) ** 2 for width in PICO.values()))
    assert found["rate"] == 50 and found["seconds_fetching"] == pytest.approx(found["bytes_fetched"] / 50e6)
    either = (found["seconds"], found["seconds_fetching"])
    assert max(either) < found["seconds_overlapped"] <= sum(either)
    assert "of fetching at 50 MB/s (--rate)" in out and "two fields, as the next one is fetched meanwhile" in out


def test_several_runs_of_a_scale(hub, at_the_hub, command, tmp_path):
    seeds = {"1": 1000, "2": 7000}
    for run, seed in seeds.items():
        add_pico_run(hub.repository("someone/d6"), f"seed{run}", 6, STEPS[:2], tmp_path, seed=seed)
    add_pico_run(hub.repository("someone/d12"), "main", 12, STEPS[:2], tmp_path)
    (tmp_path / "plan.toml").write_text(
        "[nulls]\nkinds = []\n[[families]]\nname = 'mine'\nfields = ['gradient']\norder = 'file'\n[families.hub]\n"
        "layout = 'pico-lm'\n[families.hub.repositories]\nd12 = 'someone/d12'\n"
        "d6 = {1 = 'someone/d6@seed1', 2 = 'someone/d6@seed2'}\n"
    )
    code, out, _ = command("measure", "plan.toml", "--out", "S", "--dry-run")
    assert code == 0 and "mine / d6, run 2 / gradient: 2 steps, 0 to 1000\n" in out and "mine / d12 / grad" in out
    assert command("measure", "plan.toml", "--out", "S")[0] == 0
    with gc.Study.open("S") as study:
        rows, metrics = study.cascades(), study.metrics()
    assert set(rows.select("scale", "run").iter_rows()) == {("d12", "0"), ("d6", "1"), ("d6", "2")}
    for row in rows.filter(pl.col("scale") == "d6").iter_rows(named=True):
        check_row(row, flat(pico_gradient(row["step"], 6, seeds[row["run"]])))
    assert metrics.group_by("scale", "run").len().sort("scale", "run").rows() == [
        ("d12", "0", 2),
        ("d6", "1", 2),
        ("d6", "2", 2),
    ]
    code, out, _ = command("audit", "plan.toml")
    assert code == 0 and "mine: 2 scales, 3 runs, 6 steps" in out


def test_options_beside_a_preset(hub, at_the_hub, command, tmp_path):
    add_pico_family(hub, STEPS[:1], tmp_path / "files")
    code, _, err = command("measure", "pico-lm", "--out", "S", "--fields", "update")
    assert code == 2 and "pico-lm has gradient fields only; leave --fields out" in err
    words = ("measure", "pico-lm", "--out", "S", "--family", "mine", "--nulls", "N0", "--replicates", "2")
    assert command(*words)[0] == 0
    assert table("S")["family"].unique().to_list() == ["mine"] and len(table("S")) == 4 * 3


def test_steps_that_a_plan_asks_for_no_longer_are_not_shown(hub, at_the_hub, command, tmp_path):
    add_pythia_family(hub, (0, 1, 2, 1000, 2000, 3000), tmp_path / "files")
    (tmp_path / "plan.toml").write_text(PLAN.format(owner="EleutherAI").partition('[[families]]\nname = "pico')[0])
    assert command("measure", "plan.toml", "--out", "S")[0] == 0
    own = tmp_path / "S" / "plan.toml"
    own.write_text(own.read_text().replace("steps = [0, 1, 2, 1000, 2000, 3000]", "steps = [0, 1000, 3000]"))
    assert command("measure", "S/plan.toml", "--out", "S")[0] == 0
    sources = table("S").filter(pl.col("scale") == "14m", pl.col("variant") == "real")["source"].to_list()
    assert [source.partition(": ")[2] for source in sources] == ["step1000 minus step0", "step3000 minus step1000"]


def test_two_families_never_have_more_than_two_checkpoints_on_disk(hub, at_the_hub, command, tmp_path):
    add_pythia_family(hub, (0, 1, 2), tmp_path / "files")
    plan = PLAN.format(owner="EleutherAI").partition('[[families]]\nname = "pico')[0].replace("1000, 2000, 3000", "")
    nulls, family, rest = plan.partition("[[families]]")
    (tmp_path / "plan.toml").write_text(nulls + family + rest + family + rest.replace('"pythia"\nf', '"again"\nf'))
    held = []
    hub.watchers.append(lambda: held.append(len(list((tmp_path / "S").rglob("passing/*/*")))))
    code, _, err = command("measure", "plan.toml", "--out", "S")
    assert code == 0, err
    assert set(table("S")["family"]) == {"pythia", "again"}
    assert max(held) == 1  # besides the one that arrives


def test_a_killed_process_is_continued_by_the_next(tmp_path):
    with Imitation() as hub:
        add_pythia_family(hub, (0, 1, 2), tmp_path / "files", "-x")
        plan = PLAN.partition('[[families]]\nname = "pico-lm"')[0]
        plan = plan.format(owner="EleutherAI").replace("-seed3", "-x").replace("1000, 2000, 3000", "")
        (tmp_path / "plan.toml").write_text(plan)
        environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HUB_DOWNLOAD_TIMEOUT": "60"}
        words = [sys.executable, "-W", "error", "-m", "gradcascade", "measure", "plan.toml", "--out", "S", "--json"]

        def fifth_stalls():
            if len(hub.asked("/files/")) == 5:
                hub.fail("/files/", "stall", 1)

        hub.watchers.append(fifth_stalls)
        process = subprocess.Popen(words, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
        while len(hub.asked("/files/")) < 5 and process.poll() is None:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kept = len(table(tmp_path / "S"))
        assert 0 < kept < 3 * 2 * 2
        assert list((tmp_path / "S" / "hub").rglob("passing/*/*")) != []
        hub.watchers.clear()
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["measured"] == 12 - kept
        assert list((tmp_path / "S" / "hub").rglob("passing")) == []


def test_what_is_fetched_ahead_ends_with_the_run(hub, at_the_hub, tmp_path):
    """Ctrl-C while a snapshot is measured: the download of the next one stops, and its part stays to be continued."""
    add_pythia_model(hub.repository("lab/far"), 6, (0, 1, 2), tmp_path / "files")
    remote = HubPlan(layout="pythia", repositories={"far": "lab/far"})
    plan = Plan(families=(FamilyPlan(name="far", hub=remote, fields=("update",)),), nulls=NullPlan(kinds=()))

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    hub.fail("/files/", "none", times=2)
    hub.fail("/files/", "pause", times=99)  # the third checkpoint never comes
    with gc.Study.create("S", plan) as study:
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            gc.run(study, progress=interrupted)
        assert time.monotonic() - begun < 10
        assert len(study.cascades()) == 1
        assert not [thread for thread in threading.enumerate() if "(_load)" in thread.name]
    hub.faults.clear()
    with gc.Study.open("S") as study:
        assert gc.run(study).measured == 1
