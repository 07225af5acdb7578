"""The model that every trainer trains here: a tied head, twelve blocks, so that numbers in names have two digits."""

from pathlib import Path

import torch

WIDTHS = (4, 8, 12, 16)
SAVED = (4, 8, 12)
"""Steps of which a checkpoint is kept."""

Weights = dict[str, torch.Tensor]


class Block(torch.nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = torch.nn.Linear(width, 2 * width)
        self.down = torch.nn.Linear(2 * width, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(torch.tanh(self.up(x)))


class Small(torch.nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        torch.manual_seed(width)
        self.embed = torch.nn.Embedding(17, width)
        self.layers = torch.nn.ModuleList(Block(width) for _ in range(12))
        self.head = torch.nn.Linear(width, 17, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("causal_mask", torch.ones(3, 3).tril())

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x)
        return torch.nn.functional.cross_entropy(self.head(x).flatten(0, -2).float(), tokens.roll(1).flatten())


def tokens(step: int) -> torch.Tensor:
    return torch.randint(0, 17, (4, 3), generator=torch.Generator().manual_seed(step))


def weights(model: torch.nn.Module) -> Weights:
    """The parameters as training has them, a tied one once."""
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def run_of(root: Path, width: int) -> Path:
    folder = root / f"mine-d{width}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
