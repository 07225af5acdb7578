import torch
from torch import nn

import gradcascade as gc

KINDS = ("gradient", "momentum", "direction", "update")


def small(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(30, 40), nn.ReLU(), nn.Linear(40, 20))


def loss_of(model, step):
    return model(torch.randn(16, 30, generator=torch.Generator().manual_seed(step))).square().mean()


def train(model, monitor, steps, optimizer=None, first=0):
    """A plain loop; what the monitor gave, in order."""
    optimizer = optimizer or torch.optim.AdamW(model.parameters(), lr=1e-2)
    found = []
    for step in range(first, first + steps):
        optimizer.zero_grad()
        loss_of(model, step).backward()
        found.append(monitor.after_backward(step))
        optimizer.step()
        found.append(monitor.after_step(step))
    return [one for one in found if one]


def flat(tensors):
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors]).clone()


def canonical(model):
    """Parameters in the canonical order: by the names without a final weight."""
    named = dict(model.named_parameters())
    return [named[name] for name in ("0.weight", "0.bias", "2.weight", "2.bias")]


def test_the_numbers_of_a_gradient_are_those_of_the_probe():
    model = small()
    monitor = gc.Monitor(model, every=2, strict=True)
    found = train(model, monitor, 4)
    assert [one.step for one in found] == [0, 2]
    twin = small()
    field = flat(torch.autograd.grad(loss_of(twin, 0), canonical(twin)))
    cascade = gc.Probe()(field)
    own = found[0]["gradient"]
    assert monitor.names == ("0.weight", "0.bias", "2.weight", "2.bias")
    for name in ("n", "size", "duration", "tau", "max_over_tau", "zero_share", "v_abs", "v_rel"):
        assert getattr(own, name) == getattr(cascade, name)
        assert found[0].scalars()[f"gradcascade/gradient/{name}"] == getattr(cascade, name)
    assert found[0].moment == "after backward"
