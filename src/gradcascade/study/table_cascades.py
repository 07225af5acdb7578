"""Takes a table of cascades computed elsewhere as a study, by the rules that every fit holds its table to."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from gradcascade.errors import InputError
from gradcascade.scaling.points import Points
from gradcascade.scaling.spans import of_span, spans
from gradcascade.scaling.table_checks import require_columns, require_unique
from gradcascade.study.merging import Contents, Merged, write_study
from gradcascade.study.plan import Plan, make_plan
from gradcascade.study.store import COLUMNS, IDENTITY, METRIC_COLUMNS, SNAPSHOT
from gradcascade.study.variants import unseeded, variants_of
from gradcascade.vocabulary import REAL, REFUSAL_COLUMNS, polars_schema

SUFFIXES = (".csv", ".parquet", ".json")
"""Endings of files that hold a table."""

_NEEDED = ("scale", "step", "n", "size", "duration")
_WHOLE = ("step", "span", "replicate", "n", "size", "duration", "seed")
_MOST = 2**53
_TRUE, _FALSE = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no")


def merge_tables(
    files: Sequence[Path],
    out: Path,
    columns: Mapping[str, str] | None = None,
    family: str | None = None,
    field: str | None = None,
    plan: Plan | None = None,
) -> Merged:
    """Make a study of tables; ``columns`` gives the name that a column has in the files.

    ``family`` and ``field`` stand for columns that the tables do not have, and ``plan`` says by which probe and seeds
    the cascades were computed. Nothing is left at ``out`` if a row is impossible.
    """
    parts, notes, origins = [], [], []
    for file in files:
        digest = _digest(file)
        table, left_over = _named(_read(file), columns or {}, file, family, field)
        if left_over:
            notes.append(f"{file}: not taken up: {', '.join(left_over)}")
        source = pl.lit(file.name) if table["source"].is_null().all() else file.name + ": " + pl.col("source")
        parts.append(table.with_columns(source=source, revision=pl.lit(digest)))
        origins.append({"table": file.name, "sha256": digest, "rows": table.height, "columns": dict(columns or {})})
    table = pl.concat(parts)
    require_unique(table, IDENTITY, "table of cascades", "keep one of them, or number them as replicates")
    for part in [of_span(table, span) for span in spans(table)] or [table]:
        Points.of(part)  # refuses what no relaxation can have produced, and a scale with two sizes
    _check_profiles(table)
    own = _plan_of(table, plan, os.path.relpath(files[0].absolute(), out.absolute()))
    table = _marked(table, own, notes)
    settings = "those of the plan that was given" if plan else "not said by the table; the published ones are assumed"
    if plan is None:
        notes.append("the tables do not say by which probe they were computed; the published settings are assumed")
    current = table.group_by(SNAPSHOT, maintain_order=True).agg(
        pl.col("content_hash").first(), pl.col("layout_hash").max()
    )
    conventions = {known.name: known.conventions("") for known in own.families}
    contents = Contents(
        own,
        table,
        current.with_columns(conventions=pl.col("family").replace_strict(conventions, return_dtype=pl.String)),
        pl.DataFrame(schema=polars_schema(REFUSAL_COLUMNS)),
        pl.DataFrame(schema=METRIC_COLUMNS),
        {"computed elsewhere": {"settings of the probe": settings, "tables": origins}},
        {},
    )
    return Merged(table.height, 0, write_study(contents, out)[0], tuple(notes))


def _check_profiles(table: pl.DataFrame) -> None:
    """Refuse rows whose activity profile is of another cascade than their size and duration."""
    profile = pl.col("activity")
    fits = (
        (profile.list.sum() == pl.col("size"))
        & (profile.list.len() == pl.col("duration"))
        & profile.list.eval(pl.element() >= 1).list.all()
        & (profile.list.max().fill_null(0) <= pl.col("n"))
    )
    wrong = table.filter(profile.is_not_null() & ~fits | (pl.col("size") > 0) & (pl.col("size") < pl.col("duration")))
    wrong = pl.concat([wrong, table.filter((pl.col("step") < 0) | (pl.col("replicate") < 0))])
    if wrong.height:
        row = wrong.row(0, named=True)
        raise InputError(
            f"the table has {wrong.height} rows that no cascade can have given, first scale {row['scale']}, step "
            f"{row['step']}, {row['variant']}: the activity must have duration entries from 1 to N that add up to "
            "the size, and step and replicate are at least 0"
        )


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}") from None


def _read(file: Path) -> pl.DataFrame:
    """A table as it is written; the cells of CSV stay text, so that no type is guessed from the first rows."""
    data, kind = file.read_bytes(), file.suffix.lower()
    try:
        if kind == ".parquet":
            return pl.read_parquet(BytesIO(data))
        if kind == ".csv":
            return pl.read_csv(BytesIO(data), infer_schema=False)
        found = json.loads(data)
        for name in ("tables", "cascades"):
            found = found[name] if isinstance(found, dict) and name in found else found
        return pl.DataFrame(found, infer_schema_length=None, strict=False)
    except (pl.exceptions.PolarsError, ValueError, TypeError) as error:
        first = str(error).strip().splitlines() or ["it is empty"]
        raise InputError(f"{file} cannot be read as a {kind[1:]} table: {first[0]}") from None


def _named(
    table: pl.DataFrame, columns: Mapping[str, str], file: Path, family: str | None, field: str | None
) -> tuple[pl.DataFrame, list[str]]:
    """The columns of the store, by their names there, and the names of the others."""
    for ours, theirs in columns.items():
        if ours not in COLUMNS:
            raise InputError(
                f"--column {ours}={theirs}: there is no column {ours!r}; choose from {', '.join(COLUMNS)}"
            )
        require_columns(table, [theirs], f"table {file}")
    taken = {theirs: ours for ours, theirs in columns.items()}
    if len(taken) < len(columns):
        raise InputError("--column gives one column of the table two names; give it one")
    kept = [name for name in table.columns if _kept(name, columns)]
    table = pl.DataFrame([table.get_column(name).alias(taken.get(name, name)) for name in kept])
    for name, given in (("family", family), ("field", field)):
        if given is not None:
            if name in table.columns:
                raise InputError(f"{file} has a column {name}, so leave --{name} out")
            table = table.with_columns(pl.lit(given).alias(name))
    if "family" not in table.columns:
        table = table.with_columns(family=pl.lit(file.stem))
    if "field" not in table.columns:
        raise InputError(
            f"{file} does not say which kind of field was measured; give --field gradient, or --column field=NAME"
        )
    require_columns(table, _NEEDED, f"table {file}")
    if table.is_empty():
        raise InputError(f"{file} has no rows")
    left_over = [name or "a column without a name" for name in table.columns if name not in COLUMNS]
    cells = [_cell(table, name, kind, file) for name, kind in COLUMNS.items()]
    return pl.DataFrame(cells), left_over


def _kept(name: str, columns: Mapping[str, str]) -> bool:
    """Whether a column is not one whose name another column takes."""
    return name in columns.values() or name not in columns


_DEFAULTS: dict[str, Any] = {
    "run": "0", "variant": REAL, "replicate": 0, "layout_hash": "", "probe_hash": "", "content_hash": "",
}  # fmt: skip


def _cell(table: pl.DataFrame, name: str, kind: Any, file: Path) -> pl.Series:
    """A column in the store's type; a cell that cannot be one is refused by its row."""
    if name not in table.columns:
        return pl.Series(name, [_DEFAULTS.get(name)] * table.height, dtype=kind)
    raw = table.get_column(name)
    if name == "activity":
        return _profiles(raw, file)
    text = raw.cast(pl.String).str.strip_chars()
    text = text.set(text == "", None)
    if kind == pl.String:
        return text.fill_null(_DEFAULTS.get(name, "")) if name in _DEFAULTS or name == "source" else text
    if kind == pl.Boolean:
        low = text.str.to_lowercase()
        made = low.replace_strict({**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}, default=None)
        _refuse_bad(text, made, name, "true or false", file)
        return made.cast(pl.Boolean)
    made = text.cast(pl.Float64, strict=False)
    _refuse_bad(text, made, name, "a number", file)
    if name not in _WHOLE:
        return made.fill_nan(None)
    whole = made.is_finite() & (made == made.round()) & (made.abs() <= _MOST)
    _refuse_bad(text, made.set(~whole.fill_null(True), None), name, "a whole number", file)
    numbers = made.cast(pl.Int64)
    return numbers.fill_null(_DEFAULTS[name]) if name in _DEFAULTS else numbers


def _refuse_bad(text: pl.Series, made: pl.Series, name: str, what: str, file: Path) -> None:
    bad = text.is_not_null() & made.is_null()
    if bad.any():
        row = int(bad.arg_max() or 0)
        raise InputError(
            f"{file}: {name} is {text[row]!r} in row {row + 1} of the table, not {what} ({bad.sum()} such rows)"
        )


def _profiles(raw: pl.Series, file: Path) -> pl.Series:
    """Activity profiles from lists, or from text such as ``10 3 1`` or ``[10, 3, 1]``."""
    lists: list[list[int] | None] = []
    for row, cell in enumerate(raw.to_list()):
        try:
            parts = cell.strip("[] \t").replace(",", " ").split() if isinstance(cell, str) else cell
            lists.append(None if parts is None or cell == "" else [int(part) for part in parts])
        except (ValueError, TypeError):
            raise InputError(
                f"{file}: activity is {cell!r} in row {row + 1} of the table, not whole numbers"
            ) from None
    return pl.Series("activity", lists, dtype=pl.List(pl.Int64))


def _plan_of(table: pl.DataFrame, plan: Plan | None, path: str) -> Plan:
    """A plan that asks for exactly what the table has."""
    base = plan or Plan()
    kinds = [name for name in table["variant"].unique().sort() if name != REAL]
    drawn = table.filter(~pl.col("variant").is_in(unseeded())) if kinds else table.clear()
    if not kinds:
        nulls = base.nulls.model_copy(update={"kinds": ()})
    else:
        count = int(drawn["replicate"].max() or 0) + 1 if drawn.height else 1  # type: ignore[arg-type]
        seeds = (drawn["seed"] - drawn["step"]).drop_nulls().unique().to_list()
        seed = seeds[0] if len(seeds) == 1 else base.nulls.seed
        given = base.nulls.model_dump() | {"kinds": kinds, "replicates": count, "seed": seed}
        nulls = make_plan({"nulls": given}, "the column variant").nulls
    families = []
    for (name,), own in table.group_by("family", maintain_order=True):
        families.append({"name": name, "path": path, "fields": own["field"].unique().sort().to_list()})
    made = make_plan({"families": families}, "the table of cascades").families
    return base.model_copy(update={"nulls": nulls, "families": made})


def _marked(table: pl.DataFrame, plan: Plan, notes: list[str]) -> pl.DataFrame:
    """Give every row the names of the plan's settings and a hash of its own; refuse rows of another probe."""
    variants = {variant.name: variant for variant in variants_of(plan, 0)}
    hashes = {name: variant.probe_hash for name, variant in variants.items()}
    ours = table["variant"].replace_strict(hashes, return_dtype=pl.String)
    others = table.filter((table["probe_hash"] != "") & (table["probe_hash"] != ours))
    if others.height:
        row = others.row(0, named=True)
        raise InputError(
            f"the table has cascades of another probe ({row['probe_hash']} at {row['scale']}, step {row['step']}, "
            f"{row['variant']}) than the plan's {hashes[row['variant']]}; give --plan the plan.toml "
            "they were measured by"
        )
    seeds = pl.when(pl.col("variant").is_in(unseeded())).then(0).otherwise(pl.col("step") + plan.nulls.seed)
    told = table.select(wrong=pl.col("seed").is_not_null() & (pl.col("seed") != seeds))["wrong"].any()
    if told:
        notes.append("the column seed is not a number plus the step, so the plan's seeds stand in its place")
    named = table.select(*SNAPSHOT, "revision").rows()
    own = pl.Series([hashlib.sha256(json.dumps(row).encode()).hexdigest()[:32] for row in named], dtype=pl.String)
    marked = table.with_columns(
        probe_hash=ours,
        seed=seeds,
        content_hash=pl.when(pl.col("content_hash") == "").then(own).otherwise("content_hash"),
    )
    several = marked.group_by(SNAPSHOT).agg(pl.col("content_hash").n_unique()).filter(pl.col("content_hash") > 1)
    if several.height:  # the real field in one table and its nulls in another
        joined = pl.col("content_hash").sort().unique(maintain_order=True).first().over(*SNAPSHOT)
        marked = marked.with_columns(content_hash=joined)
    limit = pl.col("duration") >= plan.probe.max_steps
    return marked.with_columns(ceiling=pl.col("ceiling").fill_null(limit)).select(list(COLUMNS))
