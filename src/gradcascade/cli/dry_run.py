"""``gradcascade measure --dry-run``: what a plan would read, fetch and take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from gradcascade.study.estimate import Estimate
    from gradcascade.study.plan import Plan


def describe(plan: Plan, out: Path, threads: int | None, as_json: bool, quarantine: Path | None, rate: float) -> None:
    """Print what measuring a plan into ``out`` takes, at a rate of downloads in MB/s; nothing is measured."""
    from gradcascade.study.contents import lines
    from gradcascade.study.estimate import estimate, overlap

    found = estimate(plan, out, threads, quarantine)
    if as_json:
        both = overlap(found, rate * 1e6)
        seconds = {"rate": rate, "seconds_fetching": both.fetching, "seconds_overlapped": both.total}
        typer.echo(json.dumps(_summary(found) | (seconds if found.files is not None else {})))
        return
    for group in found.groups:
        typer.echo(f"{group.name}: {len(group.steps)} steps, {min(group.steps)} to {max(group.steps)}")
    for line in lines(found.contents):
        typer.echo(line)
    if found.copies:
        typer.echo(f"left out, as each holds a step again: {', '.join(found.copies)}")
    snapshots = f"{found.snapshots} snapshots, {found.cascades} cascades"
    if found.files is None:
        typer.echo(f"{snapshots}, {_amount(found.read)} to read")
    else:
        besides = f", and {found.small} small ones (evaluations, configurations)" if found.small else ""
        typer.echo(f"{snapshots}, {found.files} files of {_amount(found.fetched)} to fetch{besides}")
        typer.echo(f"{_amount(found.held)} of disk needed at the peak, in {out}")
    time = _duration(found.seconds)
    fields = "two fields, as the next one is fetched meanwhile" if found.files is not None else "one field"
    typer.echo(f"{_amount(found.memory)} of memory for {fields}, beside what the probe takes")
    typer.echo(f"{time} of measuring on this machine, estimated from a probe run of {found.probed:,} entries")
    if found.files is not None:
        both = overlap(found, rate * 1e6)
        typer.echo(
            f"{_duration(both.fetching)} of fetching at {rate:g} MB/s (--rate); {_duration(both.total)} in all, as "
            "the next snapshot is fetched while one is measured"
        )


def _summary(found: Estimate) -> dict[str, Any]:
    return {
        "contents": list(found.contents),
        "copies": list(found.copies),
        "snapshots": found.snapshots,
        "cascades": found.cascades,
        "bytes_read": found.read,
        "files_fetched": found.files or 0,
        "small_files_fetched": found.small,
        "bytes_fetched": found.fetched,
        "peak_disk": found.held,
        "peak_memory": found.memory,
        "seconds": found.seconds,
    }


def _amount(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
