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
        refusals=study.refusals(),
    )


def print_headline(data: ReportData) -> None:
    """Print the exponents of the real fields and of the first null, one line each, in 80 columns."""
    import polars as pl

    kept = [name for name in ("real", data.baseline) if name]
    rows = data.summary.filter(pl.col("variant").is_in(kept)).pivot(
        "exponent", index=["family", "field", "variant"], values=["mean", "sd"]
    )
    for family in data.families:
        typer.echo(f"{family}: mean and spread (SD) over the steps of the stable window")
        typer.echo(f"  {'field':<10}{'':<6}{'D':>14}{'z':>14}{'beta':>14}{'delta':>14}")
        for row in rows.filter(pl.col("family") == family).sort("field", pl.col("variant") != "real").to_dicts():
            cells = [_cell(row.get(f"mean_{name}"), row.get(f"sd_{name}")) for name in ("D", "z", "beta", "delta")]
            typer.echo(f"  {row['field']:<10}{row['variant']:<6}" + "".join(f"{cell:>14}" for cell in cells))


def _cell(mean: float | None, sd: float | None) -> str:
    if mean is None:
        return "missing"
    return f"{mean:.3f}" if sd is None else f"{mean:.3f}±{sd:.3f}"
