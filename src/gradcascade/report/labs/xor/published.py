"""What arXiv:2604.04655 gives, with its errors as it states them."""

from typing import NamedTuple

from gradcascade.scaling.phases import AFTER, ALL, BEFORE


class Published(NamedTuple):
    """A published value and its error."""

    value: float
    error: float


PAPER = "arXiv:2604.04655"
D = {BEFORE: Published(0.90, 0.02), AFTER: Published(1.20, 0.02), ALL: Published(1.00, 0.02)}
GAUSSIAN = Published(0.99, 0.01)
GAMMA = Published(1.15, 0.06)
GRAPHS_VARIATION = 0.003
"""Coefficient of variation of D of Gaussian fields over five kinds of graph: below this."""
CONCENTRATION = 0.25
"""Rise of the Gini coefficient of the weights' magnitudes at the transition."""
