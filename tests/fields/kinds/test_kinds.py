"""A kind of field is one file, and is what PyTorch's optimizers hold and do."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from toys import add_module

from gradcascade.errors import InputError
from gradcascade.fields.kinds import FIELD_KINDS, Optimizer, field_plural, in_field_order
from gradcascade.study.plan import FamilyPlan, make_plan

TOY = """
from gradcascade.fields.kinds.base import FieldKind

FIELD_KIND = FieldKind(
    "curvature", 1.5, "curvatures", "diagonal of the Hessian", (("hessian",),), lambda parts, how: parts["hessian"]
)
"""
LR, BETAS, EPS = 0.01, (0.8, 0.95), 1e-6
RNG = np.random.default_rng(1)


def numpy_of(tensors):
    return {name: tensor.detach().numpy().copy() for name, tensor in tensors.items()}


def trained(make, steps=3, dtype=torch.float64):
    """Parameters before and after the last step, the last gradient, and the optimizer's state after it, by group."""
    torch.manual_seed(0)
    parameters = {"a.w": torch.randn(4, 3, dtype=dtype), "b": torch.randn(5, dtype=dtype)}
    for tensor in parameters.values():
        tensor.requires_grad_()
    optimizer = make(parameters.values())
    before = {}
    for _ in range(steps):
        before = numpy_of(parameters)
        for tensor in parameters.values():
            tensor.grad = torch.randn_like(tensor) * 1e-2
        optimizer.step()
    groups = {"before": before, "after": numpy_of(parameters)}
    groups["gradient"] = numpy_of({name: tensor.grad for name, tensor in parameters.items()})
    for name, tensor in parameters.items():
        for group, value in optimizer.state[tensor].items():
            groups.setdefault(group, {})[name] = np.asarray(value.detach())
    return groups


def adamw(amsgrad=False):
    return lambda parameters: torch.optim.AdamW(
        parameters, lr=LR, betas=BETAS, eps=EPS, weight_decay=0.0, amsgrad=amsgrad
    )


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 30])
def test_adams_update_is_its_direction_times_the_learning_rate(steps, amsgrad):
    groups = trained(adamw(amsgrad), steps)
    direction = FIELD_KINDS["direction"].values(groups, Optimizer(*BETAS, EPS))
    update = FIELD_KINDS["update"].values(groups)
    assert direction.shape == (17,)
    assert update == pytest.approx(-LR * direction, rel=1e-9)


def test_the_direction_of_single_precision_is_that_of_double_rounded():
    groups = trained(adamw(), 5, torch.float32)
    direction = FIELD_KINDS["direction"].values(groups, Optimizer(*BETAS, EPS))
    wide = {group: {k: np.asarray(v, np.float64) for k, v in tensors.items()} for group, tensors in groups.items()}
    assert direction.dtype == np.float32
    assert np.array_equal(direction, FIELD_KINDS["direction"].values(wide, Optimizer(*BETAS, EPS)).astype(np.float32))


def test_after_one_step_adams_momentum_is_a_share_of_the_gradient():
    groups = trained(adamw(), 1)
    momentum, gradient = (FIELD_KINDS[name].values(groups) for name in ("momentum", "gradient"))
    assert momentum == pytest.approx((1 - BETAS[0]) * gradient)
    assert np.array_equal(gradient, np.concatenate([groups["gradient"]["a.w"].ravel(), groups["gradient"]["b"]]))


def test_momentum_of_sgd_is_its_buffer_and_moves_the_parameters():
    groups = trained(lambda parameters: torch.optim.SGD(parameters, lr=LR, momentum=0.9))
    momentum, update = (FIELD_KINDS[name].values(groups) for name in ("momentum", "update"))
    assert update == pytest.approx(-LR * momentum, rel=1e-9)


def test_the_mean_gradient_is_the_gradient_of_the_mean_loss():
    weight = torch.randn(6, 4, generator=torch.Generator().manual_seed(2)).requires_grad_()
    batches = torch.randn(3, 10, 6, generator=torch.Generator().manual_seed(3))
    each = [torch.autograd.grad((batch @ weight).tanh().pow(2).mean(), weight)[0].numpy() for batch in batches]
    whole = torch.autograd.grad((batches @ weight).tanh().pow(2).mean(), weight)[0].numpy()
    found = FIELD_KINDS["mean-gradient"].values({"gradients": {"w": each}})
    assert found.dtype == np.float32
    assert found == pytest.approx(whole.ravel(), rel=1e-5, abs=1e-8)


def test_the_order_is_that_of_the_first_group_and_not_of_the_names():
    after = {"z": np.array([1.0, 2.0]), "a": np.array([5.0])}
    before = {"a": np.array([1.0]), "z": np.array([1.0, 1.0])}
    assert FIELD_KINDS["update"].values({"after": after, "before": before}).tolist() == [4.0, 0.0, 1.0]


W = {"w": np.ones(2)}


@pytest.mark.parametrize(
    ("kind", "groups", "words"),
    [
        (
            "momentum",
            {"gradient": W},
            "made from exp_avg, or from momentum_buffer; there is only gradient",
        ),
        ("gradient", {}, "there is only nothing"),
        ("gradient", {"gradient": {}}, "gradient holds no tensors"),
        ("update", {"before": W, "after": W | {"v": np.ones(1)}}, "different tensors: only one of them has v"),
        ("update", {"before": W, "after": {"w": np.ones(1)}}, r"shapes \(2,\) and \(1,\)"),
        ("direction", {"exp_avg": W, "exp_avg_sq": W, "step": {"w": 0}}, "at step 0"),
        ("direction", {"exp_avg": W, "exp_avg_sq": W, "step": {"w": float("nan")}}, "at step nan"),
        ("direction", {"exp_avg": W, "exp_avg_sq": {"w": -W["w"]}, "step": {"w": 1}}, "cannot be negative"),
        ("direction", {"exp_avg": W, "exp_avg_sq": {"w": np.ones(1)}, "step": {"w": 1}}, "must be the same"),
        ("mean-gradient", {"gradients": {"w": []}}, "at least one batch"),
        ("mean-gradient", {"gradients": {"w": [np.ones(2), np.ones(1)]}}, "must be the same"),
    ],
)
def test_what_cannot_be_made_is_refused(kind, groups, words):
    with pytest.raises(InputError, match=words):
        FIELD_KINDS[kind].values(groups)


def test_the_kinds_there_are_and_their_order():
    assert FIELD_KINDS.names == ("gradient", "update", "momentum", "direction", "mean-gradient")
    assert [kind.name for kind in FIELD_KINDS.values() if kind.span] == ["update"]
    assert in_field_order(["zebra", "update", "gradient"]) == ["gradient", "update", "zebra"]
    assert (field_plural("momentum"), field_plural("zebra")) == ("momenta", "zebra fields")


def test_a_toy_is_one_file(tmp_path, monkeypatch):
    add_module(monkeypatch, tmp_path / "kinds", "gradcascade.fields.kinds", "curvature", TOY)
    assert FIELD_KINDS["curvature"].values({"hessian": W}).tolist() == [1, 1]
    assert field_plural("curvature") == "curvatures"
    assert in_field_order(["update", "curvature", "momentum"]) == ["update", "curvature", "momentum"]
    assert FamilyPlan(name="own", path=".", fields=("curvature",)).fields == ("curvature",)


def test_a_plan_with_an_unknown_kind_is_refused_with_the_names_there_are():
    family = {"name": "x", "path": ".", "fields": ["gradients"]}
    with pytest.raises(InputError, match=r"kind of field 'gradients' is unknown; did you mean 'gradient'\?"):
        make_plan({"families": [family]}, "plan.toml")


def test_declarations_need_no_compiler():
    code = (
        "import sys; from gradcascade.fields.kinds import FIELD_KINDS;"
        "list(FIELD_KINDS); assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
