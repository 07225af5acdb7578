"""``gradcascade export``: the tables of a study in other formats."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gradcascade.cli.options import Span, StudyFolder


class Format(StrEnum):
    """Formats of the exported tables."""

    parquet = "parquet"
    csv = "csv"
    json = "json"


def export(
    study: StudyFolder,
    to: Annotated[Format, typer.Option("--format", help="Format of the files.")] = Format.parquet,
    out: Annotated[Path | None, typer.Option(help="Folder to write (default: STUDY/export).")] = None,
    span: Span = None,
) -> None:
    """Write every table in one documented schema, with that schema and a BibTeX file of what to cite."""
    from gradcascade.export.citations import places
    from gradcascade.export.tables import study_tables
    from gradcascade.export.write import write_tables
    from gradcascade.report.access import study_data
    from gradcascade.study.study import Study

    folder = out or study / "export"
    with Study.open(study) as opened:
        data = study_data(opened, span=span)
        families = places(data.cascades, opened.plan)
    tables = study_tables(data)
    write_tables(tables, folder, to.value, families)
    typer.echo(f"{len(tables)} tables in {folder}")
