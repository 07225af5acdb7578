"""``gradcascade bench``: how fast the probe is on this machine."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

from gradcascade.cli.options import Json, Threads
from gradcascade.errors import InputError


def bench(
    sizes: Annotated[str, typer.Option(help="Numbers of entries, separated by commas.")] = "589824,2359296,9437184",
    threads: Threads = None,
    repetitions: Annotated[int, typer.Option(min=1, help="Counted runs of each; medians are shown.")] = 5,
    scipy: Annotated[bool, typer.Option(help="Time the same rule through scipy.sparse too.")] = True,
    memory: Annotated[bool, typer.Option(help="Measure peak memory, in processes of their own.")] = True,
    as_json: Json = False,
) -> None:
    """Measure speed and memory beside scipy.sparse and beside the machine's memory bandwidth, in one run."""
    from gradcascade.benchmark import copy_bandwidth, measure
    from gradcascade.probe.threads import thread_count

    try:
        counts = [int(part) for part in sizes.split(",")]
    except ValueError:
        raise InputError(f"--sizes takes whole numbers separated by commas, not {sizes!r}") from None
    count = thread_count(threads)
    timings = []
    if not as_json:
        typer.echo(
            f"{count} threads; copy bandwidth of one core {copy_bandwidth() / 1e9:.1f} GB/s (read and written)"
        )
        typer.echo(f"{'N':>13}{'seconds':>10}{'M/s':>8}{'threshold':>11}{'/scipy':>8}{'x floor':>9}{'bytes/N':>9}")
    for n in counts:
        timing = measure(n, threads=count, repetitions=repetitions, scipy=scipy, memory=memory)
        timings.append(timing)
        if not as_json:
            ratio = f"{timing.scipy_seconds / timing.seconds:.1f}" if timing.scipy_seconds else "-"
            peak = f"{timing.peak_bytes_per_entry:.1f}" if timing.peak_bytes_per_entry is not None else "-"
            typer.echo(
                f"{n:>13,}{timing.seconds:>10.4f}{timing.entries_per_second / 1e6:>8.1f}"
                f"{timing.threshold_seconds:>11.4f}{ratio:>8}{timing.seconds / timing.floor_seconds:>9.1f}{peak:>9}"
            )
    if as_json:
        rows = [dataclasses.asdict(timing) for timing in timings]
        typer.echo(json.dumps({"threads": count, "copy_bandwidth": copy_bandwidth(), "sizes": rows}))
