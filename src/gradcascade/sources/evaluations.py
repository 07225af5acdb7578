"""Evaluation results of a run: its ``eval_results/step_N.json``, and the table of a family's metrics."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gradcascade.errors import InputError
from gradcascade.evaluations import Problem, Report, read_results
from gradcascade.sources.naming import RESULTS, step_of_evaluation
from gradcascade.sources.trees.local import inside

if TYPE_CHECKING:
    import polars as pl

Row = tuple[int, str, float | None]
"""Step, metric, and value: None where there is none or it is not finite."""


def read_evaluations(
    folder: Path, root: Path, report: Report, only: Collection[int | None] | None = None
) -> list[Row]:
    """Rows of a run's results, steps ascending; links may not lead out of ``root``, the folder the user named.

    A file or value that cannot be taken is reported and left out; steps are all, or those of ``only``.
    """
    results = folder / RESULTS
    try:
        names = sorted(results.iterdir()) if results.is_dir() else []
    except OSError as error:
        report(Problem("unreadable", str(results), f"cannot be listed: {error.strerror or error}; check the folder"))
        return []
    files: dict[int, Path] = {}
    for path in names:
        step = step_of_evaluation(path.name)
        if step is None or (only is not None and step not in only):
            continue
        if step in files:
            report(Problem("unreadable", str(path), f"is of the same step as {files[step].name}; keep one of them"))
            continue
        files[step] = path
    rows: list[Row] = []
    for step in sorted(files):
        try:
            path = inside(root, files[step])
        except InputError as error:
            report(Problem("unreadable", str(files[step]), f"cannot be taken: {error}"))
            continue
        rows += [(step, *pair) for pair in read_results(path, report).items()]
    return rows


def metrics_table(family: str, rows: Iterable[tuple[str, str, int, str, float | None]]) -> pl.DataFrame:
    """The metrics of a family, from scale, run, step, metric and value: family and these, null where not finite."""
    import polars as pl

    text = dict.fromkeys(("family", "scale", "run"), pl.String)
    schema = {**text, "step": pl.Int64, "metric": pl.String, "value": pl.Float64}
    return pl.DataFrame([(family, *row) for row in rows], schema=schema, orient="row")
