"""``gradcascade metrics`` on files that trainers, trackers and the evaluation harness write."""

import json
from functools import partial

import numpy as np
import pytest
from harness_results import harness_results, renamed, write, written_today
from safetensors.numpy import save_file
from warm import command as strict_command

command = partial(strict_command, strict=False)  # warnings are part of what is said
SIZES = {"d24": 3000, "d48": 6000, "d96": 12000}
STEPS = (0, 10, 20)


def values(folder, study, metric):
    done = command("metrics", study, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    rows = [row for row in json.loads(done.stdout)["metrics"] if row["metric"] == metric]
    return {(row["scale"], row["run"], row["step"]): row["value"] for row in rows}


def measured(folder, family, names):
    for name, size in names.items():
        weights = np.zeros(size, np.float32)
        for step in STEPS:
            place = folder / "checkpoints" / name / f"step{step}"
            place.mkdir(parents=True)
            weights = weights + np.random.default_rng([size, step]).standard_normal(size).astype(np.float32) ** 3
            save_file({"w": weights}, place / "model.safetensors")
    done = command("measure", "checkpoints", "--family", family, "--out", "study", "--nulls", "", cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def nano(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nano")
    measured(folder, "nano", SIZES)
    return folder


def test_the_deduped_family_takes_the_accuracy_of_the_deduped_models(tmp_path):
    measured(tmp_path, "pythia-deduped", {"70m": 3000, "160m": 6000, "410m": 12000})
    for scale in ("70m", "160m", "410m"):
        for step in STEPS:
            for ending, accuracy in (("", 0.25), ("-deduped", 0.75)):
                tasks = {name: {"acc": accuracy} for name in harness_results()}
                write(
                    tmp_path / "evals" / f"pythia-{scale}{ending}" / f"{scale}{ending}_step{step}.json",
                    {"results": tasks},
                )
    done = command("metrics", "study", "evals", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    assert "evals: 9 values of accuracy; not measured here, left out: 160m, 410m, 70m" in done.stdout
    found = values(tmp_path, "study", "accuracy")
    assert len(found) == 9 and set(found.values()) == {0.75}
    today = renamed({name: {"acc": 0.4} for name in harness_results()})
    for step in STEPS:
        arguments = {"model_args": f"pretrained=EleutherAI/pythia-70m-deduped,revision=step{step}"}
        place = tmp_path / "today" / "EleutherAI__pythia-70m-deduped"
        written_today(place, today, f"2024-05-0{1 + step // 10}T12-00-00.123456", **arguments)
    done = command("metrics", "study", "today", cwd=tmp_path)
    assert done.returncode == 0 and "today: 3 values of accuracy" in done.stdout
    assert values(tmp_path, "study", "accuracy")["70m", "0", 10] == pytest.approx(0.4)
    written_today(tmp_path / "final" / "EleutherAI__pythia-70m-deduped", today, "2024-05-01T12-00-00.123456")
    done = command("metrics", "study", "final", cwd=tmp_path)
    assert done.returncode == 2 and "names no training step" in done.stderr


def test_another_models_values_are_taken_only_where_that_is_said(nano):
    rows = [
        f"{name},{step},{value}"
        for step in STEPS
        for name, value in (("highlr-ablation-d24", 9), ("baseline-d24", 5))
    ]
    write(nano / "loss.csv", "\n".join(["scale,step,loss", *rows]))
    refused = command("metrics", "study", "loss.csv", cwd=nano)
    assert refused.returncode == 2
    assert "no evaluations are named d24, but baseline-d24 and highlr-ablation-d24 are there" in refused.stderr
    write(nano / "part.csv", "\n".join(["scale,step,loss", *rows, "d48,10,4"]))
    done = command("metrics", "study", "part.csv", cwd=nano)
    assert done.returncode == 0 and "say which it is with --scale d24=baseline-d24" in done.stderr
    assert set(values(nano, "study", "loss")) == {("d48", "0", 10)}
    done = command("metrics", "study", "part.csv", "--scale", "d24=baseline-d24", cwd=nano)
    assert done.returncode == 0 and done.stderr == ""
    found = values(nano, "study", "loss")
    assert {found["d24", "0", step] for step in STEPS} == {5.0} and len(found) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["d24"], "write --scale d24=baseline-d24"),
        (["d24=a", "d24=b"], "--scale gives d24 two names, a and b"),
        (["d24=a", "d48=a"], "--scale gives the name a to two scales"),
        (["d9=a"], "has no scale 'd9'; its scales are: d24, d48, d96"),
        (["d24=a"], "are named 'a'; there are baseline-d24"),
    ],
)
def test_scales_that_make_no_sense_are_refused(nano, words, said):
    write(nano / "one.csv", "scale,step,loss\nbaseline-d24,10,5\n")
    options = [part for word in words for part in ("--scale", word)]
    done = command("metrics", "study", "one.csv", *options, cwd=nano)
    assert done.returncode == 2 and said in done.stderr


def test_an_index_and_bookkeeping_are_no_metrics(nano):
    places = [(scale, step) for step in STEPS for scale in SIZES]
    rows = [f"{number},{scale},{step},{step / 7},{50 - number}" for number, (scale, step) in enumerate(places)]
    write(nano / "pandas.csv", "\n".join([",scale,step,epoch,ppl", *rows]) + "\n")
    done = command("metrics", "study", "pandas.csv", cwd=nano)
    assert done.returncode == 0 and "pandas.csv: 9 values of ppl\n" in done.stdout
    assert "not taken as metrics: the column without a name (an index), epoch (bookkeeping)" in done.stderr
    named = {row["metric"] for row in json.loads(command("metrics", "study", "--json", cwd=nano).stdout)["exponents"]}
    assert "ppl" in named and not named & {"", "epoch", "__index__"}
    done = command("metrics", "study", "pandas.csv", "--metric", "loss", cwd=nano)
    assert done.returncode == 2 and "has no column 'loss'" in done.stderr


def test_an_export_of_weights_and_biases_names_runs_in_its_headings(nano):
    headings = [f'"nano-{scale} - eval/loss{end}"' for scale in SIZES for end in ("", "__MIN", "__MAX")]
    rows = [",".join(map(str, [step, *(3.0 - step / 100 for _ in headings)])) for step in STEPS]
    write(nano / "wandb.csv", "\n".join([",".join(['"Step"', *headings]), *rows]))
    done = command("metrics", "study", "wandb.csv", cwd=nano)
    assert done.returncode == 0 and "wandb.csv: 9 values of eval/loss\n" in done.stdout
    assert set(values(nano, "study", "eval/loss")) == {(scale, "0", step) for scale in SIZES for step in STEPS}


def test_several_runs_of_a_scale_keep_their_own_values(tmp_path):
    measured(tmp_path, "nano", {"d24-seed1": 3000, "d24-seed3": 3000, "d48": 6000, "d96": 12000})
    rows = [
        f"{name},{step},{value}"
        for step in STEPS
        for name, value in (("d24-seed3", 4), ("d24-seed1", 1), ("d48", 1), ("d96", 0.5))
    ]
    write(tmp_path / "loss.csv", "\n".join(["scale,step,loss", *rows]))
    done = command("metrics", "study", "loss.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = values(tmp_path, "study", "loss")
    assert found["d24", "3", 10] == 4 and found["d24", "1", 10] == 1 and ("d24", "0", 10) not in found
    assert "nano, loss: 12 values of d24, d48, d96" in done.stdout and "slope of its logarithm" in done.stdout
    write(tmp_path / "runs.csv", "scale,run,step,ppl\nd24,3,10,7\nd24,9,10,8\n")
    done = command("metrics", "study", "runs.csv", cwd=tmp_path)
    assert "left out: d24, run 9" in done.stdout and values(tmp_path, "study", "ppl") == {("d24", "3", 10): 7.0}
