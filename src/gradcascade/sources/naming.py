"""Names: steps from folders, scales and families from runs, and the order of tensors in a field."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile

from gradcascade.errors import InputError
from gradcascade.sources.stored import shown
from gradcascade.sources.tensors import nearest

ORDERS = ("file", "sorted", "grouped")

_STEP = re.compile(r"(?:global[_-]?)?(?:step|checkpoint)[_-]?([0-9]{1,15})")
_EVALUATION = re.compile(r"step_([0-9]{1,15})\.json")
_KNOWN_PREFIX = re.compile(r"(?:pico-decoder|nano)(?=[-_].)")
_SEPARATORS = "-_."
_BEGINNING = re.compile(r"[^-_.]*[-_.]")


def step_of(folder: str) -> int | None:
    """The step in a folder name like ``step_20``, ``checkpoint-20``, ``step20``, ``global_step20``; None if none."""
    match = _STEP.fullmatch(folder)
    return int(match[1]) if match else None


def step_of_evaluation(file: str) -> int | None:
    """The step in a file name like ``step_20.json``; None if it is another name."""
    match = _EVALUATION.fullmatch(file)
    return int(match[1]) if match else None


def natural(text: str) -> list[tuple[int, str]]:
    """Sorting key that puts d24 before d192."""
    return [
        (int(part), "") if part.isdigit() and part.isascii() else (-1, part) for part in re.split("([0-9]+)", text)
    ]


def family_and_scales(runs: Sequence[str], folder: str, family: str | None = None) -> tuple[str, list[str]]:
    """Read the family and the scales from the names of runs.

    Parameters
    ----------
    runs : sequence of str
        Names of the run folders.
    folder : str
        Name of the folder that holds them, the family's name where the runs do not tell.
    family : str, optional
        The family's name, if the user gave one.

    Returns
    -------
    tuple of str and list of str
        The family, and each run's name without what all runs begin with: ``nano-d24`` and ``nano-d48`` are the
        scales d24 and d48 of nano. Where the name of the family is given and not all runs begin with it, those that
        do leave it out, so that scales keep their names when other runs come beside them. A single run keeps its
        whole name, unless it begins with the family's name or is named as this project (``nano-``) or Pico
        (``pico-decoder-``) name theirs.
    """
    own = [_without_family(run, family) for run in runs]
    prefix = ""
    if len(runs) > 1:
        beginnings = zip(*(_BEGINNING.findall(run) for run in runs), strict=False)
        prefix = "".join(parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, beginnings))
        if own != list(runs) and not prefix.startswith(f"{family}") and len(set(own)) == len(runs):
            return f"{family}", own
    elif own != list(runs):
        return f"{family}", own
    elif match := _KNOWN_PREFIX.match(runs[0]):
        prefix = runs[0][: match.end() + 1]
    if any(run == prefix for run in runs):
        prefix = ""
    return family or prefix.rstrip(_SEPARATORS) or folder, [run[len(prefix) :] for run in runs]


def _without_family(run: str, family: str | None) -> str:
    if family and run.startswith(tuple(family + mark for mark in _SEPARATORS)):
        return run[len(family) + 1 :] or run
    return run


def ordered(names: Iterable[str], order: str) -> list[str]:
    """Put tensor names into the order in which they make up a field.

    Parameters
    ----------
    names : iterable of str
        In file order.
    order : str
        ``"file"`` leaves them; ``"sorted"`` sorts them; ``"grouped"`` puts tensors together whose names differ
        in numbers only, groups and members in file order.

    Returns
    -------
    list of str
        The same names.

    Raises
    ------
    InputError
        If there is no such order.
    """
    names = list(names)
    if order not in ORDERS:
        raise InputError(f"there is no tensor order {order!r}; choose from {', '.join(ORDERS)}")
    if order == "sorted":
        return sorted(names)
    if order == "grouped":
        groups: dict[str, list[str]] = {}
        for name in names:
            groups.setdefault(re.sub(r"(?<![^.])[0-9]+(?![^.])", "#", name), []).append(name)
        return [name for group in groups.values() for name in group]
    return names


def arranged(names: Sequence[str], reference: Sequence[str], key: Callable[[str], str]) -> list[str]:
    """Put names into the order of a reference that may lack some of them and name them a little differently.

    Parameters
    ----------
    names : sequence of str
        In their own order.
    reference : sequence of str
        The names whose order is wanted.
    key : callable
        What a name and its counterpart in the reference have in common.

    Returns
    -------
    list of str
        The same names: those that the reference knows in its order, the others at the places they had.
    """
    place: dict[str, int] = {}
    for number, name in enumerate(reference):
        place.setdefault(key(name), number)
    known = iter(sorted((name for name in names if key(name) in place), key=lambda name: place[key(name)]))
    return [next(known) if key(name) in place else name for name in names]


def selected(names: Sequence[str], patterns: Sequence[str], where: str) -> list[str]:
    """Choose names by shell patterns (``*``, ``?``, ``[...]``).

    Parameters
    ----------
    names : sequence of str
        What there is.
    patterns : sequence of str
        A name is chosen if one of them matches it whole.
    where : str
        Where the names come from, for the message.

    Returns
    -------
    list of str
        The chosen names, in their given order.

    Raises
    ------
    InputError
        If a pattern matches nothing.
    """
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            raise InputError(f"{where}: no tensor matches {shown(pattern)}; {nearest(pattern, names)}")
    return [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
