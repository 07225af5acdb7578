"""Plans of experiments: what is refused, and that a plan written out is the same plan."""

import pytest

from gradcascade.errors import InputError
from gradcascade.training.experiment.plan import ExperimentPlan, read_experiment
from gradcascade.training.plan_folder import claim_folder, plan_toml


def written(tmp_path, text):
    path = tmp_path / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("optimisers = ['adamw']", "unknown key 'optimisers'; did you mean 'optimizers'"),
        ("optimizers = ['adam']", "no optimizer of this name; choose from adamw, sgd-momentum, sgd, muon"),
        ("schedules = ['step']", "no schedule of this name; choose from constant, cosine, linear"),
        ("kinds = ['gradients']", "kind of field"),
        ("widths = [24, 50]", "50 is not a multiple of 24"),
        ("widths = [48, 24]", "must ascend"),
        ("seeds = [1, 1]", "each once"),
        ("spans = []", "at least one"),
        ("measured = [10, 20]", "an update of 50 steps cannot end at step 10"),
        ("measured = [64, 200]", "step 200 is to be measured, and there are 120 steps"),
        ("warmup = 500", "longer than the 120 steps"),
        ("[tuning]\nseed = 3", "seed 3 is that of a run"),
        ("[tuning]\nfaktor = 2.0", "unknown key 'tuning.faktor'; did you mean 'factor'"),
        ("learning_rates = {sgd = 0.1}", "has sgd, which is not among the optimizers"),
        ("learning_rates = {adamw = 0.0}", "learning_rates.adamw"),
        ("optimizers = ['sgd']\nkinds = ['momentum']", "sgd has none of the kinds of field momentum"),
        ("batches = 1", "batches"),
        ("steps = ", "not a TOML file"),
    ],
)
def test_what_makes_no_experiment_is_refused(tmp_path, text, complaint):
    with pytest.raises(InputError, match=r"plan\.toml") as refused:
        read_experiment(written(tmp_path, text))
    assert complaint in str(refused.value)


def test_a_plan_written_out_is_the_same_plan(tmp_path):
    text = 'optimizers = ["muon", "sgd"]\ntext = ["a \\"b\\".txt"]\nlearning_rates = {muon = 0.003}\n[probe]\nm = 3'
    plan = read_experiment(written(tmp_path, text))
    assert plan.text == (str(tmp_path / 'a "b".txt'),)
    assert read_experiment(written(tmp_path, plan_toml(plan))) == plan
    assert read_experiment(written(tmp_path, "")) == ExperimentPlan()


def test_a_folder_keeps_its_plan(tmp_path):
    plan = ExperimentPlan()
    claim_folder(plan, tmp_path / "own", "an experiment")
    claim_folder(plan, tmp_path / "own", "an experiment")
    other = plan.model_copy(update={"seeds": (0, 1)})
    with pytest.raises(InputError, match=r"seeds = \[0, 1, 2, 3\], now \[0, 1\] is asked for"):
        claim_folder(other, tmp_path / "own", "an experiment")
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "a.txt").touch()
    with pytest.raises(InputError, match="something other than an experiment"):
        claim_folder(plan, tmp_path / "else", "an experiment")


def test_schedules_rise_and_then_go_their_way():
    plan = ExperimentPlan(steps=110, warmup=10, measured=(60, 110))
    for name, middle, last in (("constant", 1, 1), ("cosine", 0.55, 0.1), ("linear", 0.5, 0)):
        assert [plan.factor(name, step) for step in (0, 4, 9, 10)] == pytest.approx([0.1, 0.5, 1, 1])
        assert [plan.factor(name, step) for step in (60, 110)] == pytest.approx([middle, last])


def test_kinds_that_an_optimizer_lacks_are_left_out():
    plan = ExperimentPlan(optimizers=("adamw", "sgd-momentum", "sgd", "muon"))
    assert plan.fields_of("adamw") == plan.fields_of("sgd-momentum") == plan.kinds
    assert plan.fields_of("sgd") == ("gradient", "mean-gradient", "update")
    assert set(plan.kinds) - set(plan.fields_of("muon")) == {"direction"}
