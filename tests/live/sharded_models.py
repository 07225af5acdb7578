"""The model that every way of training several processes is tried on, and its batches."""

from typing import cast

import torch
from torch import nn

from gradcascade.fields.kinds import FIELD_KINDS, Optimizer

WAYS = ("ddp", "fsdp1", "fsdp2", "zero0", "zero1", "zero2", "zero3")
STEPS = 2


class Net(nn.Module):
    """Two blocks of odd shapes, which no number of processes divides."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.start = nn.Linear(7, 11, bias=False)
        self.blocks = nn.ModuleList(
            [nn.Sequential(nn.Linear(11, 13), nn.Tanh(), nn.Linear(13, 11)) for _ in range(2)]
        )
        self.end = nn.Linear(11, 7)

    def forward(self, x):
        x = self.start(x)
        for block in self.blocks:
            x = x + block(x)
        return self.end(x)


def loss_of(model, step, rank):
    generator = torch.Generator().manual_seed(10 * step + rank)
    return (model(torch.randn(5, 7, generator=generator)) - 1).square().mean()


def make_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-2)


def one_process():
    """Gradients, parameters and first moments of every step, trained here on the mean of both ranks' gradients."""
    net = Net()
    optimizer = make_optimizer(net)
    found = {"gradients": [], "parameters": [], "states": [], "directions": []}
    for step in range(STEPS):
        both = [torch.autograd.grad(loss_of(net, step, rank), list(net.parameters())) for rank in range(2)]
        for parameter, one, other in zip(net.parameters(), *both, strict=True):
            parameter.grad = (one + other) / 2
        named = dict(net.named_parameters())
        found["gradients"].append({name: cast(torch.Tensor, own.grad).clone() for name, own in named.items()})
        found["parameters"].append({name: own.detach().clone() for name, own in named.items()})
        if step:
            found["states"].append({name: optimizer.state[own]["exp_avg"].clone() for name, own in named.items()})
            found["directions"].append({name: direction(optimizer.state[own]) for name, own in named.items()})
        optimizer.step()
    return found


def direction(state):
    """What Adam applies after its first step, in double precision as the measurement makes it."""
    kind, settings = FIELD_KINDS["direction"], Optimizer(0.9, 0.999, 1e-8)
    return kind.make({key: value.numpy() for key, value in state.items()}, settings)
