"""What could not be measured, said at the end of a command."""

from collections.abc import Sequence

from gradcascade.cli.options import counted

SHOWN = 10
"""Refusals that are told one by one."""


def said(snapshots: Sequence[str], others: Sequence[str] = ()) -> str:
    """Say which snapshots, and which other files, were refused: one in the sentence, several a line each."""
    kinds = ((snapshots, "snapshot", "measured"), (others, "evaluation or configuration file", "read"))
    counts = [f"{counted(len(found), noun)} could not be {done}" for found, noun, done in kinds if found]
    both = [*snapshots, *others]
    if len(both) == 1:
        return f"{counts[0]}: {both[0]}"
    lines = [f"  {sentence}" for sentence in both[:SHOWN]]
    if len(both) > SHOWN:
        lines.append(f"  ... and {len(both) - SHOWN} more; --json lists all of them")
    return "\n".join([f"{' and '.join(counts)}:", *lines])
