"""Reconstructed learning-rate schedules of the published families, for associations that allow for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class PicoSchedule:
    """Learning-rate schedule of one Pico run.

    Attributes
    ----------
    peak : float
        Learning rate at the end of the warm-up.
    warmup : int
        Steps of the warm-up.
    total : int
        Step at which a decaying rate reaches zero.
    decays : bool
        Whether it decays linearly, or stays at its peak.
    published : bool
        Whether it is the published schedule, for want of the run's own.
    """

    peak: float = 3e-4
    warmup: int = 2_500
    total: int = 200_000
    decays: bool = True
    published: bool = True

    def rate(self, step: ArrayLike) -> NDArray[np.float64]:
        """Learning rate at the given steps; see :func:`pico_learning_rate`."""
        if self.decays:
            return pico_learning_rate(step, self.peak, self.warmup, self.total)
        steps = _checked(step, self.warmup, max(self.total, self.warmup + 1))
        return self.peak * _rise(steps, self.warmup)


def read_pico_schedule(run: Path | str) -> PicoSchedule:
    """Read the learning-rate schedule of a run from its ``training_config.yaml``, or take the published one.

    Parameters
    ----------
    run : pathlib.Path or str
        Folder of the run: one on disk, or the folder of small files that measuring from the hub keeps.

    Returns
    -------
    PicoSchedule
        The published one (arXiv:2605.02968) where the run has no such file.

    Raises
    ------
    InputError
        If the file cannot be read, lacks the schedule, or names one other than ``linear_with_warmup`` and
        ``constant_with_warmup``.
    """
    import yaml

    path = Path(run) / "training_config.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return PicoSchedule()
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise InputError(
            f"{path} is not readable YAML ({type(error).__name__}); fetch it again or remove it"
        ) from None
    try:
        training = content["training"]
        options = training["optimization"]
        peak, warmup, total = float(options["lr"]), int(options["lr_warmup_steps"]), int(training["max_steps"])
        kind = options["lr_scheduler"]
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InputError(
            f"{path} lacks training.optimization.lr, .lr_warmup_steps, .lr_scheduler or training.max_steps; complete "
            "it, or remove it to use the published schedule"
        ) from None
    if not 0 < peak < np.inf or not 0 <= warmup < total:
        raise InputError(f"{path} has a rate of {peak}, {warmup} warm-up steps and {total} in all; correct it")
    if kind not in ("linear_with_warmup", "constant_with_warmup"):
        raise InputError(f"{path} has the schedule {kind!r}; only linear and constant ones with warm-up are known")
    return PicoSchedule(peak, warmup, total, kind == "linear_with_warmup", published=False)


def _rise(steps: NDArray[np.float64], warmup: int) -> NDArray[np.float64]:
    return np.minimum(1.0, steps / warmup) if warmup else np.ones_like(steps)


def _checked(step: ArrayLike, warmup: int, total: int) -> NDArray[np.float64]:
    steps = np.asarray(step, dtype=np.float64)
    if not 0 <= warmup < total:
        raise InputError(f"a schedule needs 0 <= warmup < total, got warmup {warmup} and total {total}")
    if (steps < 0).any():
        raise InputError(f"a training step cannot be negative, got {steps.min():g}")
    return steps
