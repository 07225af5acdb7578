"""What could not be measured, said at the end of a command."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 10
"""Refusals that are told one by one."""


def said(snapshots: Sequence[str], others: Sequence[str] = ()) -> str:
    """Say what was refused: one refusal in a sentence, several a line each, the first of many.

    Parameters
    ----------
    snapshots : sequence of str
        A sentence for each snapshot that could not be measured.
    others : sequence of str
        A sentence for each evaluation or configuration file that could not be had.

    Returns
    -------
    str
    """
    counts = [
        f"{len(some)} {name if len(some) == 1 else name + 's'} could not be {done}"
        for some, name, done in (
            (snapshots, "snapshot", "measured"),
            (others, "evaluation or configuration file", "read"),
        )
        if some
    ]
    both = [*snapshots, *others]
    if len(both) == 1:
        return f"{counts[0]}: {both[0]}"
    lines = [f"  {sentence}" for sentence in both[:SHOWN]]
    if len(both) > SHOWN:
        lines.append(f"  ... and {len(both) - SHOWN} more; --json lists all of them")
    return "\n".join([f"{' and '.join(counts)}:", *lines])
