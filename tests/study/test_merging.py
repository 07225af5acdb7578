"""Parts of a study are joined to the whole; parts of different studies are refused with the difference."""

import json

import polars as pl
import pytest

from gradcascade.errors import InputError
from gradcascade.sources.base import Name
from gradcascade.study.merging import merge_studies
from gradcascade.study.plan import FamilyPlan, NullPlan, Plan, ProbePlan
from gradcascade.study.store import Contents
from gradcascade.study.study import Study
from gradcascade.study.variants import variants_of

FAMILY = FamilyPlan(name="nano", path="runs")
PLAN = Plan(families=(FAMILY,), nulls=NullPlan(kinds=("N0",)))
SIZES = {"s": 100, "m": 800, "l": 6400}


def make(folder, scales=("s", "m", "l"), steps=(0, 10), plan=PLAN, size=13, content="c"):
    """A study with cascades of these scales and steps."""
    with Study.create(folder, plan) as study:
        for scale in scales:
            for step in steps:
                name = Name("nano", scale, "0", step, "gradient")
                contents = Contents(f"{content}{scale}{step}")
                for variant in variants_of(plan, step):
                    study.store.add(
                        {
                            **name._asdict(), "span": None, "variant": variant.name, "replicate": variant.replicate,
                            "n": SIZES[scale], "tau": 0.5, "size": size, "duration": 2, "ceiling": False,
                            "activity": [size - 3, 3], "max_over_tau": 2.0, "kurtosis": None, "zero_share": 0.0,
                            "source": "here", "revision": "1", **contents._asdict(),
                            "probe_hash": variant.probe_hash, "seed": variant.seed, "seconds": 0.1,
                        }
                    )  # fmt: skip
                study.store.set_current(name, None, contents, plan.families[0].conventions(scale))
    return folder


def table_of(folder):
    with Study.open(folder) as study:
        return study.cascades()


def test_parts_are_joined_to_the_whole_each_cascade_once(tmp_path):
    whole = table_of(make(tmp_path / "whole"))
    parts = [make(tmp_path / "one", ("s", "m")), make(tmp_path / "two", ("m", "l"))]
    merged = merge_studies(parts, tmp_path / "out")
    assert (merged.cascades, merged.doubles, merged.missing, merged.notes) == (12, 4, (), ())
    assert table_of(tmp_path / "out").equals(whole)
    with Study.open(tmp_path / "out") as study:
        said = study.provenance()["merged"]
        assert [(part["study"], part["cascades"]) for part in said] == [("one", 8), ("two", 8)]
        assert study.plan.families[0].path == "../one/runs"


def test_what_is_missing_is_named(tmp_path):
    parts = [make(tmp_path / "one", ("s", "m")), make(tmp_path / "two", ("l",), steps=(10,))]
    assert [gap.sentence for gap in merge_studies(parts, tmp_path / "out").missing] == [
        "nano, l: gradients are missing at 1 step (0)"
    ]


OTHER_PLANS = {
    "probe.alpha = 0.3 and .* with 0.2": PLAN.model_copy(update={"probe": ProbePlan(alpha=0.2)}),
    "nulls.replicates = 1 and .* with 2": PLAN.model_copy(update={"nulls": NullPlan(kinds=("N0",), replicates=2)}),
    "the family nano: order = canonical and .* with file": PLAN.model_copy(
        update={"families": (FAMILY.model_copy(update={"order": "file"}),)}
    ),
    "the family nano: scales or runs named = False and .* with True": PLAN.model_copy(
        update={"families": (FAMILY.model_copy(update={"scales": {"l": "run-l"}}),)}
    ),
}


@pytest.mark.parametrize("words", OTHER_PLANS)
def test_studies_of_different_plans_are_refused(tmp_path, words):
    parts = [make(tmp_path / "one", ("s",)), make(tmp_path / "two", ("l",), plan=OTHER_PLANS[words])]
    with pytest.raises(InputError, match=words):
        merge_studies(parts, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_scales_that_the_parts_name_are_joined(tmp_path):
    def part(scale):
        family = FAMILY.model_copy(update={"scales": {scale: f"run-{scale}"}})
        return make(tmp_path / scale, (scale,), plan=PLAN.model_copy(update={"families": (family,)}))

    merge_studies([part("s"), part("l")], tmp_path / "out")
    with Study.open(tmp_path / "out") as study:
        assert study.plan.families[0].scales == {"s": "run-s", "l": "run-l"}
        assert study.cascades().height == 8


def test_two_values_of_one_snapshot_are_refused(tmp_path):
    first = make(tmp_path / "one", ("s",))
    with pytest.raises(InputError, match="different values of nano, s, step 0, gradient"):
        merge_studies([first, make(tmp_path / "two", ("s",), content="d")], tmp_path / "out")
    with pytest.raises(InputError, match="nano, s, step 0, gradient, real with different results"):
        merge_studies([first, make(tmp_path / "three", ("s",), size=14)], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_metrics_refusals_and_schedules_come_along(tmp_path):
    parts = [make(tmp_path / "one", ("s",)), make(tmp_path / "two", ("l",))]
    columns = ("family", "scale", "step", "metric", "value")
    for folder, scale in zip(parts, "sl", strict=True):
        with Study.open(folder) as study:
            rows = [("nano", scale, 10, "accuracy", 0.5)]
            study.store.put_metrics(pl.DataFrame(rows, schema=columns, orient="row"))
            study.store.refuse(Name("nano", "l", "0", 10, "gradient"), None, "unreadable", "it was not there")
            study.store.refuse(Name("nano", "l", "0", 20, "gradient"), None, "unreadable", "it is broken")
        (folder / "schedules.json").write_text(json.dumps({"nano": {"reason": "none"}}))
    with Study.open(parts[1]) as study:
        contents = Contents("cl10")
        study.store.set_current(Name("nano", "l", "0", 10, "gradient"), None, contents, FAMILY.conventions("l"))
    merge_studies(parts, tmp_path / "out")
    with Study.open(tmp_path / "out") as study:
        assert study.metrics()["scale"].to_list() == ["l", "s"]
        assert study.refusals()["reason"].to_list() == ["it is broken"]
    assert json.loads((tmp_path / "out" / "schedules.json").read_text()) == {"nano": {"reason": "none"}}


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    parts = [make(tmp_path / "one", ("s",)), make(tmp_path / "two", ("l",))]
    with pytest.raises(InputError, match="holds something already"):
        merge_studies(parts, parts[0])
    (tmp_path / "empty").mkdir()
    merge_studies(parts, tmp_path / "empty")
    assert table_of(tmp_path / "empty").height == 8
