"""Reconstructed learning-rate schedules of the published families, for associations that allow for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradcascade.errors import InputError


def pico_learning_rate(
    step: ArrayLike, peak: float = 3e-4, warmup: int = 2_500, total: int = 200_000
) -> NDArray[np.float64]:
    """Learning rate of Pico-LM: linear warm-up, then linear decay to zero (arXiv:2605.02968).

    Parameters
    ----------
    step : array_like of int
        Training steps, any shape.
    peak : float
        Learning rate at the end of the warm-up.
    warmup : int
        Steps of the warm-up.
    total : int
        Step at which the rate reaches zero; it stays there.

    Returns
    -------
    numpy.ndarray
        float64, of the shape of ``step``.

    Raises
    ------
    InputError
        If a step is negative, or not ``0 <= warmup < total``.
    """
    steps = _checked(step, warmup, total)
    return peak * np.minimum(_rise(steps, warmup), np.maximum(0.0, (total - steps) / (total - warmup)))


def pythia_learning_rate(
    step: ArrayLike, peak: float = 1e-3, warmup: int = 1_430, total: int = 143_000, final: float = 0.1
) -> NDArray[np.float64]:
    """Learning rate of Pythia: linear warm-up over 1 % of the steps, then a cosine to a tenth (arXiv:2304.01373).

    Parameters
    ----------
    step : array_like of int
        Training steps, any shape.
    peak : float
        Learning rate at the end of the warm-up. It differs between the models; a linear residual does not depend
        on it.
    warmup : int
        Steps of the warm-up.
    total : int
        Step at which the cosine ends; the rate stays there.
    final : float
        Last rate as a share of the peak.

    Returns
    -------
    numpy.ndarray
        float64, of the shape of ``step``.

    Raises
    ------
    InputError
        If a step is negative, or not ``0 <= warmup < total``.
    """
    steps = _checked(step, warmup, total)
    progress = np.clip((steps - warmup) / (total - warmup), 0.0, 1.0)
    cosine = final + (1 - final) * (1 + np.cos(np.pi * progress)) / 2
    return peak * np.where(steps < warmup, _rise(steps, warmup), cosine)


def _rise(steps: NDArray[np.float64], warmup: int) -> NDArray[np.float64]:
    return np.minimum(1.0, steps / warmup) if warmup else np.ones_like(steps)


def _checked(step: ArrayLike, warmup: int, total: int) -> NDArray[np.float64]:
    steps = np.asarray(step, dtype=np.float64)
    if not 0 <= warmup < total:
        raise InputError(f"a schedule needs 0 <= warmup < total, got warmup {warmup} and total {total}")
    if (steps < 0).any():
        raise InputError(f"a training step cannot be negative, got {steps.min():g}")
    return steps
