"""The page of matched runs, and the files beside it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from gradcascade.report import words
from gradcascade.report.document import Section, write_document
from gradcascade.report.experiment.data import Experiment
from gradcascade.report.experiment.figures import ContrastsFigure, DurationsFigure, LadderFigure
from gradcascade.report.experiment.result import ExperimentReport
from gradcascade.report.experiment.words import headline, question_words
from gradcascade.report.page_tables import signed
from gradcascade.vocabulary import REAL


def write_page(experiment: Experiment, folder: Path) -> ExperimentReport:
    """Write the page with its figures and tables, and all tables as JSON."""
    tables = tables_of(experiment)
    found = headline(experiment)
    page = write_document(folder, "From gradient to update", found, _sections(experiment, tables), _meta(experiment))
    report = ExperimentReport(tuple(found), tables, page, experiment.ladder.window)
    report.write(folder)
    return report


def tables_of(experiment: Experiment) -> dict[str, pl.DataFrame]:
    """Every table of the report, by name."""
    answers = experiment.answers
    asked_in_words = [question_words(experiment, row) for row in answers.to_dicts()]
    return {
        "losses": experiment.losses,
        "rates": experiment.rates,
        "ladder": experiment.exponents,
        "r2": experiment.r2,
        "levels": experiment.levels,
        "collapse": experiment.collapse,
        "questions": answers.with_columns(pl.Series("question", asked_in_words, dtype=pl.String)),
        "stretches": experiment.stretches,
        "power": experiment.power,
        "missing": experiment.gaps,
    }


def summary(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The ladder to read: a row per condition and rung, exponents with their intervals, less the nulls, R2, v_rel."""
    keys = ["condition", "rung"]
    known = tables["ladder"].filter(pl.col("duration") == "n_steps")
    real = known.filter(pl.col("variant") == REAL)
    table = real.select(keys).unique(maintain_order=True)
    for exponent in ("z", "delta", "D"):
        cells = _cells(real.filter(pl.col("exponent") == exponent), plus=exponent != "D")
        table = table.join(cells.rename({"cell": exponent}), on=keys, how="left", maintain_order="left")
    on_z = known.filter(pl.col("exponent") == "z")
    for variant in on_z["variant"].unique(maintain_order=True):
        if variant.startswith(f"{REAL} - "):
            cells = _cells(on_z.filter(pl.col("variant") == variant)).rename({"cell": f"z {variant[7:]}"})
            table = table.join(
                cells.rename({f"z {variant[7:]}": f"z, {variant}"}), on=keys, how="left", maintain_order="left"
            )
    r2 = tables["r2"].filter(pl.col("variant") == REAL, pl.col("exponent") == "z").select(*keys, R2_z="value")
    v_rel = tables["levels"].filter(pl.col("variant") == REAL, pl.col("channel") == "v_rel")
    quality = tables["collapse"].filter(pl.col("variant") == REAL).select(*keys, S="quality")
    for part in (r2, v_rel.select(*keys, v_rel="value"), quality):
        table = table.join(part, on=keys, how="left", maintain_order="left")
    return table


def _cells(rows: pl.DataFrame, plus: bool = True) -> pl.DataFrame:
    def cell(row: dict[str, float | None]) -> str | None:
        def text(value: float | None) -> str:
            return signed(value) if plus else signed(value).lstrip("+")

        if row["value"] is None:
            return None
        return text(row["value"]) + (
            f" ({text(row['low'])} to {text(row['high'])})" if row["low"] is not None else ""
        )

    ends = rows.select("value", "low", "high").to_dicts()
    return rows.select("condition", "rung", pl.Series("cell", [cell(row) for row in ends], dtype=pl.String))


def asked(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The questions to read, by n_steps."""
    kept = ("list", "question", "exponent", "value", "low", "high", "p", "p_adjusted", "shown", "run_sd", "scale_sd")
    return tables["questions"].filter(pl.col("duration") == "n_steps").select(*kept, "reason")


def _meta(experiment: Experiment) -> list[str]:
    ladder, first, last = experiment.ladder, *experiment.ladder.window
    rows = ladder.points.rows
    sizes = rows.group_by("scale").agg(pl.col("n").max(), pl.col("run").n_unique()).sort("n", "scale")
    listed = ", ".join(f"{scale} (N = {n:,}; {runs} seeds)" for scale, n, runs in sizes.iter_rows())
    steps = rows["step"].n_unique()
    return [
        f"{', '.join(ladder.conditions)}: {listed}",
        f"The window, stated beforehand, is steps {first:,} to {last:,}, of which {steps} were measured.",
        f"{rows.height:,} cascades of {', '.join([REAL, *ladder.variants])} fields.",
    ]


def _sections(experiment: Experiment, tables: dict[str, pl.DataFrame]) -> list[Section]:
    texts = words.of_page("experiment")
    left_out = experiment.record.get("left_out", {})
    notes = [f"{name}: {_listed(what)}." for name, what in left_out.items()]
    tuning = experiment.tuning
    rule = [f"Rates: {tuning['rule']}." for _ in (1,) if tuning.get("rule")]
    if tuning.get("transfer"):
        rule.append(f"Rule of their transfer to larger scales: {tuning['transfer']}.")
    return [
        Section(
            "ladder",
            "The ladder",
            ["From the gradient of one batch to updates over growing spans, at the same steps of the same runs."],
            [LadderFigure(experiment), DurationsFigure(experiment)],
            {
                "summary": ("The ladder, over the window", summary(tables)),
                "ladder": ("Every exponent, by both durations, with nulls", tables["ladder"]),
                "levels": ("Levels at the geometric mean of the sizes", tables["levels"]),
                "r2": ("R² over seeds", tables["r2"]),
                "collapse": ("Collapse of the activity profiles", tables["collapse"]),
            },
            texts["ladder"],
        ),
        Section(
            "questions",
            "What was asked",
            figures=[ContrastsFigure(experiment)],
            tables={
                "asked": ("Differences by n_steps", asked(tables)),
                "questions": ("All, also by the extinction time", tables["questions"]),
                "stretches": ("Stretches of the ladder, on z by n_steps", tables["stretches"]),
                "power": ("What the primary questions could show", tables["power"]),
            },
            how=(*texts["questions"], *texts["stretches"], *texts["power"]),
        ),
        Section(
            "training",
            "How the runs were trained",
            [*rule, *notes],
            tables={
                "losses": ("Held-out losses after all steps (nats per byte), over seeds", tables["losses"]),
                "rates": ("Learning rates that were tried on the smallest scale", tables["rates"]),
            },
        ),
        Section(
            "missing",
            "Missing",
            ["Runs of which fewer steps could be used at a rung than the window has."],
            tables={"missing": ("Missing measurements", tables["missing"])},
        ),
        Section("plan", "The plan", code=experiment.plan_toml),
    ]


def _listed(what: object) -> str:
    return (
        ", ".join(map(str, what))
        if isinstance(what, list)
        else json.dumps(what)
        if isinstance(what, dict)
        else str(what)
    )
