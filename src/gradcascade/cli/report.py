"""``gradcascade report``: write the report of a study."""

import json
from pathlib import Path
from typing import Annotated

import typer

from gradcascade.cli.fit import report_data
from gradcascade.cli.options import Healthy, Json, Span, StableWindow, StudyFolder


def report(
    study: StudyFolder,
    window: StableWindow = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write (default: STUDY/report).")] = None,
    healthy: Healthy = False,
    span: Span = None,
    as_json: Json = False,
) -> None:
    """Write the report's index.html and its figures."""
    from gradcascade.report.page import write_report
    from gradcascade.study.study import Study

    with Study.open(study) as opened:
        page = write_report(report_data(opened, window, healthy=healthy, span=span), out or study / "report")
    typer.echo(json.dumps({"report": str(page)}) if as_json else f"report: {page}")
