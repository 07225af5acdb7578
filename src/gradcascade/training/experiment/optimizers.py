"""The optimizers of an experiment, an entry each: how it is made, and which kinds of field it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcascade.training.decoder import Decoder

MOMENTUM = 0.9


@dataclass(frozen=True)
class OptimizerChoice:
    """An optimizer that can be asked for."""

    name: str
    words: str
    make: Callable[[Decoder, float, float], list[Any]]
    """From the model, the rate and the weight decay; several where it steps parameters in different ways."""
    middle: float
    """The middle of the rates that are tried."""
    width_power: float
    """The rate that moves features equally at every width goes with this power of the width."""
    kinds: dict[str, str]
    """Of the kinds of field that an optimizer may have, those that it has, and the kind that each is made as."""


def _adamw(model: Decoder, rate: float, decay: float) -> list[Any]:
    import torch

    return [torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay, fused=True)]


def _momentum(model: Decoder, rate: float, decay: float) -> list[Any]:
    import torch

    return [torch.optim.SGD(model.parameters(), lr=rate, momentum=MOMENTUM)]


def _sgd(model: Decoder, rate: float, decay: float) -> list[Any]:
    import torch

    return [torch.optim.SGD(model.parameters(), lr=rate)]


def _muon(model: Decoder, rate: float, decay: float) -> list[Any]:
    import torch

    from gradcascade.errors import InputError

    if not hasattr(torch.optim, "Muon"):
        raise InputError("muon needs torch.optim.Muon, which this PyTorch does not have; install torch 2.9 or later")
    hidden = [own for own in model.layers.parameters() if own.ndim == 2]
    known = {id(own) for own in hidden}
    rest = [own for own in model.parameters() if id(own) not in known]
    return [
        torch.optim.Muon(hidden, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=rate, weight_decay=decay, fused=True),
    ]


OPTIMIZERS = {
    own.name: own
    for own in (
        OptimizerChoice(
            "adamw",
            "AdamW, PyTorch's betas 0.9 and 0.999",
            _adamw,
            8e-3,
            -1.0,
            {"momentum": "momentum", "direction": "direction"},
        ),
        OptimizerChoice(
            "sgd-momentum",
            f"SGD with momentum {MOMENTUM:g}, whose direction is its momentum; no weight decay",
            _momentum,
            0.2,
            0.0,
            {"momentum": "momentum", "direction": "momentum"},
        ),
        OptimizerChoice("sgd", "plain SGD, no weight decay", _sgd, 1.0, 0.0, {}),
        OptimizerChoice(
            "muon",
            "Muon with momentum 0.95 on the blocks' matrices, with updates as large as those of AdamW on the rest",
            _muon,
            8e-3,
            -0.5,
            {"momentum": "momentum"},
        ),
    )
}
"""By name. The powers of the width are those of Tensor Programs V (arXiv:2203.03466, table 3, hidden weights)."""
