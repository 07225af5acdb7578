import json

import numpy as np
import polars as pl
import pytest
from imitation_family import write_family
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.fields.statistics import content_hash
from gradcascade.study.plan import FamilyPlan, FitPlan, NullPlan, Plan, ProbePlan
from gradcascade.study.runner import MissingValueWarning, open_source

STEPS = (0, 10, 20)
COLUMNS = [
    "scale",
    "step",
    "field",
    "variant",
    "replicate",
    "n",
    "tau",
    "size",
    "duration",
    "activity",
    "content_hash",
]


@pytest.fixture
def runs(tmp_path):
    for width in (6, 12, 18):
        write_pico_run(tmp_path / "runs" / f"tiny-d{width}", STEPS, width, blocks=2)
    return tmp_path / "runs"


def plan(**changes):
    return Plan(families=(FamilyPlan(name="tiny", path="../runs"),)).model_copy(update=changes)


def measured(folder, wanted=None):
    with gc.Study.create(folder, wanted or plan()) as study:
        outcome = gc.run(study)
        return outcome, study.cascades()


def test_everything_is_measured_once_and_then_known(runs, tmp_path):
    outcome, table = measured(tmp_path / "study")
    snapshots = 3 * (len(STEPS) + len(STEPS) - 1)
    assert (outcome.measured, outcome.known, outcome.refused) == (snapshots * 4, 0, ())
    assert table["scale"].unique().sort().to_list() == ["d12", "d18", "d6"]
    again, same = measured(tmp_path / "study")
    assert (again.measured, again.known) == (0, snapshots * 4)
    assert same.equals(table)


def test_a_replaced_shard_is_measured_again(tmp_path):
    write_family(tmp_path / "runs", kind="bin", steps=(0, 100, 200))
    measured(tmp_path / "study")
    run = next((tmp_path / "runs").rglob("step100"))
    run.joinpath("pytorch_model-00001-of-00002.bin").write_bytes(
        run.with_name("step200").joinpath("pytorch_model-00001-of-00002.bin").read_bytes()
    )
    outcome, table = measured(tmp_path / "study")
    assert outcome.measured == 2 * 4
    _, fresh = measured(tmp_path / "fresh")
    assert table.drop("seconds").equals(fresh.drop("seconds"))


def test_every_row_is_what_the_library_measures(runs, tmp_path):
    _, table = measured(tmp_path / "study")
    with gc.Study.open(tmp_path / "study") as study:
        snapshots = open_source(study.folder, study.plan.families[0]).snapshots()
    for snapshot in snapshots:
        field = snapshot.load()
        for variant in ("real", "N0", "N1", "N2"):
            drawn = field if variant == "real" else gc.null(variant, field, seed=42 + snapshot.step)
            expected = gc.Probe()(drawn)
            row = table.row(
                by_predicate=(pl.col("scale") == snapshot.scale)
                & (pl.col("step") == snapshot.step)
                & (pl.col("field") == snapshot.field)
                & (pl.col("variant") == variant),
                named=True,
            )
            assert row["content_hash"] == content_hash(field)
            assert (row["n"], row["size"], row["duration"]) == (expected.n, expected.size, expected.duration)
            assert row["activity"] == expected.activity.tolist()
            assert (row["tau"], row["probe_hash"]) == (expected.tau, gc.Probe().hash)


def test_files_that_did_not_change_are_not_read_again(runs, tmp_path, monkeypatch):
    measured(tmp_path / "study")
    monkeypatch.setattr("gradcascade.sources.base.SnapshotRef.load", lambda self: pytest.fail("read again"))
    assert measured(tmp_path / "study")[0].measured == 0


def test_files_that_did_change_are_measured_again_and_nothing_is_lost(runs, tmp_path):
    _, before = measured(tmp_path / "study")
    write_pico_run(runs / "tiny-d6", (1,), 6, blocks=2)  # step 1 comes between, so the update to step 10 is another
    outcome, after = measured(tmp_path / "study")
    assert outcome.measured == 3 * 4  # its gradient, and the updates to steps 1 and 10
    update = (pl.col("scale") == "d6") & (pl.col("step") == 10) & (pl.col("field") == "update")
    assert (
        before.filter(update)["content_hash"].unique().item() != after.filter(update)["content_hash"].unique().item()
    )
    with gc.Study.open(tmp_path / "study") as study:
        assert len(study.cascades(everything=True)) == len(before) + 12
        assert len(study.cascades()) == len(before) + 8


def test_a_snapshot_that_cannot_be_measured_is_named_and_the_others_are_measured(runs, tmp_path):
    path = runs / "tiny-d12" / "checkpoints" / "step_10" / "learning_dynamics" / "train_gradients.pt"
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    outcome, _table = measured(tmp_path / "study")
    assert len(outcome.refused) == 1 and "d12, step 10, gradient" in outcome.refused[0]
    with gc.Study.open(tmp_path / "study") as study:
        assert study.refusals().select("scale", "step", "field").rows() == [("d12", 10, "gradient")]
    path.write_bytes(whole)
    again, _ = measured(tmp_path / "study")
    assert (again.measured, again.refused) == (4, ())
    with gc.Study.open(tmp_path / "study") as study:
        assert study.refusals().is_empty()


def test_threads_and_engines_measure_the_same(runs, tmp_path):
    tables = []
    for number, (engine, threads) in enumerate([("cpu", 1), ("cpu", 3), ("reference", 1)]):
        with gc.Study.create(tmp_path / f"study{number}", plan()) as study:
            gc.run(study, engine=engine, threads=threads)
            tables.append(study.cascades().select(COLUMNS))
    assert tables[0].equals(tables[1]) and tables[0].equals(tables[2])


def test_replicates_and_seeds_are_told_apart(runs, tmp_path):
    outcome, table = measured(tmp_path / "study", plan(nulls=NullPlan(kinds=("N0",), replicates=3, seed=7)))
    assert outcome.measured == 15 * 4
    nulls = table.filter(pl.col("variant") == "N0")
    assert (nulls["seed"] == 7 + nulls["step"]).all()
    one = nulls.filter((pl.col("scale") == "d18") & (pl.col("step") == 10) & (pl.col("field") == "gradient"))
    assert one["tau"].n_unique() == 3


def test_the_standard_deviation_of_n1_is_part_of_what_was_measured(runs, tmp_path):
    _, population = measured(tmp_path / "a", plan(nulls=NullPlan(kinds=("N1",))))
    _, sample = measured(tmp_path / "b", plan(nulls=NullPlan(kinds=("N1",), deviation="sample")))
    for variant, equal in (("real", True), ("N1", False)):
        hashes = [set(table.filter(pl.col("variant") == variant)["probe_hash"]) for table in (population, sample)]
        assert (hashes[0] == hashes[1]) == equal


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"probe": ProbePlan(alpha=0.2)}, r"planned with probe\.alpha = 0\.3, not 0\.2"),
        ({"nulls": NullPlan(seed=1)}, r"planned with nulls\.seed = 42, not 1"),
        (
            {"families": (FamilyPlan(name="tiny", path="elsewhere"),)},
            r"another family named 'tiny' \(from \.\./runs\)",
        ),
        (
            {"families": (FamilyPlan(name="tiny", path="../runs", fields=("update",)),)},
            "measures the family 'tiny' with fields = gradient,update, not update; use the same setting",
        ),
        (
            {"families": (FamilyPlan(name="tiny", path="../runs", tensors=("*o_proj*",)),)},
            r"with tensors = the usual ones, not \*o_proj\*",
        ),
    ],
)
def test_a_study_does_not_change_its_settings_silently(runs, tmp_path, changes, words):
    measured(tmp_path / "study")
    with pytest.raises(gc.InputError, match=words):
        gc.Study.create(tmp_path / "study", plan(**changes))


def test_a_family_of_which_nothing_was_measured_can_be_planned_anew(runs, tmp_path):
    wrong = plan(families=(FamilyPlan(name="tiny", path="../runs", tensors=("nothing*",)),))
    outcome, table = measured(tmp_path / "study", wrong)
    assert table.is_empty() and len(outcome.refused) == 15
    outcome, table = measured(tmp_path / "study")
    assert outcome.refused == () and table.height == 15 * 4
    with gc.Study.open(tmp_path / "study") as study:
        assert study.refusals().is_empty()


def edited(folder, old, new):
    path = folder / "plan.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with gc.Study.open(folder) as study:
        gc.run(study)
        return study.cascades()


def test_a_plan_that_is_changed_and_changed_back_shows_what_it_asks_for(runs, tmp_path):
    _, first = measured(tmp_path / "study")
    other = edited(tmp_path / "study", "seed = 42\n", "seed = 7\n")
    assert set((other.filter(pl.col("variant") == "N0"))["seed"]) == {7 + step for step in STEPS}
    back = edited(tmp_path / "study", "seed = 7\n", "seed = 42\n")
    assert back.equals(first)
    fewer = edited(tmp_path / "study", 'kinds = ["N0", "N1", "N2"]', 'kinds = ["N2"]')
    assert sorted(fewer["variant"].unique()) == ["N2", "real"]
    earlier = edited(tmp_path / "study", 'label = "later"', 'label = "earlier"')
    assert sorted(earlier.filter(pl.col("field") == "update")["step"].unique()) == [0, 10]


def test_a_file_that_changes_and_changes_back_shows_its_contents(runs, tmp_path):
    path = runs / "tiny-d6" / "checkpoints" / "step_0" / "learning_dynamics" / "train_gradients.pt"
    original = path.read_bytes()
    _, first = measured(tmp_path / "study")
    path.write_bytes((path.parents[2] / "step_10" / "learning_dynamics" / "train_gradients.pt").read_bytes())
    assert measured(tmp_path / "study")[0].measured == 4
    path.write_bytes(original)
    assert measured(tmp_path / "study")[1].equals(first)


def test_a_window_in_the_plan_does_not_hinder_measuring(runs, tmp_path):
    measured(tmp_path / "study")
    edited(tmp_path / "study", "[fit]\n", "[fit]\nwindow = [0, 10]\n")
    assert measured(tmp_path / "study")[0].measured == 0
    with gc.Study.open(tmp_path / "study") as study:
        assert study.plan.fit == FitPlan(window=(0, 10))


def test_what_a_killed_first_attempt_leaves_is_no_obstacle(runs, tmp_path):
    (tmp_path / "study" / ".writing-abc").mkdir(parents=True)
    assert measured(tmp_path / "study")[0].measured == 15 * 4


def test_a_study_takes_another_family(runs, tmp_path):
    measured(tmp_path / "study")
    write_pico_run(tmp_path / "more" / "run-a", (0, 1), 6, blocks=1)
    both = plan(families=(FamilyPlan(name="other", path="../more"),))
    outcome, table = measured(tmp_path / "study", both)
    assert (outcome.measured, outcome.known) == (3 * 4, 15 * 4)
    assert sorted(table["family"].unique()) == ["other", "tiny"]


def test_metrics_come_along(runs, tmp_path):
    with gc.Study.create(tmp_path / "study", plan()) as study:
        gc.run(study)
        metrics = study.metrics()
    assert len(metrics) == 9 and set(metrics["metric"]) == {"paloma"}
    assert np.allclose(metrics.filter(pl.col("step") == 10)["value"], 100 / 11)


def test_a_bad_evaluation_file_is_named_and_everything_else_is_measured(runs, tmp_path):
    results = runs / "tiny-d6" / "eval_results"
    (results / "step_0.json").write_text('{"paloma": null}')
    (results / "step_10.json").write_text("{")
    (runs / "tiny-d12" / "eval_results" / "step_0.json").write_text('{"paloma": NaN}')
    with pytest.warns(MissingValueWarning, match=r"d6 paloma \(1\), d12 paloma \(1\)"):
        outcome, table = measured(tmp_path / "study")
    assert (outcome.measured, table.height) == (15 * 4, 15 * 4)
    assert outcome.refused == outcome.missing and len(outcome.missing) == 1
    assert outcome.missing[0] == f"{results / 'step_10.json'} is not readable JSON; fetch it again or remove it"
    with gc.Study.open(tmp_path / "study") as study:
        assert study.metrics()["value"].null_count() == 2 and study.metrics().height == 8


def evaluated(folder, scale, step, accuracy):
    tasks = [f"hendrycksTest-{number}" for number in range(57)]
    tasks += ["arc_challenge", "arc_easy", "lambada_openai", "logiqa", "piqa", "sciq", "winogrande", "wsc"]
    path = folder / f"pythia-{scale}" / f"{scale}_step{step}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"results": {task: {"acc": accuracy} for task in tasks}}))


@pytest.mark.filterwarnings("ignore:evaluations named:gradcascade.evaluations.EvaluationWarning")
def test_evaluation_files_of_pythia_become_metrics_of_the_familys_scales(tmp_path):
    for scale, width in (("70m-seed3", 6), ("160m-seed3", 12), ("410m-seed3", 18)):
        write_pico_run(tmp_path / "runs" / f"pythia-{scale}", (0, 10), width, blocks=1)
    for scale, accuracy in (("70m", 0.25), ("160m", 0.5), ("1b", 0.75)):
        evaluated(tmp_path / "evals", scale, 10, accuracy)
    family = FamilyPlan(name="pythia", path="../runs", fields=("update",), evaluations="../evals")
    with gc.Study.create(tmp_path / "study", plan(families=(family,))) as study:
        with pytest.warns(UserWarning, match=r"named 70m are taken for those of EleutherAI/pythia-70m-seed3"):
            gc.run(study)
        metrics = study.metrics().filter(pl.col("metric") == "accuracy")
    assert metrics.select("scale", "step", "value").rows() == [("160m-seed3", 10, 0.5), ("70m-seed3", 10, 0.25)]
    (tmp_path / "evals" / "pythia-70m" / "70m_step0.json").write_text("[]")
    with gc.Study.create(tmp_path / "study3", plan(families=(family,))) as study:
        outcome = gc.run(study)
        assert outcome.measured == 3 * 4 and "70m_step0.json holds no JSON object" in outcome.missing[0]
        assert "accuracy" in study.metrics()["metric"].to_list()
    family = family.model_copy(update={"name": "other", "evaluations": "../strange"})
    evaluated(tmp_path / "strange", "12b", 10, 0.9)
    with (
        gc.Study.create(tmp_path / "study2", plan(families=(family,))) as study,
        pytest.raises(gc.InputError, match=r"are for 12b, and the family 'other' has none of these scales"),
    ):
        gc.run(study)


def test_a_plan_says_what_a_scale_is_called_in_the_evaluations(runs, tmp_path):
    rows = ["scale,step,loss", "highlr-ablation-d6,10,9.0", "baseline-d6,10,5.0", "tiny-d12,10,4.0"]
    (tmp_path / "loss.csv").write_text("\n".join(rows))
    names = {"d6": "baseline-d6"}
    family = FamilyPlan(
        name="tiny", path="../runs", fields=("gradient",), evaluations="../loss.csv", evaluation_names=names
    )
    _, _ = measured(tmp_path / "study", plan(families=(family,)))
    with gc.Study.open(tmp_path / "study") as study:
        assert study.plan.families[0].evaluation_names == names
        loss = study.metrics().filter(pl.col("metric") == "loss")
    assert loss.select("scale", "step", "value").rows() == [("d12", 10, 4.0), ("d6", 10, 5.0)]


def test_degenerate_fields_are_measured_and_left_out_of_the_fits_with_a_reason(runs, tmp_path):
    from sample_runs import pico_parameters, recorded, save_pt

    run = runs / "tiny-d6" / "checkpoints"
    zeros = {"_forward_module." + name: 0 * values for name, values in recorded(pico_parameters(1, 2, 6)).items()}
    save_pt(zeros, run / "step_0" / "learning_dynamics" / "train_gradients.pt")
    sparse = {name: values.copy() for name, values in zeros.items()}
    next(iter(sparse.values())).flat[0] = 1.0
    save_pt(sparse, run / "step_10" / "learning_dynamics" / "train_gradients.pt")
    _, table = measured(tmp_path / "study")
    rows = table.filter((pl.col("scale") == "d6") & (pl.col("field") == "gradient") & (pl.col("variant") == "real"))
    assert rows.sort("step").select("size", "duration", "ceiling").rows()[:2][0] == (0, 0, False)
    assert rows.sort("step")["ceiling"].to_list() == [False, True, False]
    fits = gc.fit_exponents(table).filter(
        (pl.col("field") == "gradient") & (pl.col("variant") == "real") & (pl.col("exponent") == "z")
    )
    assert fits.sort("step")["value"].is_null().to_list() == [True, True, False]
    for reason in fits.sort("step")["reason"].to_list()[:2]:
        assert "d6" in reason


def test_an_open_study_says_what_is_missing(tmp_path):
    with pytest.raises(gc.InputError, match="is not a study"):
        gc.Study.open(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(gc.InputError, match="something other than a study"):
        gc.Study.create(tmp_path, plan())


def test_a_study_of_another_version_is_refused(runs, tmp_path):
    measured(tmp_path / "study")
    path = tmp_path / "study" / "provenance.json"
    path.write_text(path.read_text().replace('"format": 2', '"format": 9'))
    with pytest.raises(gc.InputError, match=r"another version of gradcascade \(format 9"):
        gc.Study.open(tmp_path / "study")
    path.write_text("{")
    with pytest.raises(gc.InputError, match="cannot be read as JSON"):
        gc.Study.open(tmp_path / "study")


def test_metrics_can_be_attached_to_a_study_that_was_measured(runs, tmp_path):
    measured(tmp_path / "study")
    rows = [f"{scale},{step},{100 / size}" for scale, size in (("d6", 6), ("d12", 12), ("d18", 18)) for step in STEPS]
    (tmp_path / "loss.csv").write_text("\n".join(["scale,step,loss", *rows, "d99,10,1.0"]))
    with gc.Study.open(tmp_path / "study") as study:
        before = study.metrics()
        found, others = study.attach(tmp_path / "loss.csv")
        assert (found.height, others) == (3 * len(STEPS), ["d99"])
        assert study.metrics().filter(pl.col("metric") == "loss").height == 3 * len(STEPS)
        assert study.metrics().filter(pl.col("metric") != "loss").equals(before)
        slopes = gc.infer(study.cascades(), metrics=study.metrics())["metric_exponents"]
        assert (slopes.filter(pl.col("metric") == "loss")["value"] < 0).all()
        with pytest.raises(gc.InputError, match=r"has no family 'other'; those measured are: tiny"):
            study.attach(tmp_path / "loss.csv", "other")
        (tmp_path / "loss.csv").write_text("scale,step,loss\nd99,10,1.0")
        with pytest.raises(gc.InputError, match=r"are for d99, and .* none of these scales; it has: d12, d18, d6"):
            study.attach(tmp_path / "loss.csv")
    outcome, _ = measured(tmp_path / "study")
    with gc.Study.open(tmp_path / "study") as study:
        assert outcome.measured == 0 and study.metrics().filter(pl.col("metric") == "loss").height == 3 * len(STEPS)


def test_chosen_tensors_and_scales_are_measured_and_a_change_of_mind_shows_the_others(runs, tmp_path):
    scales = {"one": "tiny-d6", "two": "tiny-d12", "three": "tiny-d18"}
    chosen = FamilyPlan(name="tiny", path="../runs", fields=("gradient",), tensors=("*v_proj*",), scales=scales)
    _, table = measured(tmp_path / "study", plan(families=(chosen,)))
    assert table["scale"].unique().sort().to_list() == ["one", "three", "two"]
    sizes = dict(table.select("scale", "n").unique().iter_rows())
    whole = measured(tmp_path / "whole", plan(families=(chosen.model_copy(update={"tensors": ()}),)))[1]
    both = dict(whole.select("scale", "n").unique().iter_rows())
    assert all(sizes[scale] < both[scale] for scale in scales)
    path = tmp_path / "study" / "plan.toml"
    path.write_text(path.read_text().replace("v_proj", "o_proj"))
    with gc.Study.open(tmp_path / "study") as study:
        assert study.cascades().is_empty()  # nothing of the other tensors was measured yet
        gc.run(study)
        assert study.cascades().height == table.height
        assert not set(study.cascades()["content_hash"]) & set(table["content_hash"])


def test_what_a_plan_asks_for_no_longer_is_not_shown(runs, tmp_path):
    scales = {"a": "tiny-d6", "b": "tiny-d12"}
    family = FamilyPlan(name="tiny", path="../runs", scales=scales)
    _, first = measured(tmp_path / "study", plan(families=(family,)))
    one = edited(tmp_path / "study", '["gradient", "update"]', '["gradient"]')
    assert one.equals(first.filter(pl.col("field") == "gradient"))
    alone = edited(tmp_path / "study", '"a" = "tiny-d6", ', "")
    assert alone.equals(one.filter(pl.col("scale") == "b"))


def test_steps_of_another_run_are_not_shown_as_those_of_the_scale(runs, tmp_path):
    write_pico_run(tmp_path / "runs" / "short", STEPS[:1], 12, blocks=2)
    family = FamilyPlan(name="tiny", path="../runs", scales={"a": "tiny-d6"}, fields=("gradient",))
    measured(tmp_path / "study", plan(families=(family,)))
    other = edited(tmp_path / "study", '"tiny-d6"', '"short"')
    assert other.select("step", "n").unique().rows() == [(0, 4 * 384)]


CONTROLS = ("signs", "in-tensor", "in-block", "clipped")


def test_controls_are_measured_with_the_layout_of_their_field(runs, tmp_path):
    outcome, table = measured(tmp_path / "study", plan(nulls=NullPlan(kinds=CONTROLS, replicates=2)))
    assert outcome.measured == 15 * (1 + 3 * 2 + 1)  # nothing is drawn for clipped: one replicate
    with gc.Study.open(tmp_path / "study") as study:
        snapshots = open_source(study.folder, study.plan.families[0]).snapshots()
    for snapshot in [snapshots[0], snapshots[-1]]:
        field = snapshot.load()
        here = (pl.col("scale") == snapshot.scale) & (pl.col("step") == snapshot.step)
        rows = table.filter(here & (pl.col("field") == snapshot.field) & (pl.col("variant") != "real"))
        assert len(rows) == 7
        for row in rows.iter_rows(named=True):
            drawn = gc.null(
                row["variant"], field, 42 + snapshot.step, replicate=row["replicate"], layout=snapshot.layout()
            )
            assert row["activity"] == gc.Probe()(drawn).activity.tolist()
            assert row["seed"] == (0 if row["variant"] == "clipped" else 42 + snapshot.step)
    assert measured(tmp_path / "study", plan(nulls=NullPlan(kinds=CONTROLS, replicates=2)))[0].measured == 0


def test_where_the_field_is_clipped_is_part_of_what_was_measured(runs, tmp_path):
    def clipped(name, clip, quantile=0.9):
        changed = plan(nulls=NullPlan(kinds=("clipped",), clip=clip), probe=ProbePlan(quantile=quantile))
        _, table = measured(tmp_path / name, changed)
        return table.filter((pl.col("variant") == "clipped") & (pl.col("scale") == "d18"))

    usual, lower, other = clipped("a", 3.0), clipped("b", 1.5), clipped("c", 1.5, 0.8)
    assert set(usual["probe_hash"]) == {gc.Probe().hash} != set(lower["probe_hash"])
    assert lower["max_over_tau"].to_numpy() == pytest.approx(1.5, rel=1e-6)
    assert other["max_over_tau"].to_numpy() == pytest.approx(1.5, rel=1e-6)  # of the plan's own threshold
    assert (usual["max_over_tau"] <= 3.000001).all()


def test_runs_of_a_scale_are_measured_beside_each_other(tmp_path):
    for name in ("a", "b", "c"):
        write_pico_run(tmp_path / "runs" / name, (0, 10), 6 if name < "c" else 12, blocks=1)
    runs = {"d6": {"1": "a", "2": "b"}, "d12": {"1": "c"}}
    family = FamilyPlan(name="tiny", path="../runs", runs=runs, fields=("update",))
    plan = Plan(families=(family,), nulls=NullPlan(kinds=()))
    with gc.Study.create(tmp_path / "study", plan) as study:
        assert gc.run(study).measured == 3
        names = study.cascades().select("scale", "run", "step", "span").rows()
        assert sorted(names) == [("d12", "1", 10, 10), ("d6", "1", 10, 10), ("d6", "2", 10, 10)]
