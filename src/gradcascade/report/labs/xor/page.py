"""The page of the XOR lab: what was found, beside what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from gradcascade.report import words
from gradcascade.report.document import Section, write_document
from gradcascade.report.labs.xor import figures
from gradcascade.report.labs.xor.findings import MIXED, PLACED, STATISTICS, XorFindings
from gradcascade.report.labs.xor.published import CONCENTRATION, GAMMA, GAUSSIAN, GRAPHS_VARIATION, PAPER, D
from gradcascade.scaling.phases import AFTER, ALL, BEFORE, CHANGE

TITLE = "XOR lab: D of gradient cascades before and after learning"
EXPONENTS = {
    "largest": D[ALL], "run-largest": D[ALL], "mean": D[ALL], "collapse": D[ALL],
    "ratio": GAMMA, "tail": GAMMA, "tail-line": GAMMA,
}  # fmt: skip
"""What a statistic of the distribution can be set beside; the paper's text known to us does not define either."""


def write_xor_page(findings: XorFindings, folder: Path, settings: Mapping[str, Any]) -> Path:
    """Write ``index.html`` with its figures and tables into a folder."""
    return write_document(folder, TITLE, headline(findings), _sections(findings, settings), (f"after {PAPER}",))


def headline(findings: XorFindings) -> list[str]:
    """What was found, in a sentence for every family and one for the control."""
    sentences = []
    for family in findings.families:
        own = findings.main.filter(pl.col("family") == family, pl.col("method") == "means")
        rows = {row["phase"]: row for row in own.to_dicts()}
        if rows[BEFORE]["value"] is None:
            sentences.append(f"{family}: fewer than three widths have runs that were measured before and after.")
            continue
        parts = [f"D {phase} {_with_interval(rows[phase])} ({_published(D[phase])})" for phase in (BEFORE, AFTER)]
        change = rows[CHANGE]
        sentences.append(
            f"{family}: {parts[0]}, {parts[1]}; change {_with_interval(change)}; {change['n_runs']} runs of "
            f"{change['n_scales']} widths, {change['left_out']} without both sides of a transition."
        )
    control = findings.control.drop_nulls("value")
    if control.height:
        values = control["value"]
        sentences.append(
            f"Gaussian fields: D from {values.min():.3f} to {values.max():.3f} over {control.height} kinds of graph, "
            f"coefficient of variation {100 * findings.control_variation:.1f} % (published {GAUSSIAN.value:.2f} ± "
            f"{GAUSSIAN.error:.2f} and below {100 * GRAPHS_VARIATION:.1f} %)."
        )
    return sentences


def beside_published(findings: XorFindings) -> pl.DataFrame:
    """Main results beside the published ones; the last columns say whether the intervals hold the published value."""
    rows = findings.main.filter(pl.col("phase") != CHANGE)
    values = {phase: published.value for phase, published in D.items()}
    errors = {phase: published.error for phase, published in D.items()}
    table = rows.select(
        "family", "method", "phase", "value", "low", "high", "scales_low", "scales_high",
        published=pl.col("phase").replace_strict(values, return_dtype=pl.Float64),
        error=pl.col("phase").replace_strict(errors, return_dtype=pl.Float64),
    )  # fmt: skip
    return table.with_columns(
        (pl.col("published") + pl.col("error") >= pl.col(low))
        .and_(pl.col("published") - pl.col("error") <= pl.col(high))
        .alias(name)
        for name, low, high in (("within, runs", "low", "high"), ("within, widths", "scales_low", "scales_high"))
    )


def spread_beside_published(findings: XorFindings) -> pl.DataFrame:
    """Exponents of the distribution beside the published D over all and gamma."""
    known = {name: published.value for name, published in EXPONENTS.items()}
    errors = {name: published.error for name, published in EXPONENTS.items()}
    return findings.distribution.with_columns(
        published=pl.col("statistic").replace_strict(known, default=None, return_dtype=pl.Float64),
        error=pl.col("statistic").replace_strict(errors, default=None, return_dtype=pl.Float64),
    )


def _sections(findings: XorFindings, settings: Mapping[str, Any]) -> Sequence[Section]:
    texts = words.of_page("xor")
    drawn = {figure.name: figure(findings) for figure in figures.FIGURES}
    return (
        Section(
            "phases", "D before and after the transition",
            (texts["transition"],),
            [drawn["d-before-and-after"], drawn["size-against-n"]],
            {"beside-published": ("Beside the published values", beside_published(findings)),
             "phases": ("Every choice", findings.phases)},
            (
                *texts["phases"],
                *(f"{name}: {said}." for name, said in texts["methods"].items()),
                *(f"Statistic {name}: {said}." for name, said in STATISTICS.items()),
                texts["nulls"].format(mixed=MIXED, placed=PLACED),
            ),
        ),
        Section("along", "D along training", (), [drawn["d-by-epoch"], drawn["d-aligned"]],
                {"along": ("D at every epoch and distance", findings.along)}),
        Section(
            "graphs", "Other kinds of graph, and Gaussian fields", (), [drawn["d-by-graph"]],
            {"gaussian": ("D of Gaussian fields", findings.control)},
        ),
        Section(
            "sizes", "Distribution of sizes",
            (texts["spread"],),
            [drawn["size-distribution"], drawn["size-collapse"]],
            {"size-distribution": ("Exponents of the distribution", spread_beside_published(findings))},
            (texts["distribution"],),
        ),
        Section(
            "learning", "When the networks learn",
            (texts["learning"].format(rise=100 * CONCENTRATION),),
            (), {"learning": ("By width", findings.learning)},
        ),
        Section("settings", "Settings", (), code="\n".join(f"{name} = {value}" for name, value in settings.items())),
    )  # fmt: skip


def _with_interval(row: Mapping[str, Any]) -> str:
    if row["low"] is None:
        return f"{row['value']:.2f} [{row['scales_low']:.2f}, {row['scales_high']:.2f} across widths]"
    runs = f"{row['low']:.2f}, {row['high']:.2f} over runs"
    return f"{row['value']:.2f} [{runs}; {row['scales_low']:.2f}, {row['scales_high']:.2f} across widths]"


def _published(known: Any) -> str:
    return f"published {known.value:.2f} ± {known.error:.2f}"
