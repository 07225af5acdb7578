"""Metrics from tables: one's own, those that pandas writes, and what Weights & Biases exports."""

import warnings
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from gradcascade.errors import InputError
from gradcascade.evaluations import EvaluationWarning
from gradcascade.performance.metrics import METRIC_SCHEMA
from gradcascade.scaling.table_checks import require_columns, require_numbers, require_unique, require_values

_NO_NUMBERS = ("nan", "NaN", "NAN", "inf", "-inf", "Inf", "-Inf")
"""How tables write values that are not finite; spelled otherwise than Polars does, they would make a column text."""

_STEPS = ("step", "_step", "global_step", "train/global_step", "trainer/global_step", "iteration", "iter")
"""Names of the column of training steps, the preferred first; capitals do not matter."""

_BOOKKEEPING = frozenset(
    (*_STEPS, "steps", "global step", "train/iteration", "epoch", "epochs", "num_epochs", "index", "idx", "row", "id")
) | frozenset(
    ("time", "wall time", "wall_time", "walltime", "relative time", "relative time (process)",
     "relative time (wall)", "elapsed", "date", "datetime", "timestamp", "created_at", "runtime", "train_runtime",
     "eval_runtime", "samples_per_second", "steps_per_second", "train_samples_per_second", "train_steps_per_second",
     "eval_samples_per_second", "eval_steps_per_second", "total_flos", "tokens", "tokens_seen", "num_tokens",
     "num_input_tokens_seen", "samples_seen", "lr", "learning_rate", "seed", "batch_size", "n", "parameters",
     "n_params", "params")
)  # fmt: skip
"""Columns that trainers and trackers write beside metrics, in small letters and without the part before a slash."""

_WIDTHS = ("__MIN", "__MAX")
"""Endings of the columns that Weights & Biases exports beside every curve."""

_BETWEEN = " - "
"""What stands between run and metric in its headings."""

_LABELS = ("family", "scale", "metric")
_LAST_STEP = 10**15


def read_table(path: Path | str, family: str | None = None, only: Collection[str] = ()) -> pl.DataFrame:
    """Metrics from a CSV or Parquet file; a family is needed where it has no column of that name.

    Columns: ``scale``, ``step``, optionally ``family`` and ``run``, and ``metric`` and ``value`` or one for each
    metric; or curves named ``run - metric``, as Weights & Biases exports them. What is no metric is left out with an
    :class:`EvaluationWarning`, unless ``only`` names it; cells that are empty, NaN or infinite are left out.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path")
    what = f"file {path}"
    table = _read(path)
    empty = [column.name for column in table if column.null_count() == table.height]
    # A CSV column without a single entry arrives as text.
    table = table.with_columns(pl.col(empty).cast(pl.Float64)) if empty else table
    left_out: dict[str, str] = {}
    table = _with_steps(table, what)
    if "scale" not in table.columns:
        table = _from_curves(table, what, left_out)
    require_columns(table, ("scale", "step"), what)
    if "family" not in table.columns:
        if family is None:
            raise InputError(f"the {what} has no column family; add it, or say which family it belongs to")
        table = table.with_columns(family=pl.lit(family))
    known = [name for name in ("family", "scale", "run", "step") if name in table.columns]
    if "value" not in table.columns:
        names = [name for name in table.columns if name not in known]
        if not names:
            raise InputError(f"the {what} has no column besides {', '.join(known)}; add one per metric")
        reasons = {name: _reason(table, name, only) for name in names}
        left_out |= {name: reason for name, reason in reasons.items() if reason}
        chosen = [name for name in names if not reasons[name]]
        _require_some(chosen, only, left_out, what)
        table = table.unpivot(chosen, index=known, variable_name="metric", value_name="value")
    require_columns(table, METRIC_SCHEMA, what)
    require_numbers(table, ("step", "value"), what)
    table = table.filter(pl.col("value").cast(pl.Float64).is_finite())
    require_values(table, (*_LABELS, "step"), what)
    if not table["step"].is_between(0, _LAST_STEP).all():
        raise InputError(f"the {what} has steps below 0 or above {_LAST_STEP:,}; give the steps of the optimizer")
    if table["step"].dtype.is_float() and (table["step"] != table["step"].round()).any():
        raise InputError(f"the {what} has steps that are not whole numbers; give the steps of the optimizer")
    there = table.height
    table = _without_counters(_typed(table), only, left_out)
    if there and table.is_empty():
        _require_some([], only, left_out, what)
    if left_out:
        told = ", ".join(f"{name or 'the column without a name'} ({why})" for name, why in left_out.items())
        warnings.warn(f"{path}: not taken as metrics: {told}", EvaluationWarning, stacklevel=2)
    order = [name for name in ("family", "scale", "run", "step", "metric") if name in table.columns]
    require_unique(table, order, what, "keep one evaluation of each scale and step")
    return table.sort(order)


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


def _with_steps(table: pl.DataFrame, what: str) -> pl.DataFrame:
    """The table with its labels in small letters, and its steps, however they are called, under ``step``."""
    for label in ("family", "scale", "run"):
        found = [name for name in table.columns if name.lower() == label]
        if label not in table.columns and len(found) == 1:
            table = table.rename({found[0]: label})
    if "step" in table.columns:
        return table
    for known in _STEPS:
        found = [name for name in table.columns if name.lower() == known]
        if len(found) > 1:
            raise InputError(f"the {what} has the columns {' and '.join(found)}; call the one of the steps step")
        if found:
            return table.rename({found[0]: "step"})
    return table


def _from_curves(table: pl.DataFrame, what: str, left_out: dict[str, str]) -> pl.DataFrame:
    """A table with a column per run and metric (``run - metric``) as one with a row per run and step."""
    curves = {name: name.rsplit(_BETWEEN, 1) for name in table.columns if _BETWEEN in name}
    if not curves or "step" not in table.columns:
        return table
    left_out |= {name: "of no run" for name in table.columns if name not in curves and name != "step" and name}
    parts = []
    for name, (run, metric) in curves.items():
        if metric.endswith(_WIDTHS):
            left_out["columns __MIN and __MAX"] = "the spread of a curve"
        elif not table[name].dtype.is_numeric() and table[name].dtype != pl.Null:
            left_out[name] = "text"
        else:
            parts.append(
                table.select(
                    "step",
                    pl.lit(run).alias("scale"),
                    pl.lit(metric).alias("metric"),
                    pl.col(name).cast(pl.Float64).alias("value"),
                )
            )
    if not parts:
        raise InputError(f"the {what} has no curve of numbers; export a metric over the steps")
    rows = pl.concat(parts).filter(pl.col("value").is_finite())
    if rows.select("scale", "step", "metric").is_duplicated().any():
        raise InputError(
            f"the {what} has a run's metric twice at one step; give each run its own name and export again"
        )
    return rows.pivot("metric", index=["scale", "step"], values="value")


def _reason(table: pl.DataFrame, name: str, only: Collection[str]) -> str | None:
    """Why a column is no metric; None if it is one."""
    column = table[name]
    is_number = column.dtype.is_numeric() or column.dtype == pl.Null
    if only:
        if name in only and not is_number:
            raise InputError(f"the column {name} holds {column.dtype}, not numbers; convert it first")
        return None if name in only else "not asked for"
    if not name.strip() or name.startswith(("Unnamed:", "__index_level_")):
        return "an index"
    if name.startswith("_") or name.rsplit("/", 1)[-1].lower() in _BOOKKEEPING:
        return "bookkeeping"
    if not is_number:
        first = column.drop_nulls()
        return "text" if first.is_empty() or column.dtype != pl.String else f"text, first {first[0][:40]!r}"
    rows = np.arange(table.height)
    full = column.null_count() == 0 and table.height > 2
    return "a count of the rows" if full and np.ptp(column.to_numpy() - rows) == 0 else None


def _require_some(chosen: Sequence[str], only: Collection[str], left_out: dict[str, str], what: str) -> None:
    if absent := sorted(set(only) - set(chosen)):
        known = ", ".join([*chosen, *left_out])
        raise InputError(f"the {what} has no column {absent[0]!r}; it has {known}")
    if not chosen:
        told = ", ".join(f"column {name or 'without a name'} ({why})" for name, why in left_out.items())
        raise InputError(f"the {what} has no column of a metric, only {told}; add one of numbers, or name it")


def _typed(table: pl.DataFrame) -> pl.DataFrame:
    names = ["family", "scale", *(["run"] if "run" in table.columns else []), "step", "metric", "value"]
    labels = [_text(table, name) for name in names if name not in ("step", "value")]
    numbers = (pl.col("step").cast(pl.Int64), pl.col("value").cast(pl.Float64))
    return table.with_columns(*labels, *numbers).select(names)


def _text(table: pl.DataFrame, name: str) -> pl.Expr:
    """Labels as text: the run 3, which becomes 3.0 beside an empty cell, is "3"; an empty one of several is "0"."""
    whole = table[name].dtype.is_float() and (table[name].drop_nulls() == table[name].drop_nulls().round()).all()
    text = (pl.col(name).cast(pl.Int64) if whole else pl.col(name)).cast(pl.String)
    return text.fill_null("0") if name == "run" else text


def _without_counters(table: pl.DataFrame, only: Collection[str], left_out: dict[str, str]) -> pl.DataFrame:
    """Leave out metrics by the names of bookkeeping, and those that are the steps in another unit."""
    counters = []
    for (metric,), rows in table.group_by("metric", maintain_order=True):
        name = str(metric)
        if name in only:
            continue
        if only:
            counters.append(name)
            left_out[name] = "not asked for"
        elif name.rsplit("/", 1)[-1].lower() in _BOOKKEEPING or name.startswith("_"):
            counters.append(name)
            left_out[name] = "bookkeeping"
        elif _counts_steps(rows):
            counters.append(name)
            left_out[name] = "the steps in another unit"
    return table.filter(~pl.col("metric").is_in(counters))


def _counts_steps(rows: pl.DataFrame) -> bool:
    """Whether the values rise with the steps along one line, the same for several scales, or are the steps."""
    step, value = rows["step"].cast(pl.Float64).to_numpy(), rows["value"].to_numpy()
    if len(np.unique(step)) < 3:
        return False
    if np.array_equal(step, value):
        return True
    first, last = int(step.argmin()), int(step.argmax())
    slope = (value[last] - value[first]) / (step[last] - step[first])
    line = value[first] + slope * (step - step[first])
    on_it = np.abs(value - line).max() <= 1e-9 * np.abs(value).max()
    return bool(slope > 0 and on_it and rows["scale"].n_unique() > 1)
