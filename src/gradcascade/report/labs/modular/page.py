"""The page of the lab of modular addition: what was found, beside what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from gradcascade.report import words
from gradcascade.report.document import Section, write_document
from gradcascade.report.labs.modular.figures import FIGURES
from gradcascade.report.labs.modular.findings import LESS, NEAR, RISE, SHORT, ModularFindings
from gradcascade.report.labs.modular.published import EARLIEST, LATEST, PAPER, D
from gradcascade.report.page_report import PageReport
from gradcascade.report.page_tables import ABSENT
from gradcascade.scaling.phases import AFTER, BEFORE, CHANGE, METHODS

TITLE = "Modular addition lab: D of gradient cascades about the grokking transition"
MAIN = METHODS[0]
PHASE_WORDS = {"before": BEFORE, "after": AFTER, "change": CHANGE}


def write_modular_page(findings: ModularFindings, folder: Path, notes: Sequence[str], plan: str) -> PageReport:
    """Write ``index.html`` with its figures and tables into a folder, and all tables as JSON.

    ``notes`` are small print under the title, such as the machine time, and ``plan`` the lab's plan as text.
    """
    tables = {
        "summary": summary(findings),
        "phases": findings.phases,
        "along": findings.along,
        "runs": findings.runs,
    }
    said = headline(findings)
    page = write_document(folder, TITLE, said, _sections(findings, tables, plan), (f"after {PAPER}", *notes))
    report = PageReport(tuple(said), tables, page)
    report.write(folder)
    return report


def headline(findings: ModularFindings) -> list[str]:
    """What was found: of the runs that grok, of the controls, and what is to be known of both."""
    sentences = [_of_series(findings, name) for name in findings.families]
    rise = _rows(findings, findings.grokking, RISE)
    if rise[CHANGE]["value"] is not None:
        numbers = _numbers(rise)
        sentences.insert(1, f"{findings.grokking}, about the step at which half of the test is right: {numbers}.")
    for name in findings.differences:
        changes = [_rows(findings, name, window)[CHANGE] for window in (NEAR, RISE)]
        if all(row["value"] is not None for row in changes):
            told = " and ".join(
                f"{with_interval(row)} {place}"
                for row, place in zip(changes, ("at the transition", "at the rise"), strict=True)
            )
            sentences.append(f"Change of D less that of {name.split(LESS)[1]}: {told}.")
    missed = [f"{scale} seed {run}" for (scale, run), at in findings.transitions.items() if at is None]
    if missed:
        sentences.append(f"Left out, since {findings.threshold:.0%} of the test was not passed: {', '.join(missed)}.")
    passed = findings.passed_controls
    if passed.height:
        names = ", ".join(f"{family} {scale} seed {run}" for family, scale, run, *_ in passed.iter_rows())
        sentences.append(f"No control in the end, since it passed {findings.threshold:.0%} of the test: {names}.")
    return sentences


def _of_series(findings: ModularFindings, series: str) -> str:
    rows = _rows(findings, series, NEAR)
    if rows[BEFORE]["value"] is None:
        return f"{series}: fewer than three widths have runs that were measured before and after the transition."
    said = f"{series}: {_numbers(rows)}"
    if series != findings.grokking:
        return f"{said}; {_about_one(rows[BEFORE])} before and {_about_one(rows[AFTER])} after."
    published = f"published: about {D[BEFORE]} before and {D[AFTER]} after"
    return f"{said} ({published}): {verdict(rows)}."


def _numbers(rows: Mapping[str, Mapping[str, Any]]) -> str:
    parts = (f"{word} {with_interval(rows[phase])}" for word, phase in PHASE_WORDS.items())
    return f"D {', '.join(parts)}"


def verdict(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Whether D falls through 1, as far as the intervals over runs tell."""
    change = rows[CHANGE]
    if any(rows[phase]["low"] is None for phase in (BEFORE, AFTER, CHANGE)):
        return "without intervals, since a width has a single run"
    if rows[BEFORE]["low"] > 1 and rows[AFTER]["high"] < 1:
        return "D falls through 1 as published"
    moves = "falls" if change["high"] < 0 else "rises" if change["low"] > 0 else "is not shown to change"
    return (
        f"D {moves}, and is {_about_one(rows[BEFORE])} before and {_about_one(rows[AFTER])} after; that it falls "
        "through 1 is not found here"
    )


def _about_one(row: Mapping[str, Any]) -> str:
    if row["low"] is None:
        return "of unknown error"
    return "above 1" if row["low"] > 1 else "below 1" if row["high"] < 1 else "not told apart from 1"


def with_interval(row: Mapping[str, Any]) -> str:
    """A value with its interval over runs."""
    if row["value"] is None:
        return ABSENT
    text = f"{row['value']:.3f}"
    return (text if row["low"] is None else f"{text} ({row['low']:.3f} to {row['high']:.3f})").replace("-", "−")


def _rows(findings: ModularFindings, series: str, window: str) -> dict[str, dict[str, Any]]:
    own = findings.phases.filter(
        pl.col("series") == series,
        pl.col("exponent") == "D",
        pl.col("window") == window,
        pl.col("method") == MAIN,
    )
    return {row["phase"]: row for row in own.to_dicts()}


def summary(findings: ModularFindings) -> pl.DataFrame:
    """D to read, beside what was published: a row per series, window and method."""
    change = f"{D[AFTER] - D[BEFORE]:.2f}".replace("-", "−")
    rows: list[dict[str, Any]] = [
        {"series": PAPER, "before": f"{D[BEFORE]:.2f}", "after": f"{D[AFTER]:.2f}", "change": change}
    ]
    table = findings.phases.filter(pl.col("exponent") == "D")
    for (series, window, method), part in table.group_by("series", "window", "method", maintain_order=True):
        by_phase = {row["phase"]: row for row in part.to_dicts()}
        across = by_phase[CHANGE]
        ends = [across[name] for name in ("scales_low", "scales_high")]
        rows.append(
            {"series": series, "window": window, "method": method}
            | {"before": with_interval(by_phase[BEFORE]), "after": with_interval(by_phase[AFTER])}
            | {"change": with_interval(across), "runs": across["n_runs"], "left_out": across["left_out"]}
            | {"change, across widths": None if None in ends else f"{ends[0]:.3f} to {ends[1]:.3f}".replace("-", "−")}
        )
    columns = ("series", "window", "method", "before", "after", "change", "change, across widths", "runs", "left_out")
    schema = {name: pl.Int64 if name in ("runs", "left_out") else pl.String for name in columns}
    return pl.DataFrame(rows, schema=schema)


def _sections(findings: ModularFindings, tables: Mapping[str, pl.DataFrame], plan: str) -> list[Section]:
    along, differences, phases, accuracies = (kind(findings) for kind in FIGURES)
    texts = words.of_page("modular")
    earlier = texts["earlier"].format(latest=LATEST, earliest=EARLIEST)
    settings = texts["settings"].format(paper=PAPER, before=D[BEFORE], after=D[AFTER])
    return [
        Section(
            "exponents",
            "D before and after",
            [settings],
            [phases],
            {
                "summary": ("D beside what was published, with 95 % intervals over runs", tables["summary"]),
                "phases": ("All exponents, by every window and convention", tables["phases"]),
            },
            [text.format(short=SHORT) for text in texts["how"]],
        ),
        Section(
            "along",
            "D about the transition",
            [earlier, texts["not_aligned"]],
            [along, differences],
            {"along": ("D at every distance, and less that of controls and nulls", tables["along"])},
        ),
        Section(
            "runs",
            "The runs",
            figures=[accuracies],
            tables={"runs": ("Every run: when its training and its test pairs were known", tables["runs"])},
        ),
        Section("plan", "The plan", code=plan),
    ]
