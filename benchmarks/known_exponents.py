"""Five sizes with nine seeds, and fourteen with three, of known exponents: from the hub to the report; for docs.

python benchmarks/known_exponents.py [--scales 5 14] [--seed 1] [--tables 200] [--quick] [--keep FOLDER]

The families are laid out as PolyPythias and DataDecide are, on the imitated hub of the tests; what is known of their
cascades is said in tests/support/planted_families.py. One run of the first is made sick on its way. Every command is
run as a user runs it. Prints planted and fitted exponents with their 95 % intervals, of all runs and of healthy ones,
and how often such intervals cover over further families, whose cascades are drawn from the same law without fields.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / place) for place in ("support", "sources", "sources/trees/hub")]

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from imitation import Imitation  # noqa: E402
from planted_families import Planted, seeds, sizes  # noqa: E402

import gradcascade as gc  # noqa: E402
from gradcascade.scaling.points import Points  # noqa: E402
from gradcascade.scaling.window_means import window_intervals  # noqa: E402

WIDTHS = {5: (8, 13, 21, 33, 52), 14: [round(8 * 1.15**k) for k in range(14)]}
STEPS = {5: range(4000, 16_000, 1000), 14: range(0, 7500, 1250)}
SICK = ("410m", "3", 11_000, 1.6)


def planted(scales: int, seed: int, sick: bool = False) -> Planted:
    """One of the two families; of the first, with a sick run or without."""
    if scales == 5:
        return seeds(WIDTHS[5], tuple(STEPS[5]), d=1.02, z=0.1, seed=seed, sick=SICK if sick else None)
    return sizes(WIDTHS[14], tuple(STEPS[14]), d=0.98, z=-0.06, seed=seed)


def drawn(made: Planted, seed: int) -> pl.DataFrame:
    """A table of cascades with the sizes and durations that are planted; durations rounded up or down at random."""
    rng = np.random.default_rng(seed)
    rows = [
        (scale, run, step, made.entries[scale], round(size), math.floor(duration + rng.random()))
        for (scale, run, step), size, duration in made.targets()
    ]
    table = pl.DataFrame(rows, schema=["scale", "run", "step", "n", "size", "duration"], orient="row")
    same = {"family": "planted", "field": "update", "variant": "real", "replicate": 0, "ceiling": False}
    return table.with_columns(**{name: pl.lit(value) for name, value in same.items()})


def intervals(rows: list[dict]) -> dict[str, tuple[float, float, float]]:
    """Value and interval across scales by exponent."""
    real = [row for row in rows if row["variant"] == "real"]
    return {row["exponent"]: (row["scales_value"], row["scales_low"], row["scales_high"]) for row in real}


def end_to_end(made: Planted, keep: Path, quick: bool = False) -> None:
    """Publish a family, run every command on it, and print what comes out."""
    entries = list(made.entries.values())
    print(f"{len(entries)} scales x {len(made.runs)} runs, N {min(entries):,} to {max(entries):,}", end="; ")
    print(f"{len(made.fields) or len(list(made.targets())):,} updates, laid out as {made.like}", flush=True)
    folder = keep / f"{len(entries)}-scales"
    (folder / "families").mkdir(parents=True)
    (folder / "families" / "planted.toml").write_text(made.toml)
    with Imitation(page=1000) as hub:
        made.publish(hub)
        environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "GRADCASCADE_FAMILIES": str(folder / "families")}

        def run(*words: str) -> str:
            begun = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "gradcascade", *words],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise SystemExit(f"{' '.join(words)}: {done.stderr}")
            print(f"  gradcascade {' '.join(words)}: {time.perf_counter() - begun:.0f} s", flush=True)
            return done.stdout

        run("families", "planted", "--check")
        run("measure", "planted", "--out", "S", "--nulls", "" if quick else "N0")
    fits = [json.loads(run("fit", "S", "--json", *more)) for more in ((), ("--healthy",))]
    if not quick:
        print(run("fit", "S"))
        run("report", "S", "--out", "R")
    with gc.Study.open(folder / "S") as study:
        table = study.cascades().filter(variant="real")
    probe = gc.Probe()
    same = [
        (row["size"], row["duration"]) == (cascade.size, cascade.duration)
        for row in table.iter_rows(named=True)
        if (cascade := probe(made.fields[row["scale"], row["run"], row["step"]]))
    ]
    print(f"  {sum(same):,} of {len(same):,} cascades are those of the probe on the planted fields")
    found = {(row["scale"], row["run"], row["first_step"]) for row in fits[0]["health"]}
    print(f"  not healthy: {sorted(found) or 'none'}")
    both = [intervals(fit["intervals"]) for fit in fits]
    print("| exponent | planted | fitted, all runs | healthy runs |\n| --- | --- | --- | --- |")
    for name, value in made.known.items():
        cells = [f"{at:.4f} ({low:.4f} to {high:.4f})" for at, low, high in (one[name] for one in both)]
        print(f"| {name} | {value:.2f} | {cells[0]} | {cells[1]} |", flush=True)


def coverage(scales: int, tables: int) -> None:
    """How often the intervals of further families of the same law cover what was planted."""
    inside: dict[str, int] = dict.fromkeys(planted(scales, 0).known, 0)
    for seed in range(tables):
        made = planted(scales, 1000 + seed)
        found = intervals(window_intervals(Points.of(drawn(made, seed)), along=False).to_dicts())
        for name, value in made.known.items():
            inside[name] += found[name][1] < value < found[name][2]
    shares = ", ".join(f"{name} {100 * count / tables:.1f} %" for name, count in inside.items())
    print(f"  of {tables} further families of {scales} scales the intervals cover: {shares}", flush=True)


def main() -> None:
    """Both families."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scales", type=int, nargs="+", choices=WIDTHS, default=list(WIDTHS))
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--quick", action="store_true", help="without a null, and without the report")
    options.add_argument("--tables", type=int, default=200)
    options.add_argument("--keep", type=Path, help="folder to keep the studies and reports in")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for scales in given.scales:
            end_to_end(planted(scales, given.seed, sick=scales == 5), given.keep or Path(scratch), given.quick)
            coverage(scales, given.tables)


if __name__ == "__main__":
    main()
