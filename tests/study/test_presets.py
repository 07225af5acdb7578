import pytest

from gradcascade import families
from gradcascade.families.files import VARIABLE
from gradcascade.sources.base import RunName
from gradcascade.study.plan import Plan, plan_toml, read_plan
from gradcascade.study.presets import presets


@pytest.mark.parametrize("name", presets())
def test_a_preset_is_the_published_protocol(tmp_path, name):
    family = presets()[name]
    plan = Plan(families=(family,))
    path = tmp_path / "plan.toml"
    path.write_text(plan_toml(plan))
    assert read_plan(path) == plan
    assert (plan.probe, plan.nulls) == (Plan().probe, Plan().nulls)
    hub = family.hub
    assert hub is not None and family.name == name
    known, runs = families.presets()[name]
    assert family.window == known.window and family.fields == known.fields and family.tensors == known.tensors
    assert len(hub.places) == sum(len(known.repositories(run)) for run in runs)
    if name == "pico-lm":
        assert family.window == (5000, 60000) and family.fields == ("gradient",) and hub.steps is None
        assert hub.repositories["large"] == "pico-lm/pico-decoder-large@pico-decoder-large-1"
    elif known.layout == "pythia" and name != "pythia-suite":
        assert family.window == (4000, 73000) and family.fields == ("update",)
        assert hub.steps is not None and len(hub.steps) == 154 and hub.steps[:4] == (0, 1, 2, 4)
        assert hub.steps[10:12] == (512, 1000) and hub.steps[-1] == 143000
        ending = {"pythia": "-seed3", "polypythias": "-seed9"}.get(name, name.removeprefix("pythia"))
        assert list(hub.places.values())[-1] == f"EleutherAI/pythia-410m{ending}"


def test_the_presets_of_the_published_families_know_their_entries():
    for name in [name for name in presets() if name != "gemstones"]:
        hub = presets()[name].hub
        assert hub is not None
        assert all(families.expected_entries(text.partition("@")[0]) for text in hub.places.values())


def test_several_runs_of_a_preset_are_runs_of_its_scales():
    hub = presets()["datadecide-falcon"].hub
    assert hub is not None and set(hub.repositories["1B"]) == {"default", "large-aux-2", "large-aux-3"}
    place = "allenai/DataDecide-falcon-4M@step{step}-seed-small-aux-3"
    assert hub.places[RunName("4M", "small-aux-3")] == place and len(hub.places) == 14 * 3
    one = presets()["pythia-seed7"].hub
    assert one is not None and {run.run for run in one.places} == {"0"}


def test_a_file_in_a_folder_of_the_user_is_a_preset_too(tmp_path, monkeypatch):
    (tmp_path / "toy.toml").write_text(
        'name = "toy"\ntitle = "Toy"\nlayout = "pythia"\nfields = ["update"]\nrepository = "me/toy-{scale}"\n'
        'window = [10, 20]\n[scales]\na = {}\nb = {}\n[verified]\nstate = "inferred"\nevidence = "a test"\n'
    )
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    toy = presets()["toy"]
    assert toy.hub is not None and toy.hub.repositories == {"a": "me/toy-a", "b": "me/toy-b"}
    assert toy.window == (10, 20) and toy.hub.steps is None
