"""Metrics from any file or folder, read by the reader of its kind."""

import re
from collections.abc import Collection
from pathlib import Path

import polars as pl

from gradcascade.errors import InputError
from gradcascade.evaluations import Report, read_results, refuse
from gradcascade.performance.harness import harness_files, read_lm_eval, tasks_of
from gradcascade.performance.metrics import metric_table
from gradcascade.performance.tables import read_table

NAMED_TASKS = tasks_of("pythia").named
"""The tasks of the published mean accuracy besides those of MMLU."""

_PALOMA_FILE = re.compile(r"step_(?P<step>\d+)\.json")
_Row = tuple[str, str, int, str, float | None]


def read_metrics(
    path: Path | str,
    family: str | None = None,
    report: Report = refuse,
    only: Collection[str] = (),
    step: int | None = None,
) -> pl.DataFrame:
    """Read metrics from a table, results of the harness, or a folder of runs; `report` takes files it cannot read."""
    place = Path(path)
    if not place.is_dir() and not (place.is_file() and harness_files(place)):
        _refuse_step(step, place)
        return read_table(place, family, only)
    if family is None:
        raise InputError(f"the folder {place} names no family; say which family it belongs to")
    if any(any(place.glob(f"{runs}eval_results/step_*.json")) for runs in ("", "*/", "runs/*/")):
        _refuse_step(step, place)
        table = read_paloma(place, family, report)
    elif harness_files(place):
        table = read_lm_eval(place, family, report, step)
    else:
        raise InputError(
            f"{place} holds neither files named like 70m_step143000.json or results_2024-05-01T12-00-00.000000.json "
            "nor eval_results/step_N.json; give such a folder, or a .csv or .parquet file"
        )
    if absent := sorted(set(only) - set(table["metric"])):
        known = ", ".join(table["metric"].unique().sort()) or "none"
        raise InputError(f"{place} has no metric {absent[0]!r}; it has {known}")
    return table.filter(pl.col("metric").is_in(list(only))) if only else table


def _refuse_step(step: int | None, place: Path) -> None:
    if step is not None:
        raise InputError(f"--step is for results of the evaluation harness, and {place} has steps; leave it out")


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
