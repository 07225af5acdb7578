import numpy as np
import polars as pl
import pytest
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.scaling.choice_shifts import PLANNED
from gradcascade.study.choices import choices_of
from gradcascade.study.plan import FamilyPlan, FitPlan, NullPlan, Plan, ProbePlan
from gradcascade.study.robustness import stored_robustness
from gradcascade.study.runner import open_source

STEPS = tuple(range(0, 100, 10))
PLAN = Plan(families=(FamilyPlan(name="tiny", path="../runs", fields=("gradient",)),))
CHOICES = 1 + 5 + 3 + 2 + 2 + 7
CASCADES = CHOICES - 6 + 6 * 2  # six of the nulls are drawn, twice


def updates_of(folder):
    return FamilyPlan(name="tiny", path=str(folder / "runs"), fields=("update",))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("family")
    for width in (6, 12, 18):
        write_pico_run(folder / "runs" / f"tiny-d{width}", STEPS, width, blocks=2)
    return folder


@pytest.fixture(scope="module")
def study(runs):
    with gc.Study.create(runs / "study", PLAN) as opened:
        gc.run(opened)
        yield opened


@pytest.fixture(scope="module")
def found(study):
    return gc.robustness(study, steps=5, replicates=2)


def test_the_grid_changes_one_choice_at_a_time():
    choices = choices_of(PLAN, 2)
    assert len(choices) == CHOICES == len({choice.name for choice in choices})
    planned = choices[0].plan.probe.model_dump()
    for choice in choices[1:]:
        changed = {key for key, value in choice.plan.probe.model_dump().items() if planned[key] != value}
        expected = set() if choice.kind == "control" else {choice.kind.replace(" ", "_")}
        assert changed == expected
        assert {variant.name for variant in choice.variants(7)} == (
            {choice.name} if choice.kind == "control" else {"real"}
        )


def test_the_grid_leaves_out_what_is_planned_already():
    probe = ProbePlan(graph="ring", alpha=0.2, quantile=0.95)
    names = [choice.name for choice in choices_of(PLAN.model_copy(update={"probe": probe}), 1)]
    assert "graph barabasi-albert" in names and "graph ring" not in names
    assert not [name for name in names if name.startswith("graph seed")]  # a ring has none
    assert "alpha 0.2" not in names and "alpha 0.4" in names and "quantile 0.95" not in names
    wide = choices_of(PLAN.model_copy(update={"probe": ProbePlan(m=3)}), 1)
    assert {choice.plan.probe.m for choice in wide if choice.kind == "graph"} == {2}


def test_a_sample_is_measured_once_and_then_known(study, found):
    assert found.refused == ()
    assert (
        found.cascades["step"].unique().sort().to_list() == [30, 40, 60, 80, 90]
        or len(found.cascades["step"].unique()) == 5
    )
    assert min(found.cascades["step"]) == 30 and max(found.cascades["step"]) == 90
    assert len(found.cascades) == 3 * 5 * CASCADES == found.measured + found.known
    assert found.known == 3 * 5 * (1 + 3)  # the real field and one replicate of each published null
    again = gc.robustness(study, steps=5, replicates=2)
    assert (again.measured, again.known) == (0, 3 * 5 * CASCADES)
    assert again.table.equals(found.table)


def test_every_cascade_is_what_the_library_measures(study, found):
    at = next(ref for ref in open_source(study.folder, study.plan.families[0]).snapshots() if ref.step == 90)
    field = at.load()
    rows = found.cascades.filter((pl.col("scale") == at.scale) & (pl.col("step") == 90))
    settings = {
        "graph ring": gc.Probe(graph="ring"),
        "graph seed 44": gc.Probe(graph_seed=44),
        "alpha 0.4": gc.Probe(alpha=0.4),
        "quantile 0.8": gc.Probe(quantile=0.8),
    }
    for choice, probe in settings.items():
        assert rows.filter(pl.col("choice") == choice)["activity"].to_list() == [probe(field).activity.tolist()]
    for kind in ("signs", "in-block"):
        drawn = [gc.null(kind, field, 42 + 90, replicate=r, layout=at.layout()) for r in range(2)]
        expected = [gc.Probe()(values).activity.tolist() for values in drawn]
        assert rows.filter(pl.col("choice") == kind).sort("replicate")["activity"].to_list() == expected


def test_a_shift_is_the_difference_of_two_fits(found):
    ring = found.cascades.filter(pl.col("choice") == "graph ring").with_columns(variant=pl.lit("real"))
    real = found.cascades.filter(pl.col("choice") == PLANNED)
    fits = [gc.fit_exponents(table).sort("step", "exponent") for table in (ring, real)]
    for exponent in ("D", "z", "beta", "delta"):
        values = [table.filter(pl.col("exponent") == exponent)["value"].to_numpy() for table in fits]
        row = found.table.row(
            by_predicate=(pl.col("choice") == "graph ring") & (pl.col("exponent") == exponent), named=True
        )
        assert row["shift"] == pytest.approx(np.mean(values[0] - values[1]))
        assert row["sd"] == pytest.approx(np.std(values[0] - values[1], ddof=1))
        assert row["planned"] == pytest.approx(np.mean(values[1]))


def test_what_the_plan_asks_for_does_not_change(runs, tmp_path):
    plan = PLAN.model_copy(update={"families": (FamilyPlan(name="tiny", path=str(runs / "runs")),)})
    with gc.Study.create(tmp_path / "study", plan) as study:
        gc.run(study)
        before, refusals = study.cascades(), study.refusals()
        gc.robustness(study, steps=2, replicates=3)
        assert len(study.cascades(everything=True)) > len(before)
        assert study.cascades().equals(before)
        assert study.refusals().equals(refusals)
        assert gc.run(study).measured == 0
        assert study.cascades().equals(before)


def test_a_study_that_was_never_measured_stays_empty(runs, tmp_path):
    plan = PLAN.model_copy(
        update={"families": (FamilyPlan(name="tiny", path=str(runs / "runs"), fields=("update",)),)}
    )
    with gc.Study.create(tmp_path / "study", plan) as study:
        assert stored_robustness(study).is_empty()
        found = gc.robustness(study, steps=1, replicates=1)
        assert found.known == 0 and found.table["n_steps"].unique().to_list() == [1]
        assert set(found.table["verdict"]) == {"no interval"}
        assert study.cascades().is_empty()


def test_an_interruption_loses_nothing_and_the_same_call_continues(runs, tmp_path):
    plan = PLAN.model_copy(
        update={"families": (FamilyPlan(name="tiny", path=str(runs / "runs"), fields=("update",)),)}
    )

    def interrupt(progress):
        if progress.done == 30:
            raise KeyboardInterrupt

    with gc.Study.create(tmp_path / "study", plan) as study:
        with pytest.raises(KeyboardInterrupt):
            gc.robustness(study, steps=2, replicates=1, progress=interrupt)
        assert len(study.store.cascades()) == 30
        found = gc.robustness(study, steps=2, replicates=1)
        assert (found.measured, found.known) == (2 * 3 * CHOICES - 30, 30)


def test_the_store_alone_gives_the_same_table(study, found):
    assert stored_robustness(study).equals(found.table)


def test_a_snapshot_that_cannot_be_read_is_named_and_stays_as_the_study_knows_it(tmp_path):
    for width in (6, 12, 18, 24):
        write_pico_run(tmp_path / "runs" / f"tiny-d{width}", (0, 10), width, blocks=1)
    plan = PLAN.model_copy(update={"fit": FitPlan(window=(10, 10)), "nulls": NullPlan(kinds=())})
    with gc.Study.create(tmp_path / "study", plan) as study:
        gc.run(study)
        before = study.cascades()
        path = tmp_path / "runs" / "tiny-d12" / "checkpoints" / "step_10" / "learning_dynamics" / "train_gradients.pt"
        path.write_bytes(path.read_bytes()[:500])
        found = gc.robustness(study, replicates=1)
        assert len(found.refused) == 1 and found.refused[0].startswith("d12, step 10, gradient: ")
        assert set(found.table["n_scales"]) == {3}
        assert study.cascades().equals(before) and study.refusals().is_empty()


def test_a_source_that_is_gone_is_one_sentence(tmp_path):
    with (
        gc.Study.create(tmp_path / "study", PLAN) as study,
        pytest.raises(gc.InputError, match="runs"),
    ):
        gc.robustness(study)


def test_a_window_without_snapshots_is_one_sentence(runs, tmp_path):
    plan = PLAN.model_copy(
        update={
            "families": (FamilyPlan(name="tiny", path=str(runs / "runs")),),
            "fit": FitPlan(window=(1000, 2000)),
        }
    )
    with (
        gc.Study.create(tmp_path / "study", plan) as study,
        pytest.raises(gc.InputError, match="has a snapshot in its window"),
    ):
        gc.robustness(study)


@pytest.mark.parametrize("options", [{"steps": 0}, {"replicates": 0}])
def test_at_least_one_step_and_replicate(study, options):
    with pytest.raises(gc.InputError, match="at least 1"):
        gc.robustness(study, **options)
