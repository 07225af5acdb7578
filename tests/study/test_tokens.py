import polars as pl
import pytest

from gradcascade.study.plan import FamilyPlan, Plan
from gradcascade.study.presets import presets
from gradcascade.study.tokens import named_tokens, tokens_of_a_step, tokens_table


@pytest.mark.parametrize(
    ("source", "step", "tokens"),
    [
        ("allenai/OLMo-2-1124-13B: stage1-step102500-tokens860B minus stage1-step101000-tokens848B", 102_500, 860e9),
        ("allenai/OLMo-2-1124-13B: stage1-step102500-tokens860B minus stage1-step101000-tokens848B", 101_000, 848e9),
        ("lab/x: step20-tokens1.5M", 20, 1.5e6),
        ("lab/x: step_00020-tokens3", 20, 3),
        ("lab/x: step20-tokens4B", 2, None),
        ("lab/x: step20 minus step10-tokens4B", 20, None),
        ("lab/x: step20", 20, None),
    ],
)
def test_tokens_stand_in_names_beside_their_step(source, step, tokens):
    assert named_tokens(source, step) == tokens


def test_a_family_file_tells_the_tokens_of_a_step_and_a_plan_overrides_it():
    preset = presets()["datadecide"]
    assert tokens_of_a_step(preset)["4M"] == 32 * 2048 and tokens_of_a_step(preset)["1B"] == 704 * 2048
    renamed = preset.model_copy(update={"name": "mine", "tokens": {"4M": 7}})
    assert tokens_of_a_step(renamed)["4M"] == 7 and tokens_of_a_step(renamed)["6M"] == 65_536
    assert tokens_of_a_step(FamilyPlan(name="pythia", path="runs")) == {}  # a name on disk is no proof


def test_the_table_has_rows_where_something_is_known():
    plan = Plan(families=(FamilyPlan(name="f", path="runs", tokens={"a": 1000}), FamilyPlan(name="g", path="more")))
    rows = [
        ("f", "a", 3, "runs/a/step_3"), ("f", "a", 3, "runs/a/step_3"), ("f", "b", 3, "runs/b/step_3"),
        ("g", "a", 3, "more/step3-tokens2B minus more/step2-tokens1B"),
    ]  # fmt: skip
    cascades = pl.DataFrame(rows, schema=["family", "scale", "step", "source"], orient="row")
    metrics = pl.DataFrame({"family": ["f"], "scale": ["a"], "step": [9]})
    assert tokens_table(plan, cascades, metrics).rows() == [
        ("f", "a", 3, 3000),
        ("f", "a", 9, 9000),
        ("g", "a", 3, 2 * 10**9),
    ]
    assert tokens_table(plan, cascades.clear(), metrics.clear()).is_empty()
