"""How near measuring a study comes to the probe's own speed: the published protocol over the four sizes of Pico-LM.

python benchmarks/protocol.py [--widths 96,384,768,1536] [--steps 3] [--folder DIR] [--threads T] [--executor NAME]

Writes gradients of Pico's shape, whose tensors have magnitudes of their own and heavy tails, as torch.save files on a
local disk; measures each with N0, N1 and N2 into a study, and relaxes the same fields with nothing else done. Entries
count once for every cascade. Prints seconds of the clock and of the processor (all threads), which other processes
change less. ``--parts`` prints what each part takes of one field on one core.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import torch

import gradcascade as gc
from gradcascade.fields.moments import moments
from gradcascade.fields.statistics import content_hash, kurtosis
from gradcascade.probe import threshold
from gradcascade.study.plan import FamilyPlan, NullPlan, Plan

NULLS = ("N0", "N1", "N2")
BLOCKS = 12


def write_run(folder: Path, width: int, steps: int) -> None:
    """A run of Pico's layout: 36 tensors, 64 width**2 entries."""
    shapes = {
        "attention.v_proj": (width // 3, width),
        "attention.o_proj": (width, width),
        "swiglu.w_2": (width, 4 * width),
    }
    for step in range(steps):
        random = torch.Generator().manual_seed(1000 * width + step)
        tensors = {}
        for block in range(BLOCKS):
            for name, shape in shapes.items():
                values = (
                    torch.randn(shape, generator=random) * torch.rand(shape, generator=random).add_(0.05).rsqrt_()
                )
                tensors[f"_forward_module.layers.{block}.{name}"] = values * 10 ** torch.rand(1, generator=random)
        place = folder / "checkpoints" / f"step_{step}" / "learning_dynamics"
        place.mkdir(parents=True)
        torch.save(tensors, place / "train_gradients.pt")


def timed(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - clock, time.process_time() - processor


def best(action: Callable[[], object], repetitions: int) -> tuple[float, float]:
    """The least seconds of both kinds, after a run that is not counted."""
    action()
    clocks, processors = zip(*(timed(action) for _ in range(repetitions)), strict=True)
    return min(clocks), min(processors)


def fields_of(values: np.ndarray, seed: int) -> list[np.ndarray]:
    """The real field and its nulls."""
    return [values, *(gc.null(name, values, seed=seed) for name in NULLS)]


def compare(folder: Path, width: int, threads: int | None, executor: str | None, repetitions: int) -> None:
    """One size: the study, and the probe alone on the same fields."""
    plan = Plan(
        families=(FamilyPlan(name="pico", path=str(folder), fields=("gradient",)),), nulls=NullPlan(kinds=NULLS)
    )

    def study() -> pl.DataFrame:
        with tempfile.TemporaryDirectory(dir=folder.parent) as place, gc.Study.create(f"{place}/study", plan) as one:
            gc.run(one, threads=threads, executor=executor)
            return one.cascades()

    rows = study()
    entries = int(rows["n"].sum())
    clock, processor = best(study, repetitions)
    probe = gc.Probe(threads=threads)
    first = next(folder.glob("**/step_0/**/train_gradients.pt"))
    fields = fields_of(np.concatenate([tensor.numpy().ravel() for tensor in torch.load(first).values()]), 42)
    own, own_processor = best(lambda: [probe(field) for field in fields], repetitions)
    alone = sum(len(field) for field in fields)
    n = len(fields[0])
    share, used = (entries / clock) / (alone / own), (own_processor / alone) / (processor / entries)
    print(
        f"{n:13,}  {len(rows):8}  {entries / clock / 1e6:10.1f}  {alone / own / 1e6:9.1f}  {share:9.0%}  "
        f"{processor / entries * 1e9:9.1f}  {own_processor / alone * 1e9:9.1f}  {used:9.0%}",
        flush=True,
    )


def parts(values: np.ndarray, repetitions: int) -> None:
    """Nanoseconds of the processor for an entry, on one core."""
    probe = gc.Probe(threads=1)
    done = {
        "hash of the contents": lambda: content_hash(values),
        **{f"draw {name}": lambda name=name: gc.null(name, values, seed=1, threads=1) for name in NULLS},
        "moments": lambda: moments(values),
        "kurtosis": lambda: kurtosis(values),
        "threshold": lambda: threshold.quantile(values, 0.9, threshold.survey(values)),
        "probe": lambda: probe(values),
    }
    for name, action in done.items():
        print(f"{name:22} {best(action, repetitions)[1] / len(values) * 1e9:6.2f} ns", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--widths", default="96,384,768,1536")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--executor")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the files go; the temporary folder if not given")
    parser.add_argument("--parts", action="store_true", help="also what each part takes, at the first width")
    options = parser.parse_args()
    print("            N  cascades  measure M/s  probe M/s  of probe  CPU ns/e.  probe's  of probe")
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        for width in map(int, options.widths.split(",")):
            folder = Path(place) / f"runs-{width}"
            write_run(folder / f"pico-{width}", width, options.steps)
            compare(folder, width, options.threads, options.executor, options.repetitions)
        if options.parts:
            width = int(options.widths.split(",")[0])
            first = next((Path(place) / f"runs-{width}").glob("**/step_0/**/train_gradients.pt"))
            parts(np.concatenate([tensor.numpy().ravel() for tensor in torch.load(first).values()]), 9)


if __name__ == "__main__":
    main()
