"""``gradcascade export``: the tables of a study in other formats."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gradcascade.cli.fit import report_data
from gradcascade.errors import InputError


class Format(StrEnum):
    """Formats of the exported tables."""

    parquet = "parquet"
    csv = "csv"
    json = "json"


def export(
    study: Annotated[Path, typer.Argument(help="Folder of the study.")],
    to: Annotated[Format, typer.Option("--format", help="Format of the files.")] = Format.parquet,
    out: Annotated[Path | None, typer.Option(help="Folder to write (default: STUDY/export).")] = None,
) -> None:
    """Write the tables of cascades, fits, summary, null differences and metrics, one file each."""
    import polars as pl

    from gradcascade.study.study import Study

    folder = out or study / "export"
    with Study.open(study) as opened:
        data = report_data(opened)
    tables = {
        "cascades": data.cascades,
        "fits": data.fits,
        "summary": data.summary,
        "decomposition": data.decomposition,
        "metrics": data.metrics,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            path = folder / f"{name}.{to.value}"
            if to is Format.parquet:
                table.write_parquet(path)
            elif to is Format.csv:
                lists = [column for column, kind in table.schema.items() if isinstance(kind, pl.List)]
                joined = [pl.col(column).cast(pl.List(pl.String)).list.join(" ") for column in lists]
                table.with_columns(joined).write_csv(path)
            else:
                path.write_text(json.dumps(table.to_dicts()), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}; choose another --out") from None
    typer.echo(f"{len(tables)} tables in {folder}")
