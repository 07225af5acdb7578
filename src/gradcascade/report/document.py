"""A page made of sections: paragraphs, figures and tables, in the look of a study's page, and everything in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from gradcascade.csvfile import write_csv
from gradcascade.report.bundle import bundle
from gradcascade.report.drawing.figure import Drawn
from gradcascade.report.figure_views import FigureView, views_of
from gradcascade.report.grids import Table, as_table
from gradcascade.report.page_data import json_text
from gradcascade.report.rendering import environment, write_page, written_to

NO_CHARTS = {"vocabulary": {"exponents": {}}, "groups": []}
"""What the page's script reads: it makes tables sortable, and there is no chart."""


@dataclass(frozen=True)
class Section:
    """A part of the page; every table is shown under its title and written to a file of its name."""

    name: str
    """Short, in small letters: its place in the address of the page."""
    title: str
    paragraphs: Sequence[str] = ()
    figures: Sequence[Drawn] = ()
    tables: Mapping[str, tuple[str, pl.DataFrame]] = field(default_factory=dict)
    """By the name of the file: a title, and the table."""
    how: Sequence[str] = ()
    """How it was computed, folded away."""
    code: str = ""
    """A text shown as it stands: a plan, a command."""


@dataclass(frozen=True)
class Shown:
    """A section ready for the page."""

    section: Section
    figures: list[FigureView]
    tables: list[tuple[str, Table]]


def write_document(
    folder: Path, title: str, lead: Sequence[str], sections: Sequence[Section], meta: Sequence[str] = ()
) -> Path:
    """Write ``index.html`` and beside it figures (SVG, PDF, PNG, CSV) and tables (CSV).

    Parameters
    ----------
    folder : pathlib.Path
        Made if it is not there.
    title : str
        Of the page.
    lead : sequence of str
        What was found, in sentences, at the top.
    sections : sequence of Section
        In order.
    meta : sequence of str
        Small print under the title.

    Returns
    -------
    pathlib.Path
        The page; it opens without a network.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    page = folder / "index.html"
    with written_to(folder):
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        (folder / "tables").mkdir(exist_ok=True)
        shown = [_shown(section, folder) for section in sections]
        text = (
            environment()
            .get_template("document.html.j2")
            .render(title=title, lead=lead, meta=meta, shown=shown, bundle=bundle(), study=json_text(NO_CHARTS))
        )
        write_page(page, text)
    return page


def _shown(section: Section, folder: Path) -> Shown:
    for name, (_, table) in section.tables.items():
        write_csv(table, folder / "tables" / f"{name}.csv")
    tables = [(f"tables/{name}.csv", as_table(table, title)) for name, (title, table) in section.tables.items()]
    return Shown(section, views_of(section.figures, folder / "figures"), tables)
