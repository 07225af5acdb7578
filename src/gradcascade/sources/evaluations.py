"""Evaluation results as runs keep them: ``eval_results/step_N.json``, metric by metric."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gradcascade.errors import InputError
from gradcascade.sources.naming import RESULTS, step_of_evaluation
from gradcascade.sources.stored import MAX_HEADER, mapped, shown
from gradcascade.sources.trees.local import inside

if TYPE_CHECKING:
    import polars as pl


def read_evaluations(folder: Path, root: Path) -> list[tuple[int, str, float | None]]:
    """Read the evaluation results of a run.

    Parameters
    ----------
    folder : pathlib.Path
        The run.
    root : pathlib.Path
        The folder the user named; links may not lead out of it.

    Returns
    -------
    list of tuple
        Step, metric (the key in the file) and value, steps ascending. A value that is NaN or infinite, as a
        diverged run reports it, is None: a missing measurement, not a number to compute with.

    Raises
    ------
    InputError
        If a file is broken or holds anything but numbers by name.
    """
    results = folder / RESULTS
    if not results.is_dir():
        return []
    files = {step: path for path in results.iterdir() if (step := step_of_evaluation(path.name)) is not None}
    return [(step, *pair) for step in sorted(files) for pair in _numbers(inside(root, files[step]))]


def metrics_table(family: str, rows: Iterable[tuple[str, str, int, str, float | None]]) -> pl.DataFrame:
    """The metrics table of a family.

    Parameters
    ----------
    family : str
        The family.
    rows : iterable of tuple
        Scale, run, step, metric, value.

    Returns
    -------
    polars.DataFrame
        Columns family, scale, run, step (int64), metric, value (float64, null where the value was not finite).
    """
    import polars as pl

    text = dict.fromkeys(("family", "scale", "run"), pl.String)
    schema = {**text, "step": pl.Int64, "metric": pl.String, "value": pl.Float64}
    return pl.DataFrame([(family, *row) for row in rows], schema=schema, orient="row")


def _numbers(path: Path) -> list[tuple[str, float | None]]:
    raw = mapped(path)
    if raw.size > MAX_HEADER:
        raise InputError(f"{path} has {raw.size} bytes, more than evaluation results need; write it again")
    try:
        content = json.loads(raw.tobytes())
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON; write or download it again") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} is not a table of metrics; write or download it again")
    found = []
    for metric, value in content.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"{path}: the metric {shown(metric)} is {shown(value)} instead of a number; correct it")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        found.append((metric, number if math.isfinite(number) else None))
    return found
