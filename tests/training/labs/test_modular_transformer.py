import math

import pytest
import torch

from gradcascade.training.labs.modular_transformer import ModularTransformer, entries


@pytest.mark.parametrize(("prime", "width", "heads"), [(7, 8, 2), (59, 24, 4)])
def test_it_is_an_ordinary_transformer_of_one_block(prime, width, heads):
    """Sequence by sequence and head by head: attention over all three tokens, read at the last."""
    torch.manual_seed(1)
    model = ModularTransformer(prime, width, heads).double()
    pairs = torch.randint(0, prime, (9, 2))
    found = model(pairs)
    size = width // heads
    for (a, b), logits in zip(pairs.tolist(), found, strict=True):
        x = model.embedding[[a, b, prime]] + model.positions
        q, k, v = (x @ matrix.T for matrix in (model.query, model.key, model.value))
        mixed = []
        for head in range(heads):
            own = slice(head * size, (head + 1) * size)
            weights = torch.softmax(k[:, own] @ q[2, own] / math.sqrt(size), 0)
            mixed.append(weights @ v[:, own])
        stream = x[2] + model.output @ torch.cat(mixed)
        stream = stream + model.mlp_out @ torch.relu(model.mlp_in @ stream)
        torch.testing.assert_close(logits, model.unembedding @ stream)


@pytest.mark.parametrize("width", [24, 128])
def test_the_number_of_entries_is_that_of_the_parameters(width):
    model = ModularTransformer(59, width, 4)
    assert sum(parameter.numel() for parameter in model.parameters()) == entries(59, width)
