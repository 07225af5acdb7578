"""Learning-rate schedules, for associations that allow for them: those of runs, and those published."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradcascade import families
from gradcascade.errors import InputError

Schedule = Callable[[Any], NDArray[np.float64]]
"""Learning rate at given training steps."""

Kind = Literal["linear", "cosine", "constant"]

CONFIGURATION = "training_config.yaml"
_MAX_SIZE = 1_000_000
_KINDS: dict[Any, Kind] = {"linear_with_warmup": "linear", "constant_with_warmup": "constant"}


@dataclass(frozen=True)
class LearningRate:
    """A linear rise to the peak, then a line to zero, a cosine to ``final`` times the peak, or a constant."""

    kind: Kind
    peak: float
    warmup: int
    total: int
    final: float = 0.0

    def __call__(self, step: ArrayLike) -> NDArray[np.float64]:
        """Learning rate at steps of any shape; from the step ``total`` on it stays the same."""
        steps = np.asarray(step, dtype=np.float64)
        if not 0 <= self.warmup < self.total:
            raise InputError(f"a schedule needs 0 <= warmup < total, got warmup {self.warmup} and total {self.total}")
        if (steps < 0).any():
            raise InputError(f"a training step cannot be negative, got {steps.min():g}")
        rise = np.minimum(1.0, steps / self.warmup) if self.warmup else np.ones_like(steps)
        if self.kind == "constant":
            return self.peak * rise
        if self.kind == "linear":
            return self.peak * np.minimum(rise, np.maximum(0.0, (self.total - steps) / (self.total - self.warmup)))
        progress = np.clip((steps - self.warmup) / (self.total - self.warmup), 0.0, 1.0)
        cosine = self.final + (1 - self.final) * (1 + np.cos(np.pi * progress)) / 2
        return self.peak * np.where(steps < self.warmup, rise, cosine)


def published_schedules() -> dict[str, Schedule]:
    """Schedules of the published families, by every name under which they can be measured."""
    return {
        name: LearningRate(**known.schedule.model_dump())
        for name, (known, _) in families.presets().items()
        if known.schedule is not None
    }


def read_schedule(run: Path | str) -> LearningRate | None:
    """Read the schedule in the ``training_config.yaml`` of a run, or of its small files; None without one."""
    import yaml

    path = Path(run) / CONFIGURATION
    try:
        if path.is_file() and path.stat().st_size > _MAX_SIZE:
            raise InputError(f"{path} has more than {_MAX_SIZE:,} bytes, too many for a configuration; remove it")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except InputError:
        raise
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
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
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InputError(f"{path} has the schedule {kind!r}; known are {' and '.join(_KINDS)}")
    return LearningRate(_KINDS[kind], peak, warmup, total)
