import itertools
from contextlib import ExitStack, closing, nullcontext
from pathlib import Path

import polars as pl
import pytest
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.report.access import study_data
from gradcascade.study.plan import FamilyPlan, FitPlan, Plan, make_plan, plan_toml, read_plan
from gradcascade.study.presets import presets
from gradcascade.study.runner import open_source
from gradcascade.study.sensitivity import WindowWarning, sample
from gradcascade.study.windows import family_window, study_windows

PUBLISHED = {"pico-lm": (5000, 60000), "pythia": (4000, 73000)}
FIELDS = {"pico-lm": "gradient", "pythia": "update"}
TABLE = pl.DataFrame(
    [(name, field, step) for name, field in FIELDS.items() for step in range(1000, 100_000, 1000)],
    schema=["family", "field", "step"],
    orient="row",
)


@pytest.mark.parametrize("order", list(itertools.permutations(PUBLISHED)), ids="-then-".join)
def test_each_family_keeps_its_window_whatever_was_measured_first(tmp_path, order):
    for name in order:
        with gc.Study.create(tmp_path / "s", Plan(families=(presets()[name],))) as study:
            assert study.plan.fit.window is None
    with gc.Study.open(tmp_path / "s") as study:
        found = study_windows(study.plan, TABLE)
    assert found == {(name, FIELDS[name]): window for name, window in PUBLISHED.items()}


def old_plan(window, *families):
    """As a study of format 1 holds it."""
    bare = tuple(family.model_copy(update={"window": None}) for family in families)
    text = plan_toml(Plan(families=bare, fit=FitPlan(window=window)))
    return text.replace(text.splitlines()[0], "format = 1", 1)


@pytest.mark.parametrize("order", list(itertools.permutations(PUBLISHED)), ids="-then-".join)
def test_the_one_window_of_an_older_study_goes_back_to_the_family_it_came_from(tmp_path, order):
    path = tmp_path / "plan.toml"
    path.write_text(old_plan(PUBLISHED[order[0]], *(presets()[name] for name in order)))
    plan = read_plan(path)
    assert study_windows(plan, TABLE) == {(name, FIELDS[name]): window for name, window in PUBLISHED.items()}
    assert read_plan(path) == make_plan({**plan.model_dump(exclude_none=True)}, "again")


def test_a_window_that_was_asked_for_holds_for_all_families_without_one(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(old_plan((20000, 30000), presets()["pythia"], presets()["pico-lm"]))
    assert set(study_windows(read_plan(path), TABLE).values()) == {(20000, 30000)}
    path.write_text(old_plan((4000, 73000), FamilyPlan(name="own", path=".")))
    assert read_plan(path).fit.window == (4000, 73000)


def test_what_decides_a_window_in_order():
    bare = presets()["pythia"].model_copy(update={"window": None})
    own = bare.model_copy(update={"window": (1, 2)})
    plan = Plan(families=(bare,), fit=FitPlan(window=(3, 4)))
    assert family_window(plan, own) == (1, 2) and family_window(plan, bare) == (3, 4)
    assert family_window(Plan(), bare) == (4000, 73000)
    assert family_window(Plan(), FamilyPlan(name="pythia", path=".")) is None  # a folder of that name may be anything
    table = TABLE.filter(pl.col("family") == "pythia")
    key = ("pythia", "update")
    assert study_windows(Plan(families=(own,)), table, (5, 6)) == {key: (5, 6)}
    assert study_windows(Plan(families=(own,)), table, {key: (5, 6)}) == {key: (5, 6)}
    assert study_windows(Plan(), table) == {key: (34000, 99000)}


def test_a_window_may_change_without_measuring_again_and_a_preset_does_not_undo_it(tmp_path):
    preset = presets()["pythia"]
    for asked, expected in ((preset, (4000, 73000)), ((1000, 9000), (1000, 9000)), (preset, (1000, 9000))):
        family = asked if isinstance(asked, FamilyPlan) else preset.model_copy(update={"window": asked})
        with gc.Study.create(tmp_path / "s", Plan(families=(family,))) as study:
            assert study.plan.families[0].window == expected
    with gc.Study.create(tmp_path / "s", Plan(fit=FitPlan(window=(1, 5)))) as study:
        assert study.plan.fit.window == (1, 5)


def test_a_window_the_wrong_way_round_is_refused(tmp_path):
    with pytest.raises(gc.InputError, match="window ends at 10 before it starts at 20"):
        make_plan({"families": [{"name": "a", "path": ".", "window": [20, 10]}]}, "this plan")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    for width in (6, 12, 18):
        write_pico_run(folder / "early" / f"a-d{width}", (0, 10, 20), width, blocks=1)
        write_pico_run(folder / "late" / f"b-d{width}", (1000, 1010, 1020), width, blocks=1)
    families = [
        {"name": name, "path": f"../{name}", "fields": ["gradient"], "window": window}
        for name, window in (("early", [10, 20]), ("late", [1000, 1010]))
    ]
    with gc.Study.create(folder / "s", make_plan({"nulls": {"kinds": []}, "families": families}, "plan")) as study:
        gc.run(study)
        yield study


def test_fits_and_reports_use_the_window_of_each_family(study):
    data = study_data(study)
    assert data.windows == {("early", "gradient"): (10, 20), ("late", "gradient"): (1000, 1010)}
    assert data.summary["n_steps"].unique().to_list() == [2] and data.empty_windows == []


def test_a_window_that_is_empty_for_one_family_is_said_and_for_all_refused(study):
    data = study_data(study, (1000, 1020))
    (empty,) = data.empty_windows
    assert (empty.family, empty.window, empty.measured) == ("early", (1000, 1020), (0, 20))
    assert "early, gradients: the window of steps 1,000 to 1,020 holds no measured step" in empty.sentence
    with pytest.raises(
        gc.InputError, match=r"early, gradients: .*; late, gradients: .* choose one within 1,000 to 1,020"
    ):
        study_data(study, (100, 200))


def test_robustness_says_which_family_has_no_snapshot_in_its_window(study):
    early, late = study.plan.families
    moved = study.plan.model_copy(update={"families": (early, late.model_copy(update={"window": (1, 2)}))})
    other = gc.Study(study.folder, moved, study.store)
    with ExitStack() as stack:
        sources = [
            (family, stack.enter_context(closing(open_source(study.folder, family)))) for family in moved.families
        ]
        with pytest.warns(WindowWarning, match=r"the window of late, gradients \(steps 1 to 2\)"):
            found = sample(other, sources, 8)
    assert {at.family for _, at in found} == {"early"}


def test_beside_published_values_a_folder_named_like_a_family_has_the_published_window(monkeypatch):
    from gradcascade.cli.compare import _study

    class Opened:
        def __init__(self, family):
            self.plan = Plan(families=(family,))

        def cascades(self):
            return TABLE.filter(pl.col("family") == "pythia")

    for window, expected in ((None, (4000, 73000)), ((5, 6), (5, 6))):
        opened = Opened(FamilyPlan(name="pythia", path=".", window=window))
        monkeypatch.setattr("gradcascade.study.study.Study.open", lambda _, opened=opened: nullcontext(opened))
        assert _study(Path(), None, published=True)[1] == {("pythia", "update"): expected}
        assert _study(Path(), None)[1] == {("pythia", "update"): window or (34000, 99000)}
