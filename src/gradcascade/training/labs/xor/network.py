"""A network of two inputs, one hidden layer and one output, with its gradient written out: N = 4h + 1 parameters.

Everything is double precision and summed in a fixed order, so that a training depends on its seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Activation = Literal["tanh", "relu", "sigmoid"]
Init = Literal["uniform", "xavier", "normal"]

INPUTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)
TARGETS = np.array([0, 1, 1, 0], np.float64)


def sigmoid(z: Floats) -> Floats:
    """1 / (1 + exp(-z)), without overflow."""
    return np.where(z >= 0, 1.0, np.exp(-np.abs(z))) / (1 + np.exp(-np.abs(z)))


def _activated(kind: str, z: Floats) -> tuple[Floats, Floats]:
    """Values of the activation, and its derivatives."""
    if kind == "relu":
        return np.maximum(z, 0), (z > 0).astype(np.float64)
    if kind == "tanh":
        value = np.tanh(z)
        return value, 1 - value * value
    value = sigmoid(z)
    return value, value * (1 - value)


@dataclass
class Network:
    """Parameters of one network, flat: hidden weights (h, 2), hidden biases (h), output weights (h), output bias."""

    width: int
    activation: str
    theta: Floats

    @classmethod
    def drawn(cls, width: int, activation: str, init: str, rng: np.random.Generator) -> Network:
        """Draw the parameters.

        ``uniform``: all within 1 / root of fan-in. ``xavier``: weights uniform within root of 6 / (fan-in + fan-out)
        (Glorot and Bengio 2010), biases zero. ``normal``: weights normal with variance 1 / fan-in, biases zero.
        """
        draws = rng.uniform(-1, 1, 4 * width + 1) if init != "normal" else rng.standard_normal(4 * width + 1)
        fans = {"uniform": (2.0, width), "xavier": ((2 + width) / 6, (width + 1) / 6), "normal": (2.0, width)}
        first, last = (1 / np.sqrt(fan) for fan in fans[init])
        free = init == "uniform"
        factor = np.repeat([first, first * free, last, last * free], [2 * width, width, width, 1])
        return cls(width, activation, draws * factor)

    def _layers(self) -> tuple[Floats, Floats, Floats, Floats]:
        h = self.width
        theta = self.theta
        return theta[: 2 * h].reshape(h, 2), theta[2 * h : 3 * h], theta[3 * h : 4 * h], theta[4 * h :]

    def outputs(self, x: Floats = INPUTS) -> Floats:
        """Logit of every pattern."""
        hidden, bias, out, last = self._layers()
        values, _ = _activated(self.activation, _layer(x, hidden, bias))
        return (values * out).sum(axis=1) + last

    def gradient(self, which: NDArray[np.intp]) -> Floats:
        """Gradient of the mean binary cross-entropy over some of the patterns, in the order of the parameters."""
        x, y = INPUTS[which], TARGETS[which]
        hidden, bias, out, last = self._layers()
        values, slopes = _activated(self.activation, _layer(x, hidden, bias))
        error = (sigmoid((values * out).sum(axis=1) + last) - y) / len(y)
        back = error[:, None] * out * slopes
        weights = np.stack([(back * x[:, [k]]).sum(axis=0) for k in (0, 1)], axis=1)
        return np.concatenate(
            [weights.ravel(), back.sum(axis=0), (error[:, None] * values).sum(axis=0), [error.sum()]]
        )

    def loss(self) -> float:
        """Mean binary cross-entropy over the four patterns, in nats."""
        z = self.outputs()
        return float(np.mean(np.maximum(z, 0) - z * TARGETS + np.log1p(np.exp(-np.abs(z)))))

    def accuracy(self) -> float:
        """Share of the four patterns that the sign of the logit gets right."""
        return float(np.mean((self.outputs() > 0) == (TARGETS > 0.5)))

    def concentration(self) -> float:
        """Gini coefficient of the magnitudes of the parameters: 0 if all are equal, near 1 if one has it all."""
        ordered = np.sort(np.abs(self.theta))
        n, total = ordered.size, ordered.sum()
        return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total)) if total else 0.0


def _layer(x: Floats, hidden: Floats, bias: Floats) -> Floats:
    """Inputs of the hidden units, (patterns, h)."""
    return x[:, [0]] * hidden[:, 0] + x[:, [1]] * hidden[:, 1] + bias
