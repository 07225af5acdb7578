"""``gradcascade fit``: exponents of a study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradcascade.cli.options import Json
from gradcascade.errors import InputError

if TYPE_CHECKING:
    from gradcascade.report.data import ReportData
    from gradcascade.study.study import Study


def fit(
    study: Annotated[Path, typer.Argument(help="Folder of the study.")],
    window: Annotated[
        tuple[int, int] | None, typer.Option(help="First and last step of the stable window.", metavar="FIRST LAST")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fit the exponents at every step and print their mean and spread over the stable window."""
    from gradcascade.study.study import Study

    with Study.open(study) as opened:
        data = report_data(opened, window)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "fits": data.fits.to_dicts(),
                    "summary": data.summary.to_dicts(),
                    "decomposition": data.decomposition.to_dicts(),
                    "windows": [
                        {"family": family, "field": field, "window": list(steps)}
                        for (family, field), steps in data.windows.items()
                    ],
                }
            )
        )
        return
    print_headline(data)


def report_data(study: Study, window: tuple[int, int] | None = None) -> ReportData:
    """Everything the report is made from, of an open study."""
    from gradcascade.report.data import ReportData
    from gradcascade.study.plan import plan_toml

    cascades = study.cascades()
    if cascades.is_empty():
        raise InputError(f"the study {study.folder} has no cascades yet; run `gradcascade measure` first")
    return ReportData.from_tables(
        cascades,
        study.metrics(),
        probe=study.plan.probe.model_dump(),
        provenance=study.provenance(),
        plan_toml=plan_toml(study.plan),
        window=window or study.plan.fit.window,
    )


def print_headline(data: ReportData) -> None:
    """Print the table of exponents."""
    from rich.console import Console
    from rich.table import Table

    from gradcascade.report.data import headline

    frame = headline(data)
    table = Table()
    for name in frame.columns:
        table.add_column(name)
    for row in frame.rows():
        table.add_row(*("" if value is None else str(value) for value in row))
    Console().print(table)
