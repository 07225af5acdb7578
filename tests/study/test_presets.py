import pytest

from gradcascade.sources.hub.record import PUBLISHED_ENTRIES
from gradcascade.study.plan import FitPlan, Plan, plan_toml, read_plan
from gradcascade.study.presets import presets


@pytest.mark.parametrize("name", presets())
def test_a_preset_is_the_published_protocol(tmp_path, name):
    preset = presets()[name]
    plan = Plan(families=(preset.family,), fit=FitPlan(window=preset.window))
    path = tmp_path / "plan.toml"
    path.write_text(plan_toml(plan))
    assert read_plan(path) == plan
    assert (plan.probe, plan.nulls) == (Plan().probe, Plan().nulls)
    hub = preset.family.hub
    assert hub is not None
    if name == "pico-lm":
        assert preset.window == (5000, 60000) and preset.family.fields == ("gradient",) and hub.steps is None
        assert hub.repositories["large"] == "pico-lm/pico-decoder-large@pico-decoder-large-1"
    else:
        assert preset.window == (4000, 73000) and preset.family.fields == ("update",)
        assert hub.steps is not None and len(hub.steps) == 154 and hub.steps[:4] == (0, 1, 2, 4)
        assert hub.steps[10:12] == (512, 1000) and hub.steps[-1] == 143000
        ending = {"pythia": "-seed3"}.get(name, name.removeprefix("pythia"))
        assert list(hub.repositories.values())[-1] == f"EleutherAI/pythia-410m{ending}"


def test_the_presets_of_the_published_families_know_their_entries():
    named = [
        text.partition("@")[0]
        for name in ("pico-lm", "pythia")
        for hub in [presets()[name].family.hub]
        if hub
        for text in hub.repositories.values()
    ]
    assert sorted(named) == sorted(PUBLISHED_ENTRIES)
