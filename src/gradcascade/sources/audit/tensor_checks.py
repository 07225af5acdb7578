"""Checks of single tensors of a run's checkpoints, small ones too: by what they are near to, at the step before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gradcascade.sources.audit.evidence import Exchanged, OddTensor, Transposed, Twins
from gradcascade.sources.audit.findings import DIFFERENCE, FAULT, NOTE, WARNING, Finding, Spoiled
from gradcascade.sources.audit.measurements import Distances
from gradcascade.sources.audit.opened import FEWEST, OpenedRun
from gradcascade.sources.audit.rules import DETOUR, JUMP
from gradcascade.sources.stored import StoredTensor

_NEARER, _MUCH_NEARER, _FEW = 0.75, 0.5, 32
_SIDE = 64  # of the corner of a matrix, or the root of the entries of another tensor, that are compared
_FORGOTTEN, _REMEMBERED, _AGREE = 0.7, 0.2, 0.5
_EDGE_JUMP = 20.0


def exchanged(run: OpenedRun, steps: Sequence[int], chosen: Sequence[int]) -> Iterator[Finding]:
    """Tensors of one shape with each other's values, or square ones turned over, from one checkpoint to the next.

    Training does not lead two tensors to each other's place. At most 4,096 entries of each are compared.
    """
    names = [run.names[t] for t in chosen]
    before = None
    for earlier, later in pairwise(steps):
        before = before or _samples(run.tensors(earlier), names)
        after = _samples(run.tensors(later), names)
        spoils = (Spoiled(DIFFERENCE, later),)
        for pair in _pairs(before, after):
            yield run.finding(Exchanged(pair), FAULT, (earlier, later), spoils)
        if turned := tuple(name for name in before if _turned(before[name], after[name])):
            yield run.finding(Transposed(turned), FAULT, (earlier, later), spoils)
        before = after


def _samples(tensors: Mapping[str, StoredTensor], names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Some entries of tensors by name: of a square matrix its corner, of others the beginning."""
    found = {}
    for name in names:
        values = tensors[name].read()
        square = values.ndim == 2 and len(set(values.shape)) == 1
        found[name] = np.asarray(values[:_SIDE, :_SIDE] if square else _beginning(values), np.float64)
    return found


def _beginning(values: NDArray) -> NDArray:
    while values.ndim > 1 and values[0].size >= _SIDE**2:
        values = values[0]
    rows = -(-(_SIDE**2) // max(values[0].size, 1))
    return values[:rows].reshape(-1)


def _pairs(before: Mapping[str, NDArray], after: Mapping[str, NDArray]) -> Iterator[tuple[str, str]]:
    groups: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for name, values in before.items():
        groups[values.shape].append(name)
    for names in groups.values():
        old, new = (np.array([side[name].reshape(-1) for name in names]) for side in (before, after))
        distances = np.array([np.sqrt(((row - old) ** 2).sum(axis=1)) for row in new])
        limit = _NEARER if old.shape[1] >= _FEW else _MUCH_NEARER
        nearer = distances < limit * np.diagonal(distances)[:, None]
        yield from ((names[a], names[b]) for a, b in np.argwhere(np.triu(nearer & nearer.T)))


def _turned(before: NDArray, after: NDArray) -> bool:
    if before.ndim != 2:
        return False
    return bool(np.linalg.norm(after - before.T) < _MUCH_NEARER * np.linalg.norm(after - before))


def odd_tensors(
    run: OpenedRun, steps: Sequence[int], distances: Distances, squares: NDArray[np.float64]
) -> Iterator[Finding]:
    """Tensors whose change is out of their own row; `squares` are those of the tensors, shape (K, T).

    Either the tensor leaves its way for one step (both legs more than 4 times its usual change, and a detour of more
    than 3), or its first or last change is 20 times any other, or nothing of it is left: d^2 >= 0.7 (|a|^2 + |b|^2)
    at one difference, where the tensor itself elsewhere and half of the others there have at most 0.2; or the
    checkpoints before and after agree in its direction (cosine at least 0.5), and either does so with this one four
    times less.
    """
    if len(steps) < 4:
        return
    one, two = np.sqrt(distances.next_one), np.sqrt(distances.next_but_one)
    pace = one / np.sqrt(np.diff(steps))[:, None]
    total = squares[:-1] + squares[1:]
    held = (squares[:-1] > 0) & (squares[1:] > 0)
    lost = np.where(held, distances.next_one / np.where(total > 0, total, 1), 0)
    usual = np.median(lost[:, distances.sizes >= FEWEST], axis=1) if (distances.sizes >= FEWEST).any() else 0
    kept = _cosines(squares[:-1], squares[1:], distances.next_one)
    across = _cosines(squares[:-2], squares[2:], distances.next_but_one)
    found: dict[int, dict[int, float]] = defaultdict(dict)
    for t in np.flatnonzero(distances.sizes >= FEWEST):
        others = np.array([np.median(np.delete(pace[:, t], k)) for k in range(len(pace))])
        most = np.array([np.delete(pace[:, t], k).max() for k in range(len(pace))])
        ratio = np.divide(pace[:, t], others, out=np.zeros(len(pace)), where=others > 0)
        for k in range(1, len(steps) - 1):
            legs = one[k - 1, t] + one[k, t]
            if min(ratio[k - 1], ratio[k]) > JUMP and legs > DETOUR * two[k - 1, t]:
                found[k][int(t)] = float(min(ratio[k - 1], ratio[k]))
        for k, place in ((0, 0), (len(pace) - 1, len(steps) - 1)):
            if most[k] > 0 and pace[k, t] > _EDGE_JUMP * most[k]:
                found[place][int(t)] = float(ratio[k])
        for k in range(len(pace)):
            if (
                lost[k, t] >= _FORGOTTEN
                and np.delete(lost[:, t], k).max() <= _REMEMBERED
                and np.all(np.atleast_1d(usual)[k] <= _REMEMBERED)
            ):
                found[0 if k == 0 else k + 1].setdefault(int(t), float(ratio[k]))
        own = kept[:, t]
        for k in range(1, len(steps) - 1):
            if across[k - 1, t] >= max(_AGREE, 4 * max(own[k - 1], own[k])):
                found[k].setdefault(int(t), float(min(ratio[k - 1], ratio[k])))
    for place, tensors in sorted(found.items()):
        names = tuple(run.names[t] for t in tensors)
        yield run.finding(OddTensor(names, max(tensors.values())), WARNING, [steps[place]])


def _cosines(before: NDArray, after: NDArray, squared: NDArray) -> NDArray[np.float64]:
    """Cosines of the angles between tensors, from their squares and that of their distance; NaN where one is zero."""
    norms = np.sqrt(before * after)
    return np.divide(before + after - squared, 2 * norms, out=np.full(norms.shape, np.nan), where=norms > 0)


def twins(run: OpenedRun, steps: Sequence[int], distances: Distances) -> Iterator[Finding]:
    """Tensors with the same values as another one at every step, though they change."""
    same: dict[tuple[str, ...], list[int]] = defaultdict(list)
    moves = (distances.zeros < distances.sizes).any(axis=0)
    for t in np.flatnonzero(moves & (distances.sizes >= FEWEST)):
        same[tuple(run.scans[step].digests[t] for step in steps)].append(int(t))
    copies = [t for members in same.values() for t in members[1:]]
    if copies:
        names = tuple(run.names[t] for t in copies)
        yield run.finding(Twins(names, int(distances.sizes[copies].sum())), NOTE, (steps[0], steps[-1]))
