import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcascade.errors import InputError
from gradcascade.study.plan import FamilyPlan, HubPlan, Plan, plan_toml, read_plan

RUNS = "[[families]]\nname = 'a'\npath = 'b'\n"
HUB = "[[families]]\nname = 'a'\nfields = ['update']\n[families.hub]\nlayout = 'pythia'\n"


def written(tmp_path, text):
    path = tmp_path / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30), st.integers(0, 10**6))
def test_a_written_plan_reads_the_same(tmp_path_factory, name, path, first):
    plan = Plan.model_validate(
        {
            "probe": {"alpha": 0.25},
            "nulls": {"kinds": ("N0",), "replicates": 3},
            "fit": {"window": (first, first + 5)},
            "families": [FamilyPlan(name=name, path=path), FamilyPlan(name=name + "x", path=path)],
        }
    )
    assert read_plan(written(tmp_path_factory.mktemp("plan"), plan_toml(plan))) == plan


@given(
    st.dictionaries(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,9}", fullmatch=True), st.text(), min_size=1),
    st.none() | st.sets(st.integers(0, 10**6), min_size=1),
)
def test_a_written_plan_of_the_hub_reads_the_same(tmp_path_factory, repositories, steps):
    hub = HubPlan(layout="pythia", repositories=repositories, steps=steps and tuple(sorted(steps)))
    families = (FamilyPlan(name="a", hub=hub, fields=("update",), evaluations="../x"), FamilyPlan(name="b", path="c"))
    plan = Plan(families=families)
    assert read_plan(written(tmp_path_factory.mktemp("plan"), plan_toml(plan))) == plan


@given(
    st.lists(st.text(min_size=1), max_size=3),
    st.none() | st.dictionaries(st.text(min_size=1), st.text(), min_size=1, max_size=3),
)
def test_a_written_plan_with_chosen_tensors_and_scales_reads_the_same(tmp_path_factory, tensors, scales):
    plan = Plan(families=(FamilyPlan(name="a", path="x", tensors=tuple(tensors), scales=scales),))
    assert read_plan(written(tmp_path_factory.mktemp("plan"), plan_toml(plan))) == plan


@pytest.mark.parametrize(("key", "value"), [("runs", {"a": {"1": "b"}}), ("scales", {"a": "b"})])
def test_scales_and_runs_are_chosen_of_folders_only(key, value):
    hub = HubPlan(layout="pythia", repositories={"70m": "EleutherAI/pythia-70m"})
    with pytest.raises(ValueError, match=f"{key} is for a family in a folder; leave it out beside hub"):
        FamilyPlan.model_validate({"name": "a", "hub": hub, "fields": ("update",), key: value})


def test_the_plans_in_the_documentation_are_plans(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        assert read_plan(written(tmp_path, example)).families


def test_an_empty_plan_is_the_published_protocol(tmp_path):
    plan = read_plan(written(tmp_path, ""))
    assert (plan.probe.alpha, plan.probe.quantile, plan.probe.graph_seed, plan.probe.max_steps) == (0.3, 0.9, 42, 500)
    assert plan.nulls.kinds == ("N0", "N1", "N2") and plan.nulls.seed == 42


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[probe]\nalhpa = 0.3", r"unknown key 'probe\.alhpa'; did you mean 'alpha'\?"),
        ("[prob]\nalpha = 0.3", r"unknown key 'prob'; did you mean 'probe'\?"),
        ("[nulls]\nqqq = 1", r"known keys here: kinds, replicates, seed, deviation"),
        ("[[families]]\nname = 'a'\npath = 'b'\npaht = 'c'", r"'families\.0\.paht'; did you mean 'path'\?"),
        ("[[families]]\nname = 'a'", r"families\.0: a family needs either path .* or hub"),
        (
            "[[families]]\nname = 'a'\npath = 'b'\n[families.hub]\nlayout = 'pythia'\nrepositories = {a = 'b/c'}",
            "either",
        ),
        (HUB + "repository = 'b/c'", r"unknown key 'families\.0\.hub\.repository'; did you mean 'repositories'\?"),
        (HUB + "repositories = {a = {}}", "the scale 'a' has no runs, or one without a label"),
        (HUB + "repositories = {a = {'' = 'b/c'}}", "the scale 'a' has no runs, or one without a label"),
        (HUB + "repositories = {a = {x = 'b/c', y = 'b/c'}}", "two runs of the scale 'a' have the same repository"),
        (HUB + "repositories = {}", r"families\.0\.hub\.repositories: "),
        (HUB + "repositories = {'../x' = 'b/c'}", r"'\.\./x' cannot be the name of a scale"),
        (HUB + "repositories = {a = 'b/c'}\nsteps = [2, 1]", "steps must be at least 0 and ascending"),
        (
            HUB.replace("pythia", "pico-lm") + "repositories = {a = 'b/c'}",
            r"has gradient fields, not update; set fields",
        ),
        ("[[families]]\nname = 'a'\npath = 'b'\n[[families]]\nname = 'a'\npath = 'c'", "two families are named 'a'"),
        ("[probe]\nalpha = 'much'", r"probe\.alpha: .*number"),
        ("[nulls]\nclip = 1", r"nulls\.clip: .*greater than 1"),
        ("[nulls]\nkinds = ['N7']", r"nulls\.kinds\.0: .*'N7'"),
        (RUNS + "runs = {}", "runs is empty"),
        (RUNS + "runs = {d6 = {}}", "runs is empty, or has a scale without a name or a run"),
        (RUNS + "runs = {d6 = {'1' = ''}}", "a run of the scale 'd6' has no label or no folder"),
        (RUNS + "runs = {d6 = {'1' = 'x', '2' = 'x'}}", "the folder 'x' is given for two runs"),
        (RUNS + "scales = {d6 = 'y'}\nruns = {d6 = {'1' = 'x'}}", "'d6' is listed in both scales and runs"),
        (HUB + "repositories = {a = 'b/c'}\n[families.runs]\na = {'1' = 'x'}", "runs is for a family in a folder"),
        ("[fit]\nwindow = [9, 3]", "window ends at 3 before it starts at 9"),
        ("format = 3", "format"),
        ("alpha = = 3", "is not a TOML file"),
        ("\x00", "is not a TOML file"),
    ],
)
def test_a_plan_that_asks_for_what_does_not_exist_is_refused(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        read_plan(written(tmp_path, text))


def test_a_plan_that_is_missing_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"plan\.toml does not exist"):
        read_plan(tmp_path / "plan.toml")


def test_a_plan_names_several_runs_of_a_scale(tmp_path):
    runs = {"d6": {"1": "a", "2": "b"}}
    family = FamilyPlan(name="x", path="runs", scales={"d12": "c"}, runs=runs)
    path = tmp_path / "plan.toml"
    path.write_text(plan_toml(Plan(families=(family,))))
    assert read_plan(path).families == (family,)
    assert family.asks_for("d6", 0, "gradient", "2") and family.asks_for("d12", 0, "gradient")
    assert not family.asks_for("d6", 0, "gradient") and not family.asks_for("d12", 0, "gradient", "1")
    assert len({family.conventions("d6", run) for run in ("1", "2")}) == 2
    assert family.reading() != FamilyPlan(name="x", path="runs", scales={"d12": "c"}).reading()


def test_runs_leave_the_reading_of_other_families_as_it_was():
    assert "runs" not in FamilyPlan(name="x", path="runs").reading()


def test_a_plan_names_several_runs_of_a_scale_on_the_hub(tmp_path):
    hub = HubPlan(layout="pythia", repositories={"14m": "a/b", "31m": {"1": "a/c", "2": "a/d@x"}})
    family = FamilyPlan(name="x", fields=("update",), hub=hub)
    assert read_plan(written(tmp_path, plan_toml(Plan(families=(family,))))).families == (family,)
    assert hub.places == {("14m", "0"): "a/b", ("31m", "1"): "a/c", ("31m", "2"): "a/d@x"}
    assert family.place == "a/b, a/c, a/d@x"
    assert family.asks_for("14m", 9, "update") and family.asks_for("31m", 9, "update", "2")
    assert not family.asks_for("14m", 9, "update", "1") and not family.asks_for("31m", 9, "update")
    assert family.conventions("31m", "2").endswith("of a/d@x")
