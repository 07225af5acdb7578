"""``gradcascade fit``: exponents of a study."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradcascade.cli.columns import table
from gradcascade.cli.options import Healthy, Json, Span, StableWindow, StudyFolder, wrapped
from gradcascade.errors import InputError
from gradcascade.fields.kinds import field_plural
from gradcascade.vocabulary import EXPONENTS

if TYPE_CHECKING:
    import polars as pl

    from gradcascade.report.data import ReportData
    from gradcascade.scaling.windows import Window
    from gradcascade.study.study import Study


class WindowRule(StrEnum):
    """Rules that give every family and field its window."""

    last = "last"
    published = "published"
    found = "found"


def fit(
    study: StudyFolder,
    window: StableWindow = None,
    rule: Annotated[
        WindowRule | None, typer.Option("--window-rule", help="Windows by a rule, instead of given ones.")
    ] = None,
    healthy: Healthy = False,
    span: Span = None,
    runs_from: Annotated[
        Path | None,
        typer.Option(
            help="Another study, whose scatter between runs is borrowed for further intervals of this one. They are "
            "too narrow if runs scatter more here: at 1.5 times as much they cover 81 % instead of 95 %."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Fit the exponents at every step; print their mean and spread over the stable window, and the regime."""
    from gradcascade.scaling.published import compare_summaries
    from gradcascade.study.study import Study

    if window and rule:
        raise InputError("--window and --window-rule are both given; give one of them")
    with Study.open(study) as opened:
        data = report_data(opened, window, rule, healthy=healthy, span=span)
        answers = data.answers if as_json else {}
    borrowed = None if runs_from is None else _borrowed(data, runs_from)
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
                    "empty_windows": [asdict(window) for window in data.empty_windows],
                    "published_summaries": compare_summaries(data.cascades).to_dicts(),
                    **{name: table.to_dicts() for name, table in answers.items()},
                    **({} if borrowed is None else {"borrowed_intervals": borrowed.to_dicts()}),
                }
            )
        )
        return
    print_headline(data)
    for empty in data.empty_windows:
        typer.echo(empty.sentence)
    print_inference(data)
    if borrowed is not None:
        _print_borrowed(borrowed)
    print_health(data, healthy)


def _borrowed(data: ReportData, folder: Path) -> pl.DataFrame:
    from gradcascade.scaling.borrowed import borrowed_intervals
    from gradcascade.study.study import Study
    from gradcascade.study.windows import study_windows

    with Study.open(folder) as other:
        cascades = other.cascades()
        if cascades.is_empty():
            raise InputError(f"the study {folder} has no cascades yet; run `gradcascade measure` first")
        return borrowed_intervals(data.points, cascades, None, study_windows(other.plan, cascades, None))


def _print_borrowed(borrowed: pl.DataFrame) -> None:
    typer.echo("with the scatter between runs borrowed, if runs here scatter alike and scales follow the power law:")
    for row in borrowed.filter(variant="real").to_dicts():
        if row["exponent"] not in ("z", "delta"):
            continue
        name = f"{row['family']}, {field_plural(row['field'])}: {row['exponent']}"
        if row["reason"]:
            typer.echo(f"  {name} has none: {row['reason']}")
        else:
            typer.echo(
                f"  {name} = {row['value']:+.3f} (95 % interval {row['low']:+.3f} to {row['high']:+.3f}; runs of "
                f"{row['lender']} differ by {100 * row['run_sd']:.1f} %, {row['degrees']} degrees of freedom)"
            )


def report_data(
    study: Study,
    window: tuple[int, int] | None = None,
    rule: WindowRule | None = None,
    *,
    healthy: bool = False,
    span: int | None = None,
) -> ReportData:
    """Everything the report is made from, of an open study."""
    from gradcascade.report.access import study_data
    from gradcascade.scaling.spans import of_span

    if rule is None:
        return study_data(study, window, healthy=healthy, span=span)
    cascades = study.cascades()
    chosen = None if cascades.is_empty() else window_of(cascades if span is None else of_span(cascades, span), rule)
    return study_data(study, chosen, healthy=healthy, span=span)


def window_of(cascades: pl.DataFrame, rule: WindowRule) -> Window:
    """Windows by a rule; families that a rule says nothing of get the default."""
    from gradcascade.scaling.found_windows import find_windows, found_window
    from gradcascade.scaling.windows import published_windows, windows

    if rule is WindowRule.found:
        return found_window(find_windows(cascades))
    if rule is WindowRule.published:
        found = published_windows(cascades)
        if not found:
            raise InputError(
                "no family here has a published window; `gradcascade families` lists those that have; give --window"
            )
        return found
    return windows(cascades)


def print_inference(data: ReportData) -> None:
    """Print the intervals of z and delta of the real fields, and the regime of every family and field."""
    import polars as pl

    from gradcascade.report.tokens import words_between
    from gradcascade.scaling.verdict import verdicts
    from gradcascade.scaling.window_means import window_intervals

    points = data.points
    intervals = window_intervals(points.only(pl.col("variant") == "real"))
    for row in verdicts(points).to_dicts():
        first, last = data.windows[row["family"], row["field"]]
        here = pl.col("family") == row["family"], pl.col("field") == row["field"]
        seen = words_between(data.tokens, row["family"], first, last)
        steps = f"steps {first:,} to {last:,}" + (f" ({seen})" if seen else "")
        typer.echo(f"{row['family']}, {field_plural(row['field'])}, {steps}: {row['verdict']}")
        typer.echo(f"  {row['sentence']}")
        for known in intervals.filter(*here, pl.col("exponent").is_in(["z", "delta"])).to_dicts():
            if known["mean"] is not None:
                along = known["reason"] or f"{known['low']:+.3f} to {known['high']:+.3f}"
                typer.echo(
                    f"  {known['exponent']} = {known['mean']:+.3f}; along training, of these very runs: {along}"
                )
        counts = points.n_runs.filter(*here)
        if counts["n_runs"].max() not in (None, 1):
            listed = ", ".join(f"{scale} {count}" for scale, count in counts.select("scale", "n_runs").iter_rows())
            typer.echo(f"  The points are means of runs over the window; of each scale there are: {listed}.")
            typer.echo("  The unit of the intervals is the scale, since its runs share how far it lies off the law.")


def print_health(data: ReportData, left_out: bool) -> None:
    """Print which runs are not healthy, and what the exponents are without them."""
    from gradcascade.report.answers.health import health_answer

    if left_out:
        typer.echo("Left out: what runs that are not healthy have from their first sick step on.")
    elif (found := health_answer(data)) is not None:
        typer.echo("Not healthy:")
        for line in found.sentences:
            typer.echo("\n".join(wrapped(line, "  ", 4)))
        for row in found.table.to_dicts():
            cells = (str(cell) for cell in row.values())
            typer.echo("  " + ", ".join(f"{name} {cell}" for name, cell in zip(row, cells, strict=True)))


def print_headline(data: ReportData) -> None:
    """Print the exponents of the real fields and of the first null, one line each, in 80 columns."""
    import polars as pl

    kept = [name for name in ("real", data.baseline) if name]
    rows = data.summary.filter(pl.col("variant").is_in(kept)).pivot(
        "exponent", index=["family", "field", "variant"], values=["mean", "sd"]
    )
    for family in data.families:
        typer.echo(f"{family}: mean and spread (SD) over the steps of the stable window")
        printed = [["field", "", *EXPONENTS]]
        for row in rows.filter(pl.col("family") == family).sort("field", pl.col("variant") != "real").to_dicts():
            found = [_cell(row.get(f"mean_{name}"), row.get(f"sd_{name}")) for name in EXPONENTS]
            printed.append([row["field"], row["variant"], *found])
        for line in table(printed, [10, 6, *(14 for _ in EXPONENTS)], left=2):
            typer.echo(f"  {line}")


def _cell(mean: float | None, sd: float | None) -> str:
    if mean is None:
        return "missing"
    return f"{mean:.3f}" if sd is None else f"{mean:.3f}±{sd:.3f}"
