"""A transformer of one block that reads ``a b =`` and gives a number below p."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HIDDEN = 4
"""Neurons of the MLP for each channel of the model."""


class ModularTransformer(nn.Module):
    """One block of attention and an MLP with ReLU, without layer norms and biases, as grokking is studied in.

    The shape is that of Nanda et al. (arXiv:2301.05217): three tokens, p numbers and ``=``, learned positions, an
    answer read at ``=``. Weights start normal with variance 1 / fan-in, embeddings with 1 / d.

    Parameters
    ----------
    prime : int
        p.
    width : int
        Channels d, a multiple of ``heads``.
    heads : int
        Attention heads.
    """

    def __init__(self, prime: int, width: int, heads: int) -> None:
        super().__init__()
        self.prime, self.heads = prime, heads

        def matrix(rows: int, columns: int, fan_in: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(rows, columns) / math.sqrt(fan_in))

        self.embedding = matrix(prime + 1, width, width)
        self.positions = matrix(3, width, width)
        self.query, self.key, self.value, self.output = (matrix(width, width, width) for _ in range(4))
        self.mlp_in = matrix(HIDDEN * width, width, width)
        self.mlp_out = matrix(width, HIDDEN * width, HIDDEN * width)
        self.unembedding = matrix(prime, width, width)

    def forward(self, pairs: Tensor) -> Tensor:
        """Logits (pairs, p) of the answers to int64 ``pairs`` (pairs, 2).

        Only ``=`` is read, and its query is the same for every pair, as are the keys and values of a number at a
        place; they are made once for each and looked up, which is half of the work.
        """
        last = self.embedding[-1] + self.positions[2]
        numbers = self.embedding[:-1]
        tokens = torch.cat([numbers + self.positions[0], numbers + self.positions[1], last[None]])
        by_head = (len(tokens), self.heads, -1)
        scores = (F.linear(tokens, self.key).view(by_head) * (self.query @ last).view(self.heads, -1)).sum(-1)
        values = F.linear(tokens, self.value)
        size = values.shape[1] // self.heads
        places = F.pad(pairs, (0, 1)) + torch.tensor([0, self.prime, 2 * self.prime])
        attention = torch.softmax(F.embedding(places, scores) / math.sqrt(size), dim=1)
        looked_up = F.embedding(places, values).view(len(pairs), 3, self.heads, size)
        mixed = (attention[..., None] * looked_up).sum(1).flatten(1)
        stream = last + F.linear(mixed, self.output)
        stream = stream + F.linear(F.relu(F.linear(stream, self.mlp_in)), self.mlp_out)
        return F.linear(stream, self.unembedding)


def entries(prime: int, width: int) -> int:
    """Number of parameters, N of the fields: 12 d^2 + (2 p + 4) d."""
    return (4 + 2 * HIDDEN) * width**2 + (2 * prime + 4) * width
