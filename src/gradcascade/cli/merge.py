"""``gradcascade merge``: join studies, or take a table of cascades computed elsewhere as a study."""

import json
from pathlib import Path
from typing import Annotated

import typer

from gradcascade.cli.options import Json
from gradcascade.errors import InputError

_SOURCES = "Studies of one plan, folders of shards, or tables of cascades (.csv, .parquet, .json)."
_SHOWN = 10
"""Gaps that are told one by one."""


def merge(
    sources: Annotated[list[Path], typer.Argument(help=_SOURCES, metavar="SOURCE...")],
    out: Annotated[Path, typer.Option(help="Folder of the new study.")],
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=COLUMN", help="A table's column under its name here, such as scale=model."),
    ] = None,
    family: Annotated[
        str | None, typer.Option(help="Family of a table without that column (default: its file's name).")
    ] = None,
    field: Annotated[str | None, typer.Option(help="Kind of field of a table without that column.")] = None,
    plan: Annotated[
        Path | None, typer.Option(help="A plan.toml with the probe and nulls that a table was computed by.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Join studies of one plan that were measured in parts, or make a study of cascades computed elsewhere."""
    from gradcascade.study.merging import merge_studies
    from gradcascade.study.plan import read_plan
    from gradcascade.study.table_cascades import SUFFIXES, merge_tables

    tables = [source for source in sources if source.suffix.lower() in SUFFIXES and not source.is_dir()]
    if tables and len(tables) < len(sources):
        other = next(source for source in sources if source not in tables)
        raise InputError(f"{tables[0]} is a table and {other} is not; join studies, or tables")
    if tables:
        merged = merge_tables(tables, out, _columns(column or []), family, field, read_plan(plan) if plan else None)
    elif given := [name for name, value in _options(column, family, field, plan) if value]:
        raise InputError(f"--{given[0]} is for tables of cascades; leave it out when studies are joined")
    else:
        merged = merge_studies(sources, out)
    if as_json:
        missing = [
            {"family": gap.family, "field": gap.field, "scale": gap.run.scale, "run": gap.run.run}
            | {"variant": gap.variant, "steps": list(gap.steps)}
            for gap in merged.missing
        ]
        unmeasured = [
            {"shard": lack.shard.number, "of": lack.shard.of, "snapshots": lack.snapshots}
            for lack in merged.unmeasured
        ]
        counts = {"study": str(out), "cascades": merged.cascades, "doubles": merged.doubles}
        typer.echo(json.dumps(counts | {"missing": missing, "unmeasured": unmeasured, "notes": list(merged.notes)}))
        return
    doubles = f"; {merged.doubles} stood in several and are kept once" if merged.doubles else ""
    typer.echo(f"{merged.cascades} cascades in {out}{doubles}")
    for note in merged.notes:
        typer.echo(f"  {note}")
    for lack in merged.unmeasured:
        typer.echo(f"  {lack.sentence}")
    for gap in merged.missing[:_SHOWN]:
        typer.echo(f"  {gap.sentence}")
    if len(merged.missing) > _SHOWN:
        typer.echo(f"  ... and {len(merged.missing) - _SHOWN} more; --json lists all of them")


def _options(column: list[str] | None, family: str | None, field: str | None, plan: Path | None):
    return ("column", column), ("family", family), ("field", field), ("plan", plan)


def _columns(given: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in given:
        name, equals, column = pair.partition("=")
        if not equals or not name or not column:
            raise InputError(f"--column takes NAME=COLUMN, such as scale=model, not {pair!r}")
        if name in found:
            raise InputError(f"--column {name} is given twice; name one column for it")
        found[name] = column
    return found
