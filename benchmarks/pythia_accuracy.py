"""alpha_acc(t) from Pythia's public evaluation files: the table and the figure of docs/validation.md.

python benchmarks/pythia_accuracy.py FOLDER [--out docs/images/alpha-acc.png]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from gradcascade.families import family
from gradcascade.performance.metrics import metric_exponent
from gradcascade.performance.readers import read_lm_eval
from gradcascade.report.drawing.style import house_style


def table(fits: pl.DataFrame, accuracies: pl.DataFrame) -> None:
    """One row per step: the accuracies, the slope with its interval, and how well a line fits."""
    scales = sorted(accuracies["scale"].unique(), key=family("pythia").entries.__getitem__)
    wide = accuracies.pivot("scale", index="step", values="value")
    print(f"| step | {' | '.join(scales)} | alpha_acc | standard error | R2 |\n{'| --- ' * (len(scales) + 4)}|")
    for row in fits.join(wide, on="step").iter_rows(named=True):
        cells = " | ".join(f"{row[scale]:.4f}" for scale in scales)
        print(f"| {row['step']:,} | {cells} | {row['value']:+.5f} | {row['se']:.5f} | {row['r2']:.3f} |")
    late = fits.filter(pl.col("step") >= 3_000)
    odd = late.row(int(late["r2"].arg_min() or 0), named=True)
    print(
        f"\nfrom step 3,000 on: above zero at {late.filter(pl.col('value') > 0).height} of {late.height} steps; "
        f"lowest R2 {odd['r2']:.3f} at step {odd['step']:,} (alpha_acc {odd['value']:+.5f})"
    )


def picture(fits: pl.DataFrame, out: Path) -> None:
    """The slope with its standard error, and R2, over training."""
    places = range(fits.height)
    with house_style():
        figure = Figure(figsize=(7.1, 2.9), layout="constrained")
        slope, fit = figure.subplots(1, 2)
        slope.axhline(0, color="#8a8f98", linewidth=0.8)
        slope.errorbar(places, fits["value"], fits["se"], fmt="o-", markersize=3, capsize=2, color="#0072b2")
        slope.set(
            xlabel="training step (each evaluated one)",
            ylabel="alpha_acc ± standard error",
            title="Slope of log accuracy on log N",
        )
        fit.plot(places, fits["r2"], "s-", markersize=3, color="#d55e00")
        odd = fits["step"].to_list().index(63_000)
        fit.annotate("step 63,000", (odd, fits["r2"][odd]), (11, 0.3), arrowprops={"arrowstyle": "->"})
        fit.set(
            xlabel="training step (each evaluated one)",
            ylabel="R2",
            title="R2 of the line through three models",
            ylim=(-0.03, 1.03),
        )
        for axes in (slope, fit):
            # One place per evaluated step: the first are powers of two, the later ones a grid.
            axes.set_xticks(places[::5], [f"{step:,}" for step in fits["step"][::5]])
        figure.savefig(out, dpi=160)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images/alpha-acc.png"))
    arguments = parser.parse_args()
    metrics = read_lm_eval(arguments.folder, "pythia")
    exponents = metric_exponent(metrics, family("pythia").entries)
    table(exponents, metrics)
    picture(exponents, arguments.out)
