"""``gradcascade compare``: two studies side by side, or one beside the published values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradcascade.cli.columns import cells
from gradcascade.cli.options import Json, StableWindow
from gradcascade.errors import InputError
from gradcascade.fields.kinds import field_plural

if TYPE_CHECKING:
    import polars as pl

    from gradcascade.scaling.windows import Range, Window

PUBLISHED = "published"


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="Folder of a study.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Folder of another, or the word published.")],
    window: StableWindow = None,
    window_b: StableWindow = None,
    as_json: Json = False,
) -> None:
    """Compare exponents, null differences and regimes, with intervals of the differences."""
    from gradcascade.scaling import comparison

    ours, our_window = _study(first, window, second == PUBLISHED)
    if second == PUBLISHED:
        from gradcascade.scaling.published import compare_summaries

        table, summaries = comparison.compare_published(ours, our_window), compare_summaries(ours, our_window)
        if as_json:
            typer.echo(json.dumps({"published": table.to_dicts(), "summaries": summaries.to_dicts()}))
        else:
            _print_published(table.to_dicts())
            _print_summaries(summaries.to_dicts())
        return
    theirs, their_window = _study(Path(second), window_b or window)
    both = (ours, theirs, our_window, their_window)
    exponents, regimes = comparison.compare_studies(*both).to_dicts(), comparison.compare_verdicts(*both).to_dicts()
    if as_json:
        typer.echo(json.dumps({"exponents": exponents, "verdicts": regimes}))
        return
    _print_studies(exponents, regimes)


def _study(folder: Path, window: Range | None, published: bool = False) -> tuple[pl.DataFrame, Window]:
    """Cascades and windows of a study; beside the published values, the published window is the default."""
    from gradcascade.scaling.windows import published_windows
    from gradcascade.study.study import Study
    from gradcascade.study.windows import planned_windows, study_windows

    with Study.open(folder) as study:
        cascades = study.cascades()
        if cascades.is_empty():
            raise InputError(f"the study {folder} has no cascades yet; run `gradcascade measure` first")
        if published:
            return cascades, window or published_windows(cascades) | planned_windows(study.plan, cascades)
        return cascades, study_windows(study.plan, cascades, window)


def _print_studies(exponents: list[dict[str, Any]], regimes: list[dict[str, Any]]) -> None:
    for regime in regimes:
        names = [regime["family_a"], regime["family_b"]]
        family = names[0] if names[0] == names[1] else " and ".join(names)
        fields = field_plural(regime["field"])
        typer.echo(f"{family}, {fields}: value and 95 % interval across scales; the difference is B less A")
        typer.echo(f"  {'':<16}{'A':<24}{'B':<24}{'difference'}")
        for row in exponents:
            if [row["family_a"], row["family_b"], row["field"]] == [*names, regime["field"]]:
                values = [_interval(row, f"value_{s}", f"low_{s}", f"high_{s}") for s in "ab"]
                gap = row["reason"] or _interval(row, "difference", "low", "high")
                named = (row["exponent"], 6), (row["variant"], 10)
                typer.echo(f"  {cells(*named, *((value, 24) for value in values), (gap, 0))}")
        for side in "ab":
            typer.echo(f"  {side.upper()} is {regime[f'verdict_{side}']}. {regime[f'sentence_{side}']}")


def _print_published(rows: list[dict[str, Any]]) -> None:
    typer.echo("window means with 95 % intervals across scales, beside the published mean and spread")
    for row in rows:
        spread = "" if row["published_sd"] is None else f" ± {row['published_sd']:.3f}"
        ours = row["reason"] or _interval(row, "value", "low", "high")
        agrees = {True: "inside", False: "outside", None: ""}[row["inside"]]
        name = f"{row['family']} {row['field']} {row['variant']} {row['exponent']}"
        published = f"{row['published']:+.3f}{spread}"
        typer.echo(f"  {cells((name, 32), (ours, 26), (published, 0), (agrees, 0))}")


def _print_summaries(rows: list[dict[str, Any]]) -> None:
    from gradcascade.tables.reasons import SENTENCES

    if rows:
        typer.echo(
            "mean R2, coefficient of variation of v_rel over the scales, and shares of the null difference of z"
        )
    for row in rows:
        name = f"{row['family']} {row['field']} {row['variant']} {row['quantity']}"
        ours = "missing" if row["value"] is None else f"{row['value']:.3f}"
        less = "" if row["difference"] is None else f"{row['difference']:+.3f}"
        why = SENTENCES.get(row["code"] or "", "")
        theirs = f"{row['published']:.3f}"
        typer.echo(f"  {cells((name, 44), (ours, 10), (theirs, 8), (less, 9), (why, 0))}")


def _interval(row: dict[str, Any], value: str, low: str, high: str) -> str:
    if row[value] is None:
        return "missing"
    if row[low] is None:
        return f"{row[value]:+.3f}"
    return f"{row[value]:+.3f} [{row[low]:+.3f}, {row[high]:+.3f}]"
