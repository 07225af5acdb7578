"""Runs of one scale told by their names: ``d96-seed1`` and ``d96-seed2`` are the runs 1 and 2 of d96."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from gradcascade.sources.base import ALONE

_SEED = re.compile(r"(?:^|[-_.])(?:seed|run|rep|trial)[-_.]?([0-9]+)(?=$|[-_.])", re.IGNORECASE)


def without_seed(name: str) -> tuple[str, str]:
    """A name without its seed-like parts (seed, run, rep, trial, each with a number), and their numbers as a label.

    A name that has none, or is nothing else, stays as it is and has the label of an only run.
    """
    base = _SEED.sub("", name).strip("-_.")
    label = "-".join(_SEED.findall(name))
    return (base, label) if label and base else (name, ALONE)


def labelled(names: Sequence[str], same_size: Callable[[Sequence[str]], bool]) -> list[tuple[str, str]]:
    """The scale and the label of every run, by name.

    Runs are of one scale if their names differ in seed-like parts alone and their fields have the same size, which
    `same_size` tells of several names. Seed-like parts stay in the names where no two runs are of one scale
    (``70m-seed3`` and ``160m-seed3``), where sizes differ, and where two runs would have one label. Other endings
    (``-s1``, ``_1``) are parts of a scale's name.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[without_seed(name)[0]].append(name)
    apart = set()
    for base, members in groups.items():
        labels = {without_seed(name)[1] for name in members}
        if len(labels) < len(members) or (len(members) > 1 and not same_size(members)):
            apart.add(base)
    several = any(len(members) > 1 and base not in apart for base, members in groups.items())
    return [(name, ALONE) if not several or without_seed(name)[0] in apart else without_seed(name) for name in names]
