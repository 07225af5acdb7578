"""A small model and the plain loop around it."""

from typing import Any

import torch
from torch import nn

NAMES = ("0.weight", "0.bias", "2.weight", "2.bias")
"""Its parameters in the canonical order."""


def small(seed=0) -> Any:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(30, 40), nn.ReLU(), nn.Linear(40, 20))


def loss_of(model, step, dtype=torch.float32):
    batch = torch.randn(16, 30, generator=torch.Generator().manual_seed(step))
    return model(batch.to(dtype)).square().mean()


def at(monitor, step=0, **options):
    """What is measured at a step, which is something."""
    found = monitor.after_backward(step, **options)
    assert found is not None
    return found


def adam(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-2)


def train(model, monitor, steps, optimizer=None, first=0, dtype=torch.float32):
    """A plain loop; what the monitor gave, in order."""
    optimizer = optimizer or adam(model)
    found = []
    for step in range(first, first + steps):
        optimizer.zero_grad()
        loss_of(model, step, dtype).backward()
        found.append(monitor.after_backward(step))
        optimizer.step()
        found.append(monitor.after_step(step))
    return [one for one in found if one]


def flat(tensors):
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors]).clone()


def named(model):
    own = dict(model.named_parameters())
    return [own[name] for name in NAMES]


def gradient(model, step):
    """The field of a batch, computed apart from any loop."""
    return flat(torch.autograd.grad(loss_of(model, step), named(model)))


def same(measured, cascade):
    """Whether two cascades are the same, bit for bit."""
    numbers = ("n", "size", "duration", "tau", "max_over_tau", "zero_share", "v_abs", "v_rel", "ceiling")
    assert {name: getattr(measured, name) for name in numbers} == {name: getattr(cascade, name) for name in numbers}
    assert measured.activity.tolist() == cascade.activity.tolist()
    return True
