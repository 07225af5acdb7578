import pytest

from gradcascade.errors import InputError
from gradcascade.training.labs.modular_plan import FAMILIES, ModularPlan, modular_plan


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"prime": 57}, r"lab: prime: it must be an odd prime, such as 59 \(got 57\)"),
        ({"prime": 2}, "odd prime"),
        ({"widths": (24, 30)}, "model width 30 is not a multiple of the 4 heads"),
        ({"widths": (48, 24)}, "widths: name at least one, ascending, and each once"),
        ({"widths": ()}, "at least one"),
        ({"seeds": (1, 1)}, "each once"),
        ({"share": 1.0}, "share: .*less than 1"),
        ({"prime": 3, "small_share": 0.01}, "small_share leaves no pair to train on"),
        ({"learning_rate": 0.0}, "learning_rate: .*greater than 0"),
        ({"every": 0}, "every: .*greater than or equal to 1"),
        ({"step": 7}, "unknown key 'step'; did you mean 'steps'"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(settings: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        modular_plan("lab", **settings)


def test_the_defaults_have_what_is_published() -> None:
    plan = ModularPlan()
    assert (plan.prime, plan.share, plan.threshold) == (59, 0.8, 0.99)
    assert len(plan.widths) > 3 and len(plan.seeds) >= 3
    assert [family.name for family in plan.study().families] == list(FAMILIES)
    assert (plan.probe.alpha, plan.probe.quantile, plan.probe.graph) == (0.3, 0.9, "barabasi-albert")
