"""How the rule that carries learning rates over widths moves z: two experiments of the same seeds, paired.

python benchmarks/rate_rule.py OUT CONTROL

OUT is the folder of ``gradcascade experiment`` as it ships, CONTROL that of ``gradcascade experiment`` with
benchmarks/rate_rule.toml, where AdamW has one rate for all widths. Prints a table of docs/findings.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import polars as pl
from calibration import heading, line

from gradcascade.scaling.combinations import Combination, combined
from gradcascade.scaling.ladder import Ladder
from gradcascade.study.study import Study

SAME, WIDTH, SGD = "one rate", "adamw-constant", "sgd-momentum-constant"
ENDS = "gradient", "update 50"


def main() -> None:
    """Print the differences of z over the seeds that both have."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("control", type=Path)
    given = parser.parse_args()
    full, control = (_real(folder) for folder in (given.out, given.control))
    shared = full.filter(pl.col("run").is_in(control["run"].unique().to_list()))
    both = pl.concat([shared, control.with_columns(family=pl.lit(SAME))]).drop("content_hash")
    ladder = Ladder.of(both, (int(both["step"].min()), int(both["step"].max())))  # pyright: ignore[reportArgumentType]
    asked = [
        Combination.difference(f"{words}, {rung}", (SAME, rung), (other, rung))
        for other, words in ((WIDTH, "one rate less 1 / width"), (SGD, "one rate less SGD with momentum"))
        for rung in ("gradient", "momentum", "direction", "update 50")
    ]
    one, scaled = (
        Combination.difference(f"gradient less update 50, {words}", (name, ENDS[0]), (name, ENDS[1]))
        for name, words in ((SAME, "one rate"), (WIDTH, "1 / width"))
    )
    asked += [one, scaled, one.less(scaled, "gradient less update 50, one rate less 1 / width")]
    heading("Differences of z, paired run by run:", ["difference", "by n_steps", "p", "by the extinction time", "p "])
    found = [
        combined(points, asked, ladder.window).filter(exponent="z").to_dicts() for points in ladder.timed.values()
    ]
    for rows in zip(*found, strict=True):
        cells = [
            cell
            for row in rows
            for cell in (f"{row['value']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})", f"{row['p']:.2g}")
        ]
        line(rows[0]["name"], *cells)


def _real(folder: Path) -> pl.DataFrame:
    with Study.open(folder / "study", read_only=True) as study:
        return study.cascades().filter(pl.col("variant") == "real")


if __name__ == "__main__":
    main()
