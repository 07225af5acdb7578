import json
import signal
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from sample_runs import save_pt, write_pico_run
from warm import command

import gradcascade as gc


def cold(*words, cwd=None):
    """The command as a shell starts it."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "gradcascade", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
    )


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    folder = tmp_path_factory.mktemp("family")
    for width in (6, 12, 18):
        write_pico_run(folder / "runs" / f"tiny-d{width}", (0, 10, 20, 30), width, blocks=2)
    return folder


@pytest.fixture(scope="module")
def study(family):
    done = cold("measure", "runs", "--out", "study", "--json", cwd=family)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"measured": 3 * 7 * 4, "known": 0, "left": 0, "refused": [], "quarantined": []}
    return family / "study"


def test_probe_prints_the_object_of_the_contract(tmp_path):
    field = np.random.default_rng(1).standard_normal((60, 70)).astype(np.float32)
    np.save(tmp_path / "field.npy", field)
    done = cold("probe", tmp_path / "field.npy", "--json", "--threads", 2)
    found = json.loads(done.stdout)
    assert list(found) == [
        "n", "tau", "size", "duration", "v_abs", "v_rel", "ceiling", "activity",
        "alpha", "quantile", "graph", "graph_seed", "engine", "seconds",
    ]  # fmt: skip
    expected = gc.Probe()(field)
    assert (found["n"], found["size"], found["duration"]) == (4200, expected.size, expected.duration)
    assert (found["activity"], found["tau"]) == (expected.activity.tolist(), expected.tau)
    assert (found["engine"], found["graph"]) == ("cpu", "barabasi-albert")
    null = command("probe", tmp_path / "field.npy", "--json", "--null", "N2", "--seed", 7)
    assert json.loads(null.stdout)["activity"] == gc.Probe()(gc.null("N2", field, seed=7)).activity.tolist()


def test_probe_measures_every_null_of_a_file_of_tensors(tmp_path):
    tensors = {"layers.0.a": np.arange(40.0).reshape(8, 5), "layers.1.a": -np.ones(60), "layers.0.b": np.ones(33)}
    tensors = {name: values.astype(np.float32) for name, values in tensors.items()}
    save_pt(tensors, tmp_path / "t.pt")
    names = gc.canonical_order(tensors)
    assert names == ["layers.0.a", "layers.0.b", "layers.1.a"] != list(tensors)
    layout = [(name, tensors[name].size) for name in names]
    field = np.concatenate([tensors[name].reshape(-1) for name in names])
    for kind in ("signs", "in-tensor", "in-block", "clipped"):
        words = ["--null", kind, "--seed", 7, "--clip", 1.5, "--quantile", 0.8, "--json"]
        found = json.loads(command("probe", tmp_path / "t.pt", *words).stdout)
        drawn = gc.null(kind, field, 7, layout=layout, clip=1.5, quantile=0.8)
        assert found["activity"] == gc.Probe(quantile=0.8)(drawn).activity.tolist()


def test_graph_writes_the_very_graph_the_probe_uses(tmp_path):
    assert command("graph", 500, "--seed", 3, "--out", tmp_path / "edges.npy").returncode == 0
    edges = np.load(tmp_path / "edges.npy")
    assert edges.dtype == np.int64
    assert np.array_equal(edges, gc.Probe(graph_seed=3).graph_for(500).edges())


def test_cache_shows_and_clears_the_graphs(tmp_path):
    own = {"GRADCASCADE_CACHE": str(tmp_path / "cache"), "GRADCASCADE_CACHE_LIMIT": "1.5"}
    assert json.loads(command("cache", "--json", environment=own).stdout)["entries"] == []
    assert (
        command("graph", 5000, "--kind", "small-world-0.2", "--out", tmp_path / "e.npy", environment=own).returncode
        == 0
    )
    found = json.loads(command("cache", "--json", environment=own).stdout)
    (entry,) = found["entries"]
    assert (entry["kind"], entry["n"]) == ("small-world-0.2", 5000)
    assert found["total"] == entry["size"] > 5 * 5000 * 4
    assert (found["folder"], found["limit"]) == (own["GRADCASCADE_CACHE"], 1_500_000_000)
    text = command("cache", environment=own).stdout
    assert "small-world-0.2" in text and "5,000" in text and "of at most 1.5 GB" in text
    cleared = command("cache", "--clear", environment=own)
    assert "removed 1 graphs" in cleared.stdout and "total   0 B" in cleared.stdout
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_limit_of_the_cache_that_is_no_number_is_refused():
    done = command("cache", environment={"GRADCASCADE_CACHE_LIMIT": "much"})
    assert done.returncode == 2
    assert "GRADCASCADE_CACHE_LIMIT must be a number of GB of at least 0, got 'much'" in done.stderr


def test_measure_fit_report_export(study):
    fits = json.loads(cold("fit", study, "--json").stdout)
    with gc.Study.open(study) as opened:
        expected = gc.fit_exponents(opened.cascades())
    assert len(fits["fits"]) == len(expected)
    assert "±" in command("fit", study, "--window", 10, 30).stdout
    page = json.loads(cold("report", study, "--json").stdout)["report"]
    assert page.endswith("index.html")
    assert (study / "report" / "index.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    for kind, read in (("parquet", pl.read_parquet), ("csv", pl.read_csv)):
        assert command("export", study, "--format", kind).returncode == 0
        table = read(study / "export" / f"cascades.{kind}")
        assert table["size"].to_list() == opened_sizes(study)
    said = command("export", study, "--format", "json", "--out", study / "other").stdout
    content = json.loads((study / "other" / "tables.json").read_text(encoding="utf-8"))
    assert said.startswith(f"{len(content['tables'])} tables in ")
    assert content["schema_version"] == 3
    assert [row["size"] for row in content["tables"]["cascades"]] == opened_sizes(study)
    assert "2605.02968" in (study / "other" / "CITATION.bib").read_text(encoding="utf-8")


def test_fit_gives_every_answer(study):
    found = json.loads(command("fit", study, "--window-rule", "found", "--json").stdout)
    names = {
        "verdicts",
        "intervals",
        "differences",
        "found_windows",
        "leave_one_out",
        "curvature",
        "laws",
        "rounding",
    }
    assert names <= set(found)
    assert found["verdicts"][0]["sentence"] in command("fit", study).stdout
    both = command("fit", study, "--window", 0, 20, "--window-rule", "last")
    assert both.returncode == 2 and "give one of them" in both.stderr
    none = command("fit", study, "--window-rule", "published")
    assert none.returncode == 2 and "no family here has a published window" in none.stderr


def test_compare_two_studies_and_the_published_values(study):
    text = command("compare", study, study).stdout
    assert "tiny, gradients" in text and "A is undecided" in text
    found = json.loads(command("compare", study, study, "--window", 0, 20, "--json").stdout)
    assert {row["difference"] for row in found["exponents"]} == {0.0}
    assert found["verdicts"][0]["verdict_a"] == found["verdicts"][0]["verdict_b"]
    other = command("compare", study, "published")
    assert other.returncode == 2 and "no family here is a published one" in other.stderr


def opened_sizes(study):
    with gc.Study.open(study) as opened:
        return opened.cascades()["size"].to_list()


def test_measure_of_a_plan_and_of_a_folder_agree(study, family, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(f"[[families]]\nname = 'tiny'\npath = '{family / 'runs'}'\n")
    assert command("measure", plan, "--out", tmp_path / "other").returncode == 0
    assert opened_sizes(tmp_path / "other") == opened_sizes(study)


def test_names_stay_when_a_run_of_another_name_comes_beside_them(tmp_path):
    for width in (6, 12):
        write_pico_run(tmp_path / "runs" / f"gpt-a-d{width}", (0, 10), width, blocks=1)
    words = ("measure", "runs", "--out", "s", "--nulls", "", "--fields", "gradient", "--json")
    assert command(*words, cwd=tmp_path).returncode == 0
    write_pico_run(tmp_path / "runs" / "gpt-b-d18", (0, 10), 18, blocks=1)
    assert json.loads(command(*words, cwd=tmp_path).stdout)["measured"] == 2
    with gc.Study.open(tmp_path / "s") as study:
        pairs = study.cascades().select("family", "scale").unique().sort("scale").rows()
    assert pairs == [("gpt-a", "d12"), ("gpt-a", "d6"), ("gpt-a", "gpt-b-d18")]


def test_a_dry_run_says_what_would_be_measured_and_writes_nothing(family, tmp_path):
    done = command("measure", family / "runs", "--out", tmp_path / "study", "--dry-run")
    assert "21 snapshots, 84 cascades" in done.stdout
    assert not (tmp_path / "study").exists()


BAD = {
    "missing-file": (["probe", "no.npy"], "no.npy"),
    "empty-file": (["probe", "empty.npy"], "empty"),
    "another-format": (["probe", "text.npy"], "text.npy"),
    "not-finite": (["probe", "nan.npy"], "2 of 10 entries that are NaN or infinite (the first, nan, at index 3)"),
    "two-entries": (["probe", "two.npy"], "at least 3 entries, got 2"),
    "alpha-zero": (["probe", "good.npy", "--alpha", 0], "alpha must lie between 0 and 1"),
    "alpha-one": (["probe", "good.npy", "--alpha", 1], "alpha must lie between 0 and 1"),
    "quantile": (["probe", "good.npy", "--quantile", 1.2], "quantile must lie between 0 and 1"),
    "max-steps": (["probe", "good.npy", "--max-steps", 0], "max_steps must be at least 1"),
    "engine": (["probe", "good.npy", "--engine", "abacus"], "engine 'abacus' is unknown"),
    "graph-kind": (["probe", "good.npy", "--graph", "lattice"], "'lattice' is unknown"),
    "null-kind": (["probe", "good.npy", "--null", "N9"], "'N9' is unknown"),
    "clip": (["probe", "good.npy", "--null", "clipped", "--clip", 1], "clip must be a number above 1"),
    "key": (["probe", "good.npy", "--key", "nothing"], "nothing"),
    "threads": (["probe", "good.npy", "--threads", 0], "--threads"),
    "small-graph": (["graph", 2, "--out", "edges.npy"], "needs 3 to"),
    "graph-nowhere": (["graph", 10, "--out", "no/such/edges.npy"], "cannot be written"),
    "unknown-key": (["measure", "typo.toml", "--out", "s"], "unknown key 'probe.alhpa'; did you mean 'alpha'?"),
    "no-source": (["measure", "nowhere", "--out", "s"], "nowhere is not a folder of runs"),
    "empty-source": (["measure", "void", "--out", "s"], "void"),
    "unknown-null": (["measure", "void", "--out", "s", "--nulls", "N0,N7"], "'N7' is unknown here"),
    "no-study": (["fit", "void"], "void is not a study"),
    "compare-no-study": (["compare", "void", "published"], "void is not a study"),
    "other-version": (["fit", "old"], "another version of gradcascade"),
    "report-of-nothing": (["report", "fresh"], "has no cascades yet"),
    "out-is-taken": (["measure", "runs", "--out", "full"], "something other than a study"),
    "widths": (["train", "--widths", "24,x"], "whole numbers separated by commas"),
    "width": (["train", "--widths", "25"], "multiple of 24"),
    "option-beside-plan": (
        ["measure", "good.toml", "--out", "s", "--alpha", 0.5],
        "--alpha is given beside good.toml",
    ),
    "plan-is-a-folder": (["measure", "folder.toml", "--out", "s"], "folder.toml cannot be read"),
    "empty-plan": (["measure", "empty.toml", "--out", "s"], "names no family"),
    "same-family-twice": (["measure", "runs", "runs", "--out", "s"], "two families are named"),
    "no-field": (["measure", "runs", "--out", "s", "--fields", ""], "--fields names no kind"),
    "no-text": (["train", "--text", "nowhere.txt"], "nowhere.txt"),
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    np.save(folder / "good.npy", np.arange(20.0))
    np.save(folder / "two.npy", np.ones(2))
    values = np.ones(10)
    values[[3, 8]] = np.nan, np.inf
    np.save(folder / "nan.npy", values)
    (folder / "empty.npy").write_bytes(b"")
    (folder / "text.npy").write_text("these are words, not numbers " * 10)
    (folder / "typo.toml").write_text("[probe]\nalhpa = 0.3\n")
    (folder / "good.toml").write_text("[[families]]\nname = 'a'\npath = 'runs'\n")
    (folder / "empty.toml").write_text("")
    (folder / "folder.toml").mkdir()
    (folder / "void").mkdir()
    (folder / "full").mkdir()
    (folder / "full" / "thesis.txt").write_text("precious")
    write_pico_run(folder / "runs" / "a-1", (0, 1), 6, blocks=1)
    for name, form in (("old", 99), ("fresh", 1)):
        (folder / name).mkdir()
        (folder / name / "plan.toml").write_text("")
        (folder / name / "provenance.json").write_text(json.dumps({"format": form}))
    return folder


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_clear_sentence_and_exit_code_2(desk, case):
    words, said = BAD[case]
    done = command(*words, cwd=desk)
    assert done.returncode == 2, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_interrupt_says_how_to_continue(family, tmp_path):
    words = [sys.executable, "-m", "gradcascade", "measure", str(family / "runs"), "--out", str(tmp_path / "s")]
    process = subprocess.Popen([*words, "--replicates", "900"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    process.stderr.readline()  # the first line of progress
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "the same command continues" in said


def test_help_is_there_for_every_command():
    names = ["demo", "train", "probe", "graph", "cache", "measure", "fit", "report", "view", "export"]
    listed = command("--help").stdout
    for name in names:
        assert f"\n  {name}" in listed
    assert "gradcascade 0." in command("--version").stdout


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from gradcascade.cli import main;"
        "print(sorted({'numpy', 'numba', 'torch', 'polars', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_metrics_are_taken_up_and_shown(study, family):
    rows = [f"d{width},{step},{width**-0.5}" for width in (6, 12, 18) for step in (10, 20)]
    (family / "loss.csv").write_text("\n".join(["scale,step,loss", *rows, "d99,10,1.0"]))
    done = command("metrics", "study", "loss.csv", cwd=family)
    assert done.returncode == 0, done.stderr
    assert "loss.csv: 6 values of loss; not measured here, left out: d99" in done.stdout
    assert "tiny, loss: 6 values of d12, d18, d6 at 2 steps, 10 to 20" in done.stdout
    assert "slope of its logarithm on log N: above zero at 0 of 2 steps; at step 20 -0." in done.stdout
    found = json.loads(command("metrics", "study", "--json", cwd=family).stdout)
    assert found["attached"] == []
    assert {row["metric"] for row in found["metrics"]} >= {"loss"}
    fit = json.loads(command("fit", "study", "--json", cwd=family).stdout)
    assert [row for row in fit["metric_exponents"] if row["metric"] == "loss"] == [
        row for row in found["exponents"] if row["metric"] == "loss"
    ]
    wrong = command("metrics", "study", "absent.csv", cwd=family)
    assert wrong.returncode == 2 and "absent.csv does not exist" in wrong.stderr
