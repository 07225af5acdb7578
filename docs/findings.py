"""Put the results of an experiment into docs/findings.md: ``python docs/findings.py OUT``.

OUT is the folder of a finished ``gradcascade experiment``. Its report is written anew; tables and sentences go
between the marks of the page, figures into docs/images/.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl

from gradcascade.report.experiment import ExperimentReport, write_experiment
from gradcascade.report.experiment.page import asked, summary
from gradcascade.report.page_tables import ABSENT, MINUS

HERE = Path(__file__).parent
START, END = "<!-- experiment: python docs/findings.py OUT -->", "<!-- end -->"
FIGURES = {
    "ladder": "z, delta, D, R2, v_rel and the quality of the collapse along the ladder, a line per optimizer",
    "contrasts": "Differences between kinds of field and between optimizers with their intervals",
    "durations": "Durations of every run against the number of entries, a colour per rung",
}
DIGITS = {"p": ".2g", "p_adjusted": ".2g", "S": ".1f", "v_rel": ".4f", "loss": ".3f", "loss_sd": ".3f", "rate": ".4g"}


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    report = write_experiment(out)
    for name in FIGURES:
        shutil.copy(out / "report" / "figures" / f"{name}.png", HERE / "images" / f"experiment-{name}.png")
    page = HERE / "findings.md"
    text = page.read_text(encoding="utf-8")
    before, after = text.index(START) + len(START), text.index(END)
    found = results(report, json.loads((out / "experiment.json").read_text(encoding="utf-8")))
    page.write_text(f"{text[:before]}\n\n{found}\n\n{text[after:]}", encoding="utf-8")


def results(report: ExperimentReport, record: dict[str, Any]) -> str:
    """What goes between the marks."""
    tables = report.tables
    on_z = asked(tables).filter(pl.col("exponent") == "z").drop("exponent", "reason", "scale_sd")
    others = asked(tables).filter(pl.col("exponent") != "z", pl.col("shown"))
    kept = ("question", "exponent", "value", "low", "high", "p_adjusted")
    ladder = summary(tables).with_columns(pl.col("condition").str.replace("-constant$", ""))
    losses = tables["losses"].drop("schedule", "condition")
    seconds = record.get("cpu_seconds", {})
    spent = ", ".join(f"{name} {value:,.0f} s" for name, value in seconds.items())
    parts = [
        f"### What was run\n\n{_run(report, record)} CPU time: {spent}.",
        "Held-out loss after all steps (nats per byte, mean and SD over seeds), at the tuned rate of each optimizer:",
        markdown(losses),
        "### What was found",
        "\n".join(f"- {sentence}" for sentence in report.headline),
        f"![{FIGURES['ladder']}](images/experiment-ladder.png)",
        "The ladder: exponents over the window with intervals across scales, R² of durations over seeds, v_rel at "
        "the geometric mean of the sizes, S of the collapse of the activity profiles:",
        markdown(ladder),
        "Everything that was asked of z, paired run by run, by n_steps:",
        markdown(on_z),
        f"![{FIGURES['contrasts']}](images/experiment-contrasts.png)",
        "Of δ and R² of durations, what holds after Holm's correction:",
        markdown(others.select(kept)) if others.height else "Nothing.",
        "What the primary questions could show with a chance of 80 %, from the scatter stated beforehand (5 % of a "
        "run's mean log duration, two fields of a run independent) and from their own:",
        markdown(tables["power"].drop("reason")),
        f"![{FIGURES['durations']}](images/experiment-durations.png)",
    ]
    return "\n\n".join(parts)


def _run(report: ExperimentReport, record: dict[str, Any]) -> str:
    runs = record["runs"]
    scales = report.tables["losses"]["scale"].unique(maintain_order=True).to_list()
    seeds = len({run["run"] for run in runs})
    first, last = report.window
    return (
        f"{len(runs)} runs: {len(scales)} scales ({', '.join(scales)}), {seeds} seed{'s' * (seeds > 1)} of each, by "
        f"{' and '.join(dict.fromkeys(run['optimizer'] for run in runs))}. The window is steps {first:,} to {last:,}."
    )


def markdown(table: pl.DataFrame) -> str:
    """A table as Markdown."""
    numeric = [kind.is_numeric() for kind in table.schema.values()]
    lines = [table.columns, ["---:" if number else "---" for number in numeric]]
    lines += [
        [_cell(value, name) for value, name in zip(row, table.columns, strict=True)] for row in table.iter_rows()
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(value: object, name: str) -> str:
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:{DIGITS.get(name, '.3f')}}".replace("-", MINUS)
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    main()
