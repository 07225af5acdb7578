"""Evaluation results as runs keep them, ``{"paloma": 51.49}``: one parser for disk, hub and folders of results."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gradcascade.errors import InputError

MAX_SIZE = 1 << 24
"""Bytes of a file of evaluations; real ones have some thousand."""

_SHOWN = 60


@dataclass(frozen=True)
class Problem:
    """Why a small file (of evaluations, of a configuration), or a value in it, was not taken."""

    code: Literal[
        "not-fetched",
        "unreadable",
        "too-large",
        "not-json",
        "no-object",
        "no-number",
        "no-accuracy",
        "no-step",
        "two-steps",
    ]
    file: str
    reason: str

    @property
    def sentence(self) -> str:
        """The file, what is wrong with it, and what to do."""
        return self.reason if self.code == "not-fetched" else f"{self.file} {self.reason}"


Report = Callable[[Problem], None]
"""Is told of a problem; what has it is left out."""


class EvaluationWarning(UserWarning):
    """What a reader of evaluations left out, or took on less than an exact name."""


def refuse(problem: Problem) -> None:
    """Raise a problem as an error."""
    raise InputError(problem.sentence)


def read_object(path: Path) -> dict[str, Any] | Problem:
    """The JSON object that a file of evaluations holds."""
    where = str(path)
    try:
        if not path.is_file():
            return Problem("unreadable", where, "is not a file; remove it, or write the results there")
        if (size := path.stat().st_size) > MAX_SIZE:
            return Problem(
                "too-large", where, f"has {size:,} bytes, more than evaluation results need; write it again"
            )
        content = json.loads(path.read_bytes())
    except OSError as error:
        return Problem("unreadable", where, f"cannot be read: {error.strerror or error}; check the file")
    except (ValueError, RecursionError):
        return Problem("not-json", where, "is not readable JSON; fetch it again or remove it")
    if not isinstance(content, dict):
        return Problem(
            "no-object", where, "holds no JSON object at its top, so it is not a file of metrics; remove it"
        )
    return content


def read_results(path: Path, report: Report = refuse) -> dict[str, float | None]:
    """Metrics of a file by name; null, NaN and infinity, as a diverged run reports them, are None: missing values."""
    content = read_object(path)
    if isinstance(content, Problem):
        report(content)
        return {}
    found: dict[str, float | None] = {}
    for metric, value in content.items():
        if value is None or is_number(value):
            found[metric] = finite(value)
        else:
            name, given = _shown(metric), _shown(repr(value))
            report(Problem("no-number", str(path), f"gives {given} for {name}, not a number; correct or remove it"))
    return found


def finite(value: float | None) -> float | None:
    """The value as a float; None if it is missing or not finite."""
    try:
        number = math.nan if value is None else float(value)
    except OverflowError:  # an integer of more than 308 digits
        return None
    return number if math.isfinite(number) else None


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
