"""Metrics from the evaluation files of the published families, and from tables of one's own."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from gradcascade.errors import InputError
from gradcascade.performance.metrics import METRIC_SCHEMA
from gradcascade.scaling.table_checks import require_columns, require_numbers, require_unique, require_values

NAMED_TASKS = ("arc_challenge", "arc_easy", "lambada_openai", "logiqa", "piqa", "sciq", "winogrande", "wsc")
"""Zero-shot tasks that enter the mean accuracy by name."""

EXAM_PREFIX = "hendrycksTest-"
"""Zero-shot tasks that enter the mean accuracy by their beginning."""

EXAMS = 57
"""How many of them there are."""

_ACCURACIES = ("acc_norm", "acc_norm,none", "acc", "acc,none")
"""Names of an accuracy, the preferred first; the evaluation harness appends its filter since version 0.4."""

_PYTHIA_FILE = re.compile(r"(?P<scale>.+)_step(?P<step>\d+)\.json")
_PALOMA_FILE = re.compile(r"step_(?P<step>\d+)\.json")
_NO_NUMBERS = ("nan", "NaN", "NAN", "inf", "-inf", "Inf", "-Inf")
"""How tables write numbers that are none; spelled otherwise than Polars does, they would make a column text."""

_LABELS = ("family", "scale", "metric")
_LAST_STEP = 10**15
_Row = tuple[str, str, int, str, float | None]


def read_lm_eval(folder: Path | str, family: str = "pythia") -> pl.DataFrame:
    """Read the mean zero-shot accuracy from the evaluation files that come with Pythia.

    The mean runs over 65 tasks (57 ``hendrycksTest-*`` and :data:`NAMED_TASKS`; no crows_pairs), each with
    ``acc_norm`` where present, else ``acc`` (arXiv:2605.02968); ``acc_norm,none`` and ``acc,none`` are read alike.

    Parameters
    ----------
    folder : pathlib.Path or str
        A folder with files ``{size}_step{N}.json``, at any depth, of the shape
        ``{"results": {task: {"acc": value, ...}}}``.
    family : str
        What to call the family.

    Returns
    -------
    polars.DataFrame
        Table of metrics; scales are named as the files are (``70m``), the metric is ``accuracy``.

    Raises
    ------
    InputError
        If there is no such file, a file cannot be read, lacks one of the tasks, or a scale and step occurs twice.
    """
    rows: list[_Row] = []
    root = _existing(Path(folder))
    for path in sorted(root.rglob("*_step*.json")):
        if name := _PYTHIA_FILE.fullmatch(path.name):
            rows.append((family, name["scale"], int(name["step"]), "accuracy", _mean_accuracy(path)))
    if not rows:
        raise InputError(
            f"{folder} holds no file named like 70m_step143000.json; give the folder that holds the pythia-* folders "
            "of the zero-shot evaluations"
        )
    return _table(rows, f"folder {folder}")


def read_paloma(folder: Path | str, family: str = "pico-lm") -> pl.DataFrame:
    """Read perplexities from the evaluation files of Pico and of families trained in its layout.

    Parameters
    ----------
    folder : pathlib.Path or str
        One run (``<run>/eval_results/step_N.json``), a folder of runs, or one that has them in ``runs``. A file
        looks like ``{"paloma": 51.49}``.
    family : str
        What to call the family.

    Returns
    -------
    polars.DataFrame
        Table of metrics; scales are named as the folders of the runs are. The metric is the name in the file
        (``paloma``). A value that is NaN or infinite, as a diverged run reports it, is null.

    Raises
    ------
    InputError
        If there is no such file, or a file does not hold numbers.
    """
    root = _existing(Path(folder)).resolve()
    rows: list[_Row] = []
    for pattern in ("eval_results/step_*.json", "*/eval_results/step_*.json", "runs/*/eval_results/step_*.json"):
        for path in sorted(root.glob(pattern)):
            if name := _PALOMA_FILE.fullmatch(path.name):
                scale = path.parent.parent.name
                values = _perplexities(path)
                rows += [(family, scale, int(name["step"]), metric, value) for metric, value in values]
    if not rows:
        raise InputError(
            f"{folder} holds no eval_results/step_N.json; give the folder of a run, or the folder of all runs"
        )
    return _table(rows, f"folder {folder}")


def read_table(path: Path | str, family: str | None = None) -> pl.DataFrame:
    """Read metrics from a CSV or Parquet file.

    Parameters
    ----------
    path : pathlib.Path or str
        A ``.csv`` or ``.parquet`` file with the columns ``scale`` and ``step``, optionally ``family``, and either
        ``metric`` and ``value`` or one column of numbers per metric. Cells that are
        empty, NaN or infinite are left out.
    family : str, optional
        The family, for a file without that column.

    Returns
    -------
    polars.DataFrame
        Table of metrics.

    Raises
    ------
    InputError
        If the file is missing or not what its name says, a column is missing or not numeric, no family is known, or
        a value is given twice.
    """
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


def _mean_accuracy(path: Path) -> float:
    results = _json(path).get("results")
    if not isinstance(results, dict):
        raise InputError(f"{path} has no object called results; it is not a file of the evaluation harness")
    exams = [name for name in results if name.startswith(EXAM_PREFIX)]
    missing = [name for name in NAMED_TASKS if name not in results]
    if missing or len(exams) != EXAMS:
        raise InputError(
            f"{path} holds {len(exams)} of {EXAMS} {EXAM_PREFIX}* tasks, and lacks {', '.join(missing) or 'none'} of "
            "the named ones; evaluate it again or remove it, as means over different tasks cannot be compared"
        )
    tasks = sorted([*exams, *NAMED_TASKS])
    return sum(_accuracy(results[name], name, path) for name in tasks) / len(tasks)


def _accuracy(task: Any, name: str, path: Path) -> float:
    known = (task[key] for key in _ACCURACIES if key in task) if isinstance(task, dict) else iter(())
    value = next(known, None)
    if value is None or not _is_number(value):
        raise InputError(f"{path} gives no accuracy for the task {name}; evaluate it again or remove the file")
    return float(value)


def _perplexities(path: Path) -> Iterator[tuple[str, float | None]]:
    for dataset, value in _json(path).items():
        if value is not None and not _is_number(value):
            raise InputError(f"{path} gives {value!r} for {dataset}, not a number; correct or remove the file")
        yield dataset, None if value is None else _finite(value)


def _finite(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:  # an integer of more than 308 digits
        return None
    return number if math.isfinite(number) else None


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not readable JSON ({error}); fetch it again or remove it") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no JSON object at its top; it is not an evaluation file")
    return content


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path")
    return path
