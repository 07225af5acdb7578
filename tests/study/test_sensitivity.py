import numpy as np
import polars as pl
import pytest
import torch
from safetensors.numpy import save_file
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.scaling.choice_shifts import PLANNED
from gradcascade.sources.folder import discover
from gradcascade.study.choices import choices_of
from gradcascade.study.orders import USUAL, parse_orders
from gradcascade.study.plan import FamilyPlan, FitPlan, NullPlan, Plan, ProbePlan
from gradcascade.study.runner import open_source
from gradcascade.study.sensitivity import stored_robustness

STEPS = tuple(range(0, 100, 10))
PLAN = Plan(families=(FamilyPlan(name="tiny", path="../runs", fields=("gradient",)),))
ORDERS = 3 + 4  # all usual ones but the planned
CHOICES = 1 + 5 + 3 + 2 + 2 + ORDERS + 7
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
    choices = choices_of(PLAN, 2, parse_orders(USUAL))
    assert len(choices) == CHOICES + 1 == len({choice.name for choice in choices})
    planned = choices[0].plan.probe.model_dump()
    for choice in choices[1:]:
        changed = {key for key, value in choice.plan.probe.model_dump().items() if planned[key] != value}
        expected = set() if choice.kind in ("control", "order") else {choice.kind.replace(" ", "_")}
        assert changed == expected
        assert choice.order == (choice.name.removeprefix("order ") if choice.kind == "order" else "")
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
    assert found.cascades["step"].n_unique() == 5 and found.unordered == ()
    assert min(found.cascades["step"]) == 30 and max(found.cascades["step"]) == 90
    assert len(found.cascades) == 3 * 5 * CASCADES == found.measured + found.known
    assert found.known == 3 * 5 * (1 + 3)  # the real field and one replicate of each published null
    again = gc.robustness(study, steps=5, replicates=2)
    assert (again.measured, again.known) == (0, 3 * 5 * CASCADES)
    assert again.table.equals(found.table)
    assert again.orders.equals(found.orders) and again.spread.equals(found.spread)


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
    others = {ref.name[1:]: ref for ref in discover(study.folder.parent / "runs", order="file").snapshots()}
    expected = [gc.Probe()(others[at.name[1:]].load()).activity.tolist()]
    assert rows.filter(pl.col("choice") == "order file")["activity"].to_list() == expected
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
        assert stored_robustness(study).table.is_empty() and stored_robustness(study).orders.is_empty()
        found = gc.robustness(study, steps=1, replicates=1)
        assert found.known == 0 and found.table["n_steps"].unique().to_list() == [1]
        assert set(found.table["verdict"]) == {"within noise"}  # across scales one step is enough
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
    stored = stored_robustness(study)
    assert stored.table.equals(found.table) and stored.orders.equals(found.orders)


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


def test_orders_move_the_exponents_and_the_planned_one_is_no_choice(study, found):
    orders = ["as planned", "file", "grouped", "reversed", *(f"random {k}" for k in (1, 2, 3, 4)), "N2"]
    assert found.orders["order"].unique(maintain_order=True).to_list() == orders
    assert set(found.orders["n_steps"]) == {5}
    by_order = found.table.filter(pl.col("kind") == "order", pl.col("exponent") == "D")
    assert "order canonical" not in by_order["choice"].to_list()
    values = found.orders.filter(pl.col("exponent") == "D")
    planned = values.filter(pl.col("order") == "as planned")["value"].item()
    for choice, shift in by_order.select("choice", "shift").iter_rows():
        own = values.filter(pl.col("order") == choice.removeprefix("order "))["value"].item()
        assert own - planned == pytest.approx(shift, abs=1e-12)
    assert found.spread.filter(pl.col("exponent") == "D")["sd"].item() > 0


def test_no_orders_may_be_asked_for_and_more_of_them_later(runs, tmp_path):
    with gc.Study.create(tmp_path / "study", PLAN.model_copy(update={"families": (updates_of(runs),)})) as study:
        none = gc.robustness(study, steps=1, replicates=1, orders=())
        assert none.measured == 3 * (CHOICES - ORDERS) and none.orders.is_empty() and none.spread.is_empty()
        more = gc.robustness(study, steps=1, replicates=1, orders=("reversed",))
        assert (more.measured, more.known) == (3, none.measured)
        with pytest.raises(gc.InputError, match="there is no tensor order 'back'"):
            gc.robustness(study, orders=("back",))


def test_each_family_leaves_out_its_own_order(runs, tmp_path):
    families = tuple(
        updates_of(runs).model_copy(update={"name": name, "order": name}) for name in ("file", "canonical")
    )
    with gc.Study.create(tmp_path / "study", Plan(families=families)) as study:
        found = gc.robustness(study, steps=1, replicates=1, orders=("file", "canonical"))
        kept = (
            found.cascades.filter(pl.col("kind") == "order").select("family", "choice").unique().sort("family").rows()
        )
        assert kept == [("canonical", "order file"), ("file", "order canonical")]
        rows = found.cascades.filter(pl.col("kind").is_in(["plan", "order"])).sort("scale")
        for planned, other in (("file", "canonical"), ("canonical", "file")):  # one's choice is the other's plan
            own = rows.filter(pl.col("family") == planned, pl.col("kind") == "plan")["activity"].to_list()
            theirs = rows.filter(pl.col("family") == other, pl.col("choice") == f"order {planned}")[
                "activity"
            ].to_list()
            assert own == theirs


def test_one_tensor_has_nothing_to_order_and_that_is_said(tmp_path):
    rng = np.random.default_rng(0)
    for width in (6, 12, 18):
        for step in (0, 10):
            place = tmp_path / "runs" / f"d{width}" / f"step_{step}"
            place.mkdir(parents=True)
            save_file({"w": rng.standard_normal((width, 40)).astype(np.float32)}, place / "model.safetensors")
    with gc.Study.create(tmp_path / "study", Plan(families=(updates_of(tmp_path),))) as study:
        found = gc.robustness(study, steps=1, replicates=1)
        assert found.refused == () and found.orders.is_empty()
        assert found.unordered == ("tiny, updates: a field is one tensor, so there is nothing to order",)
        assert found.measured == 3 * (CHOICES - ORDERS)


def test_a_file_written_in_another_order_is_measured_again_in_its_own(tmp_path):
    def write(names):
        for width in (6, 12, 18):
            rng = np.random.default_rng(width)
            for step in (0, 10):
                place = tmp_path / "runs" / f"d{width}" / f"step_{step}"
                place.mkdir(parents=True, exist_ok=True)
                tensors = {name: rng.standard_normal((width, 40)) * (1 + 9 * (name == "a")) for name in "abc"}
                torch.save({name: torch.tensor(tensors[name]) for name in names}, place / "pytorch_model.bin")

    plan = Plan(families=(updates_of(tmp_path),))
    write("abc")
    with gc.Study.create(tmp_path / "study", plan) as study:
        first = gc.robustness(study, steps=1, replicates=1, orders=("file",))
        write("cba")
        second = gc.robustness(study, steps=1, replicates=1, orders=("file",))
        assert (second.measured, second.known) == (3, first.measured - 3)
        in_file = [
            found.cascades.filter(pl.col("choice") == "order file").sort("scale")["activity"].to_list()
            for found in (first, second)
        ]
        planned = first.cascades.filter(pl.col("choice") == PLANNED).sort("scale")["activity"].to_list()
        assert in_file[0] == planned and in_file[1] != planned
