"""Which steps a schedule of checkpoints should have, told from those it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

_MOST_MISSING = 1 / 3
_FEWEST_GAPS = 3


def missing_steps(steps: Sequence[int]) -> list[int]:
    """Steps that an otherwise regular schedule lacks; `steps` and result ascend.

    The commonest gap, if it occurs at least three times, makes a grid from the first to the last step on it. Powers
    of two off the grid (at least three) make a start 1, 2, 4, ... up to the largest of them, as Pythia's 1 to 512
    before 1000, 2000, ... What either lacks is missing, but for more than a third: then it is a selection.
    """
    grid = _grid(steps)
    off = [step for step in steps if step not in grid]
    powers = [step for step in off if step > 0 and step & (step - 1) == 0]
    start = [1 << i for i in range(max(powers).bit_length())] if len(powers) >= _FEWEST_GAPS else []
    there = set(steps)
    missing: set[int] = set()
    for expected in (grid, start):
        lacking = [step for step in expected if step not in there]
        if len(lacking) <= _MOST_MISSING * len(expected):
            missing.update(lacking)
    return sorted(missing)


def common_steps(others: Sequence[set[int]]) -> set[int]:
    """Steps of more than half of the other runs, and of at least two."""
    return {step for step in set().union(*others) if sum(step in o for o in others) > max(1, len(others) / 2)}


def _grid(steps: Sequence[int]) -> range:
    gaps = Counter(after - before for before, after in pairwise(steps))
    if not gaps:
        return range(0)
    gap, count = max(gaps.items(), key=lambda item: (item[1], item[0]))
    if count < _FEWEST_GAPS:
        return range(0)
    offset = Counter(step % gap for step in steps).most_common(1)[0][0]
    on = [step for step in steps if step % gap == offset]
    return range(on[0], on[-1] + 1, gap)
