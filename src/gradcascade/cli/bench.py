"""``gradcascade bench``: how fast the probe is on this machine."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated

import typer

from gradcascade.cli.options import Json, Threads, whole_numbers

if TYPE_CHECKING:
    from gradcascade.benchmark import Timing


def bench(
    sizes: Annotated[str, typer.Option(help="Numbers of entries, separated by commas.")] = "589824,2359296,9437184",
    threads: Threads = None,
    repetitions: Annotated[int, typer.Option(min=1, help="Timed runs of each size; medians are shown.")] = 5,
    others: Annotated[
        bool, typer.Option(help="Time the same rule through scipy.sparse and torch.sparse too.")
    ] = True,
    memory: Annotated[bool, typer.Option(help="Measure peak memory, in separate processes.")] = True,
    growth: Annotated[
        bool, typer.Option(help="Show how the time of the largest N depends on active nodes and on threads.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Measure speed and memory beside sparse matrices and beside the machine's memory bandwidth, in one run."""
    from gradcascade.benchmark import by_quantile, by_threads, copy_bandwidth, measure
    from gradcascade.probe.threads import thread_count

    counts = whole_numbers(sizes, "--sizes", "589824,2359296")
    count = thread_count(threads)
    bandwidth = copy_bandwidth()
    say = (lambda _: None) if as_json else typer.echo
    say(f"{count} threads; copy bandwidth of one core {bandwidth / 1e9:.1f} GB/s (read and written)")
    say(_HEAD)
    timings = []
    for n in counts:
        timings.append(measure(n, threads=count, repetitions=repetitions, others=others, memory=memory))
        say(_line(timings[-1]))
    quantiles, thread_counts = [], []
    if growth:
        largest = max(counts)
        quantiles = by_quantile(largest, threads=count, repetitions=repetitions)
        say(f"\nN = {largest:,}, by quantile\n{'quantile':>10}{'s/N':>8}{'seconds':>10}")
        for row in quantiles:
            say(f"{row['quantile']:>10}{row['size_share']:>8.3f}{row['seconds']:>10.4f}")
        steps = sorted({1, *(2**k for k in range(1, count.bit_length()) if 2**k < count), count})
        thread_counts = by_threads(largest, tuple(steps), repetitions)
        say(f"\nN = {largest:,}, by threads\n{'threads':>10}{'seconds':>10}")
        for row in thread_counts:
            say(f"{row['threads']:>10}{row['seconds']:>10.4f}")
    if as_json:
        result = {
            "threads": count,
            "copy_bandwidth": bandwidth,
            "sizes": [dataclasses.asdict(timing) for timing in timings],
            "by_quantile": quantiles,
            "by_threads": thread_counts,
        }
        typer.echo(json.dumps(result))


_HEAD = f"{'N':>13}{'seconds':>10}{'M/s':>8}{'threshold':>11}{'/scipy':>8}{'/torch':>8}{'x floor':>9}{'bytes/N':>9}"


def _line(timing: Timing) -> str:
    def ratio(seconds: float | None) -> str:
        return f"{seconds / timing.seconds:.1f}" if seconds else "-"

    peak = f"{timing.peak_bytes_per_entry:.1f}" if timing.peak_bytes_per_entry is not None else "-"
    return (
        f"{timing.n:>13,}{timing.seconds:>10.4f}{timing.entries_per_second / 1e6:>8.1f}"
        f"{timing.threshold_seconds:>11.4f}{ratio(timing.scipy_seconds):>8}{ratio(timing.torch_seconds):>8}"
        f"{timing.seconds / timing.floor_seconds:>9.1f}{peak:>9}"
    )
