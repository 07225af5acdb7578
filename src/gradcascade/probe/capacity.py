"""Whether a field of so many entries can be held: node numbers have 32 bits, and memory is what the machine has."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from gradcascade.errors import InputError
from gradcascade.probe.graphs import GRAPHS, MAX_NODES

FIELD = 4.0
"""Bytes an entry of a float32 field."""

WORK = 13.0
"""Bytes an entry that the CPU engine works in: units (8), and what is filed in the first step at the quantile 0.9."""

GRAPH = 20.0
"""Bytes an entry of a stored graph with two edges a node: four neighbours and an offset."""

BUILDING = 41.0
"""Bytes an entry while it is built, measured from 9 to 405 million nodes."""

_WIDE_WORK, _WIDE_GRAPH = 14.5, 40.0
"""The same with node numbers of 64 bits: 16 bytes for a contribution, 8 for a neighbour."""

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_LESS = "measure fewer of its tensors (--tensors)"


@cache
def memory() -> int | None:
    """Bytes of memory and swap of this machine, or of its container; None where the system does not say."""
    with suppress(OSError, ValueError, IndexError, KeyError):
        rows = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
        known = {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) > 1}
        limits = [known["MemTotal"] + known["SwapTotal"]]
        for limit in _LIMITS:
            with suppress(OSError, ValueError):  # "max" is none
                limits.append(int(Path(limit).read_text()))
        return min(limits)
    with suppress(OSError, ValueError, AttributeError):  # macOS
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def entries_of(field: Any) -> int:
    """Entries of an array, a tensor or parts, without reading or copying any; 0 of anything else."""
    for name in ("entries", "size"):
        if isinstance(found := getattr(field, name, None), int):
            return found
    return int(field.numel()) if hasattr(field, "numel") else 0


def check_entries(n: int, kind: str, *, host: bool = True) -> None:
    """Refuse a field of n entries that cannot be measured, before anything is allocated.

    On the ``host`` it takes memory too; the memory of a GPU is seen to there.
    """
    graph = 0.0 if _computed(kind) else GRAPH
    if n > MAX_NODES:
        wide = FIELD + _WIDE_WORK + (_WIDE_GRAPH if graph else 0)
        raise InputError(
            f"a field of {n:,} entries has more than the {MAX_NODES:,} that node numbers of 32 bits tell apart; with "
            f"64 bits it would take {_amount(wide * n)} ({wide:g} bytes an entry), which is not built; {_LESS}"
        )
    _refuse(
        n, FIELD + WORK if host else 0.0, f"a field of {n:,} entries", "the field and what it is relaxed in", _LESS
    )


def check_building(n: int, kind: str) -> None:
    """Refuse to build a graph of n nodes for which the memory is too small."""
    if not _computed(kind):
        other = f"build it on a larger machine (`gradcascade graph`), choose the regular graph, or {_LESS}"
        _refuse(n, BUILDING, f"building the {kind} graph of {n:,} nodes", f"it then has {_amount(GRAPH * n)}", other)


def _computed(kind: str) -> bool:
    return GRAPHS.find(kind).stride is not None


def _refuse(n: int, each: float, what: str, why: str, instead: str) -> None:
    there = memory()
    if there is not None and each * n > there:
        raise InputError(
            f"{what} takes {_amount(each * n)} of memory ({each:g} bytes an entry; {why}), and there are "
            f"{_amount(there)} here; use a larger machine, or {instead}"
        )


def _amount(size: float) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
