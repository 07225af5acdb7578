"""The page of the report: one file that opens without a network."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gradcascade.errors import InputError
from gradcascade.report import tables
from gradcascade.report.data import ReportData
from gradcascade.report.figures import all_figures
from gradcascade.report.figures.base import ReportFigure
from gradcascade.report.findings import findings
from gradcascade.report.svg import inline_svg

ROW_LIMIT = 200
SVG_LIMIT = 500_000
NAMES = {
    "relaxation_step": "relaxation step",
    "distribution_share": "distribution share",
    "assignment_share": "assignment share",
    "largest_closure_error": "largest closure error",
    "content_hash": "SHA-256 of the content",
    "n_scales": "scales",
    "n": "N",
    "delta": "δ",
    "beta": "β",
    "R2_delta": "R² of δ",
    "R2_D": "R² of D",
    "R2_z": "R² of z",
    "D - 1": f"D {tables.MINUS} 1",
    "delta low": "δ low",
    "delta high": "δ high",
}


@dataclass(frozen=True)
class Table:
    """A table ready for the page.

    Attributes
    ----------
    label : str
        What it holds, for screen readers.
    columns : tuple of (str, bool)
        Heading, and whether the column holds numbers.
    rows : tuple of tuple of str
        Formatted cells.
    total : int
        Number of rows there are; more than are shown where the table was cut.
    """

    label: str
    columns: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[str, ...], ...]
    total: int


@dataclass(frozen=True)
class FigureView:
    """A figure ready for the page: its words, its picture and its numbers."""

    name: str
    title: str
    caption: str
    missing: str | None
    svg: str
    png: str
    table: Table


def write_report(data: ReportData, out_dir: Path) -> Path:
    """Write the report: the page, and beside it every figure as PNG and SVG with its numbers as CSV.

    Parameters
    ----------
    data : ReportData
        What to show.
    out_dir : pathlib.Path
        Folder, made if absent; files of an earlier report in it are replaced.

    Returns
    -------
    pathlib.Path
        The page, `out_dir/index.html`: self-contained, without scripts and without outside references.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("gradcascade.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["together"] = together
    page = out_dir / "index.html"
    try:
        folder = out_dir / "figures"
        folder.mkdir(parents=True, exist_ok=True)
        origins = tables.sources(data)
        origins.write_csv(out_dir / "sources.csv")
        views = [_figure(figure, folder) for figure in all_figures(data)]
        text = environment.get_template("index.html.j2").render(_content(data, views, origins))
        page.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"the report cannot be written to {out_dir} ({reason}); choose a folder with room that you may write to"
        ) from error
    return page


def as_table(frame: pl.DataFrame, label: str, limit: int = ROW_LIMIT) -> Table:
    """Format a table for the page.

    Parameters
    ----------
    frame : polars.DataFrame
        Any table.
    label : str
        What it holds.
    limit : int
        Most rows shown.

    Returns
    -------
    Table
        The first rows.
    """
    columns = tuple((NAMES.get(name, name), kind.is_numeric()) for name, kind in frame.schema.items())
    rows = tuple(tuple(map(_cell, row, frame.columns)) for row in frame.head(limit).iter_rows())
    return Table(label, columns, rows, frame.height)


def together(text: str) -> str:
    """Keep numbers and what belongs to them on one line.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        With no-break spaces around the plus-minus sign and before the percent sign.
    """
    return text.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}").replace(" %", "\N{NO-BREAK SPACE}%")


def _cell(value: object, name: str = "") -> str:
    if value is None or value != value:
        return tables.ABSENT
    if isinstance(value, float):
        return f"{value:{'.3f' if name.startswith('R2') else '.4g'}}".replace("-", tables.MINUS)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else together(str(value))


def _figure(figure: ReportFigure, folder: Path) -> FigureView:
    files, missing = figure.save(folder), figure.missing()
    if missing is not None:
        return FigureView(figure.name, figure.title, "", missing, "", "", as_table(pl.DataFrame(), ""))
    svg = png = ""
    if files["svg"].stat().st_size <= SVG_LIMIT:
        svg = inline_svg(files["svg"], figure.name, figure.title)
    else:
        png = base64.b64encode(files["png"].read_bytes()).decode("ascii")
    table = as_table(figure.table(), f"Numbers of: {figure.title}")
    return FigureView(figure.name, figure.title, figure.caption(), None, svg, png, table)


def _content(data: ReportData, views: list[FigureView], origins: pl.DataFrame) -> dict[str, Any]:
    closure = tables.closure_summary(data)
    worst = closure["largest_closure_error"].to_list()
    extents = [
        f"{family}: {', '.join(f'{scale} (N = {n:,})' for scale, n in data.entries(family).items())}"
        for family in data.families
    ]
    return {
        "title": data.title,
        "words": findings(data),
        "extents": extents,
        "cascades": data.cascades.height,
        "variants": data.variants,
        "headline": as_table(tables.headline(data), "Exponents over the window"),
        "figures": views,
        "windows": [(f"{family}, {field}s", *ends) for (family, field), ends in data.windows.items()],
        "nulls": as_table(tables.null_summary(data), "Differences to the nulls over the window"),
        "exclusions": as_table(tables.exclusions(data), "Excluded cascades"),
        "refusals": as_table(data.refusals, "Snapshots that could not be measured"),
        "missing": as_table(tables.missing_exponents(data), "Steps without exponents"),
        "closure": as_table(closure, "Closure error"),
        "worst_closure": f"{max(worst):.1e}".replace("-", tables.MINUS) if worst else None,
        "sources": as_table(origins, "Sources of the fields"),
        "probe": _tree(data.probe),
        "provenance": _tree(data.provenance),
        "plan": data.plan_toml,
        "row_limit": ROW_LIMIT,
    }


def _tree(value: object) -> Any:
    """Turn nested settings into (name, text or branch) pairs."""
    if isinstance(value, Mapping):
        return [(str(name), _tree(part)) for name, part in value.items()]
    if isinstance(value, list | tuple):
        if any(isinstance(part, Mapping | list | tuple) for part in value):
            return [(str(place), _tree(part)) for place, part in enumerate(value, 1)]
        return ", ".join(str(part) for part in value)
    return tables.ABSENT if value is None else str(value)
