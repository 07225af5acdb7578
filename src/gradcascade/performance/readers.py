"""Metrics from the files of the published families, and from tables of one's own: one reader for each kind."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from gradcascade.errors import InputError
from gradcascade.evaluations import Report, read_results, refuse
from gradcascade.performance.harness import read_lm_eval, tasks_of
from gradcascade.performance.metrics import metric_table
from gradcascade.performance.tables import read_table

__all__ = ["NAMED_TASKS", "read_lm_eval", "read_paloma", "read_table", "tasks_of"]

NAMED_TASKS = tasks_of("pythia").named
"""The tasks of the published mean accuracy besides those of MMLU."""

_PALOMA_FILE = re.compile(r"step_(?P<step>\d+)\.json")
_Row = tuple[str, str, int, str, float | None]


def read_paloma(folder: Path | str, family: str, report: Report = refuse) -> pl.DataFrame:
    """Metrics from ``eval_results/step_N.json`` of a run or a folder of runs, whose names are the scales."""
    if not Path(folder).exists():
        raise InputError(f"{folder} does not exist; check the path")
    root = Path(folder).resolve()
    rows: list[_Row] = []
    seen = False
    for pattern in ("eval_results/step_*.json", "*/eval_results/step_*.json", "runs/*/eval_results/step_*.json"):
        for path in sorted(root.glob(pattern)):
            if name := _PALOMA_FILE.fullmatch(path.name):
                seen = True
                scale, step = path.parent.parent.name, int(name["step"])
                rows += [(family, scale, step, *pair) for pair in read_results(path, report).items()]
    if not seen:
        raise InputError(
            f"{folder} holds no eval_results/step_N.json; give the folder of a run, or the folder of all runs"
        )
    return metric_table(rows, f"folder {folder}")
