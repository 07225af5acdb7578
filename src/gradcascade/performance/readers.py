"""Metrics from the evaluation files of the published families, and from tables of one's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gradcascade import families
from gradcascade.errors import InputError
from gradcascade.evaluations import Problem, Report, finite, is_number, read_object, read_results, refuse
from gradcascade.performance.metrics import METRIC_SCHEMA
from gradcascade.scaling.table_checks import require_columns, require_numbers, require_unique, require_values

_ACCURACIES = ("acc_norm", "acc_norm,none", "acc", "acc,none")
"""Names of an accuracy, the preferred first; the evaluation harness appends its filter since version 0.4."""

_HARNESS_FILE = re.compile(r"(?P<scale>.+)_step(?P<step>\d+)\.json")
_PALOMA_FILE = re.compile(r"step_(?P<step>\d+)\.json")
_NO_NUMBERS = ("nan", "NaN", "NAN", "inf", "-inf", "Inf", "-Inf")
"""How tables write values that are not finite; spelled otherwise than Polars does, they would make a column text."""

_LABELS = ("family", "scale", "metric")
_LAST_STEP = 10**15
_Row = tuple[str, str, int, str, float | None]


@dataclass(frozen=True)
class Tasks:
    """The tasks over which the mean accuracy runs: by name, and by how names begin with how many there are."""

    named: tuple[str, ...]
    groups: Mapping[str, int]


def tasks_of(family: str) -> Tasks:
    """The tasks of a family's metric, or of the published one that is read from the same files (arXiv:2605.02968)."""
    known = families.family_of(family)
    every = [known, *families.families().values()] if known else families.families().values()
    metric = next(found.metric for found in every if found.metric and found.metric.reader == "lm-eval")
    return Tasks(metric.tasks, metric.task_groups)


def read_lm_eval(folder: Path | str, family: str, report: Report = refuse) -> pl.DataFrame:
    """Read the mean accuracy from files ``{scale}_step{N}.json``, ``{"results": {task: {"acc": value}}}``.

    The mean runs over :func:`tasks_of`, of ``acc_norm`` where present, else ``acc``. A file that lacks a task is
    reported, as means over different tasks cannot be compared.
    """
    rows: list[_Row] = []
    root = _existing(Path(folder))
    tasks = tasks_of(family)
    seen = False
    for path in sorted(root.rglob("*_step*.json")):
        if name := _HARNESS_FILE.fullmatch(path.name):
            seen = True
            accuracy = _mean_accuracy(path, tasks)
            if isinstance(accuracy, Problem):
                report(accuracy)
            else:
                rows.append((family, name["scale"], int(name["step"]), "accuracy", accuracy))
    if not seen:
        raise InputError(
            f"{folder} holds no file named like 70m_step143000.json; give the folder that holds the results of the "
            "evaluation harness"
        )
    return _table(rows, f"folder {folder}")


def read_paloma(folder: Path | str, family: str, report: Report = refuse) -> pl.DataFrame:
    """Read metrics, such as ``{"paloma": 51.49}``, from ``eval_results/step_N.json`` of a run or of a folder of runs.

    Scales are named as the folders of the runs are. A value that is missing or not finite is null.
    """
    root = _existing(Path(folder)).resolve()
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
    return _table(rows, f"folder {folder}")


def read_table(path: Path | str, family: str | None = None) -> pl.DataFrame:
    """Read columns ``scale, step``, optionally ``family``, and ``metric, value`` or a column for every metric."""
    path = _existing(Path(path))
    what = f"file {path}"
    table = _read(path)
    empty = [column.name for column in table if column.null_count() == table.height]
    # A CSV column without a single entry arrives as text.
    table = table.with_columns(pl.col(empty).cast(pl.Float64)) if empty else table
    require_columns(table, ("scale", "step"), what)
    if "family" not in table.columns:
        if family is None:
            raise InputError(f"the {what} has no column family; add it, or say which family it belongs to")
        table = table.with_columns(family=pl.lit(family))
    if "value" not in table.columns:
        known = ("family", "scale", "step")
        names = [name for name in table.columns if name not in known]
        if not names:
            raise InputError(f"the {what} has no column besides {', '.join(known)}; add one per metric")
        require_numbers(table, names, what)
        table = table.unpivot(names, index=known, variable_name="metric", value_name="value")
    require_columns(table, METRIC_SCHEMA, what)
    require_numbers(table, ("step", "value"), what)
    table = table.filter(pl.col("value").cast(pl.Float64).is_finite())
    require_values(table, (*_LABELS, "step"), what)
    if not table["step"].is_between(0, _LAST_STEP).all():
        raise InputError(f"the {what} has steps below 0 or above {_LAST_STEP:,}; give the steps of the optimizer")
    if table["step"].dtype.is_float() and (table["step"] != table["step"].round()).any():
        raise InputError(f"the {what} has steps that are not whole numbers; give the steps of the optimizer")
    return _table(table.select(*METRIC_SCHEMA).iter_rows(), what)


def _read(path: Path) -> pl.DataFrame:
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".parquet"}:
        raise InputError(f"{path} is neither .csv nor .parquet; export the metrics as one of them")
    try:
        if suffix == ".parquet":
            return pl.read_parquet(path)
        # Every row decides a column's type: a step beyond the first rows may be the only one with a fraction.
        return pl.read_csv(path, infer_schema_length=None, null_values=["", *_NO_NUMBERS])
    except (pl.exceptions.PolarsError, OSError) as error:
        first = str(error).strip().splitlines() or ["it is empty"]
        raise InputError(f"{path} cannot be read as {suffix[1:]}: {first[0]}") from error


def _table(rows: Iterable[tuple[Any, ...]], what: str) -> pl.DataFrame:
    cells = ((str(f), str(s), int(t), str(m), None if v is None else float(v)) for f, s, t, m, v in rows)
    table = pl.DataFrame(list(cells), schema=METRIC_SCHEMA, orient="row")
    order = ["family", "scale", "step", "metric"]
    require_unique(table, order, what, "keep one evaluation of each scale and step")
    return table.sort(order)


def _mean_accuracy(path: Path, tasks: Tasks) -> float | Problem:
    content = read_object(path)
    if isinstance(content, Problem):
        return content
    results = content.get("results")
    if not isinstance(results, dict):
        return Problem("no-object", str(path), "has no object called results, so it is not of the evaluation harness")
    groups = {start: [name for name in results if name.startswith(start)] for start in tasks.groups}
    missing = [name for name in tasks.named if name not in results]
    if missing or any(len(names) != tasks.groups[start] for start, names in groups.items()):
        counts = "; ".join(f"{len(names)} of {tasks.groups[start]} {start}* tasks" for start, names in groups.items())
        reason = (
            f"holds {counts or 'results'}, and lacks {', '.join(missing) or 'none'} of the named ones; evaluate it "
            "again or remove it, as means over different tasks cannot be compared"
        )
        return Problem("no-accuracy", str(path), reason)
    values = []
    for name in sorted([*(name for names in groups.values() for name in names), *tasks.named]):
        found = _accuracy(results[name])
        if found is None:
            reason = f"gives no accuracy for the task {name}; evaluate it again or remove the file"
            return Problem("no-accuracy", str(path), reason)
        values.append(found)
    return sum(values) / len(values)


def _accuracy(task: Any) -> float | None:
    known = (task[key] for key in _ACCURACIES if key in task) if isinstance(task, dict) else iter(())
    value = next(known, None)
    return finite(value) if is_number(value) else None


def _existing(path: Path) -> Path:
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path")
    return path
