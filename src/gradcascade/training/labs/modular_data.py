"""Addition modulo p as a data set: every pair of numbers with its sum, split into training and test pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of numbers below p, int64 (pairs, 2), and the number to be given for each, int64 (pairs,)."""

    numbers: Integers
    answers: Integers


def modular_pairs(prime: int, share: float, seed: int, *, random_answers: bool = False) -> tuple[Pairs, Pairs]:
    """Training and test pairs: a share of all p^2 pairs, drawn at random, and the others.

    The answer is the sum modulo p, or with ``random_answers`` a number drawn at random for each pair, which no pair
    tells about another. The same seed draws the same training pairs either way.
    """
    every = np.stack(np.divmod(np.arange(prime * prime), prime), axis=1)
    answers = every.sum(axis=1) % prime
    if random_answers:
        answers = np.random.default_rng((seed, 1)).integers(0, prime, len(every))
    order = np.random.default_rng((seed, 0)).permutation(len(every))
    edge = round(share * len(every))
    training, test = (Pairs(every[part], answers[part]) for part in (order[:edge], order[edge:]))
    return training, test
