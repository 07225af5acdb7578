"""The page of the report: one file that opens without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradcascade.csvfile import write_csv
from gradcascade.fields.kinds import field_plural
from gradcascade.report import page_tables, whiskers
from gradcascade.report.answers import Answer, all_answers, lead
from gradcascade.report.bundle import bundle
from gradcascade.report.data import ReportData
from gradcascade.report.figure_views import FigureView, figure_views
from gradcascade.report.grids import as_table, tree
from gradcascade.report.page_data import chart_data, json_text
from gradcascade.report.rendering import environment, write_page, written_to
from gradcascade.report.step_by_step import step_by_step
from gradcascade.report.words import charts

FIRST_ANSWERS = ("published", "verdicts", "contrast")
"""Answers that stand at the top of the page; the others follow the charts."""


def write_report(data: ReportData, out_dir: Path) -> Path:
    """Write the report: the page, and beside it every figure and every table in files."""
    page = out_dir / "index.html"
    answers = all_answers(data)
    with written_to(out_dir):
        folder = out_dir / "figures"
        folder.mkdir(parents=True, exist_ok=True)
        write_csv(page_tables.sources(data), out_dir / "sources.csv")
        if data.contents is not None:
            write_csv(data.contents, out_dir / "contents.csv")
        _write_answers(answers, out_dir / "answers")
        content = _content(data, figure_views(data, folder), answers)
        text = environment().get_template("index.html.j2").render(content)
        write_page(page, text)
    return page


def _write_answers(answers: list[Answer], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for answer in answers:
        write_csv(answer.table if answer.full is None else answer.full, folder / f"{answer.name}.csv")


def _content(data: ReportData, views: list[FigureView], answers: list[Answer]) -> dict[str, Any]:
    closure = page_tables.closure_summary(data)
    worst = closure["largest_closure_error"].to_list()
    shown = [(answer, as_table(answer.table, answer.title)) for answer in answers]
    return {
        "title": data.title,
        "bundle": bundle(),
        "study": json_text(chart_data(data)),
        "charts": charts() if data.groups else (),
        "lead": lead(data),
        "words": step_by_step(data),
        "extents": [(family, _extents(data, family)) for family in data.families],
        "several_runs": bool(data.several_runs),
        "cascades": data.cascades.height,
        "variants": data.variants,
        "verdicts": data.answers["verdicts"].to_dicts() if answers else [],
        "whiskers": whiskers.panels(data),
        "first": [pair for pair in shown if pair[0].name in FIRST_ANSWERS],
        "answers": [pair for pair in shown if pair[0].name not in FIRST_ANSWERS],
        "headline": as_table(page_tables.headline(data), "Exponents over the window"),
        "figures": views,
        "windows": [(f"{family}, {field_plural(field)}", *ends) for (family, field), ends in data.windows.items()],
        "nulls": as_table(page_tables.null_summary(data), "Differences to the nulls over the window"),
        "exclusions": as_table(page_tables.exclusions(data), "Excluded cascades"),
        "refusals": as_table(page_tables.refusals(data), "Snapshots that were not measured"),
        "missing": as_table(page_tables.missing_exponents(data), "Steps without exponents"),
        "closure": as_table(closure, "Closure error"),
        "worst_closure": f"{max(worst):.1e}".replace("-", page_tables.MINUS) if worst else None,
        "contents": as_table(page_tables.contents(data), "What the fields are made of"),
        "sources": as_table(page_tables.sources(data), "Sources of the fields"),
        "probe": tree(data.probe),
        "provenance": tree(data.provenance),
        "plan": data.plan_toml,
    }


def _extents(data: ReportData, family: str) -> list[tuple[str, str]]:
    """Scales of a family, each with its N and, where it has several, its runs."""
    found = []
    for scale in data.entries(family):
        runs = data.several_runs.get((family, scale))
        found.append((scale, data.sizes(family, scale) + (f"; runs {', '.join(runs)}" if runs else "")))
    return found
