"""Checks of a run's checkpoints against each other; the rules are in ``rules.py``, why in docs/data-layouts.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.sources.audit import evidence
from gradcascade.sources.audit.findings import DIFFERENCE, FAULT, NOTE, WARNING, Finding, Spoiled
from gradcascade.sources.audit.measurements import Distances, measure_distances
from gradcascade.sources.audit.opened import FEWEST, LARGE, OpenedRun
from gradcascade.sources.audit.rules import late, misplaced, outliers, swapped
from gradcascade.sources.audit.tensor_checks import exchanged, odd_tensors, twins

NEARLY_ZERO = 0.01
COARSE = 0.9
RATHER_COARSE = 0.5
_WHOLE = 0.9
_RESTING = 0.1


@dataclass(frozen=True)
class _Series:
    """Distances with the steps they belong to."""

    run: OpenedRun
    steps: tuple[int, ...]
    distances: Distances

    @property
    def large(self) -> list[int]:
        return np.flatnonzero(self.distances.sizes >= LARGE).tolist()

    @property
    def lively(self) -> list[int]:
        """Small tensors of which nearly all entries change at every difference but one or two."""
        d = self.distances
        small = (d.sizes >= FEWEST) & (d.sizes < LARGE)
        still = (d.zeros > _RESTING * d.sizes).sum(axis=0)
        return np.flatnonzero(small & (still <= min(2, (len(d.zeros) - 1) // 2))).tolist()

    def coarse(self, tensors: Any = slice(None)) -> NDArray[np.bool_]:
        """Which differences are hardly more than rounding in some tensors, by default all."""
        d = self.distances
        return d.within_unit[:, tensors].sum(axis=1) >= RATHER_COARSE * d.sizes[tensors].sum()


def check_checkpoints(run: OpenedRun, progress: Callable[[int], None] | None = None) -> list[Finding]:
    """Run every check of the checkpoints of a run, besides those of `open_run`."""
    steps = tuple(run.paths)
    if len(steps) < 2:
        return []
    series = _Series(run, steps, measure_distances([lambda step=step: run.tensors(step) for step in steps], progress))
    doubtful = np.zeros(len(steps), bool)
    found: list[Finding] = []
    for check in (
        _identical,
        _stale_parts,
        _swapped,
        _out_of_place,
        _exchanged_names,
        _odd_tensors,
        _twins,
        _frozen,
        _coarse,
        _outliers,
    ):
        new = list(check(series, doubtful))
        found += new
        for finding in new:
            if finding.severity == FAULT and not isinstance(finding.evidence, (evidence.Coarse, evidence.NearlyZero)):
                doubtful |= np.isin(steps, [s.step for s in finding.spoils if s.what == run.what])
    return found


def _identical(series: _Series, doubtful: NDArray[np.bool_]) -> Iterator[Finding]:
    """Checkpoints with the same values under different steps, or large tensors with other values in between."""
    run, steps = series.run, series.steps
    digests = [run.scans[step].digests for step in steps]
    whole = [members for members in _places(digests) if len(members) > 1]
    for members in whole:
        yield run.finding(evidence.IdenticalContents(), FAULT, [steps[k] for k in members])
    parts: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for t in (*series.large, *series.lively):
        for members in _places(digest[t] for digest in digests):
            if 1 < len(members) <= members[-1] - members[0] and members not in whole:
                parts[members].append(t)
    for members, tensors in parts.items():
        part = evidence.CopiedPart(*_part(series, tensors, steps[members[0]]))
        yield run.finding(part, FAULT, [steps[k] for k in members])


def _places(values: Iterable[Any]) -> list[tuple[int, ...]]:
    """Where each of the values stands."""
    places: dict[Any, list[int]] = defaultdict(list)
    for k, value in enumerate(values):
        places[value].append(k)
    return [tuple(members) for members in places.values()]


def _stale_parts(series: _Series, doubtful: NDArray[np.bool_]) -> Iterator[Finding]:
    """Large tensors that rest in one difference, while more than half of their entries change in the others."""
    d = series.distances
    shares = d.zeros / np.maximum(d.sizes, 1)
    for k, pair in enumerate(pairwise(series.steps)):
        others = np.delete(shares, k, axis=0)
        rests = d.zeros[k].sum() > RATHER_COARSE * d.sizes.sum()
        if len(others) < 2 or rests or (doubtful[k] and doubtful[k + 1]):
            continue
        still = np.flatnonzero(d.zeros[k] == d.sizes)
        stale = [t for t in series.large if t in still and np.median(others[:, t]) < 0.5]
        stale += [t for t in series.lively if t in still and others[:, t].max() <= _RESTING]
        if stale:
            yield series.run.finding(evidence.StalePart(*_part(series, stale, pair[1])), FAULT, pair)


def _exchanged_names(series: _Series, doubtful: NDArray[np.bool_]) -> Iterator[Finding]:
    """Tensors under each other's name."""
    yield from exchanged(series.run, series.steps, [*series.large, *series.lively])


def _odd_tensors(series: _Series, doubtful: NDArray[np.bool_]) -> Iterator[Finding]:
    """Tensors that change out of their own row, where nothing worse was found of the step."""
    squares = np.array([series.run.scans[step].squares for step in series.steps])
    for finding in odd_tensors(series.run, series.steps, series.distances, squares):
        if not doubtful[series.steps.index(finding.steps[0])]:
            yield finding


def _twins(series: _Series, doubtful: NDArray[np.bool_]) -> Iterator[Finding]:
    """Tensors that are another one again at every step."""
    yield from twins(series.run, series.steps, series.distances)


def _frozen(series: _Series, doubtful: NDArray[np.bool_]) -> Iterator[Finding]:
    """Tensors that never change in an entry while others do."""
    d = series.distances
    still = (d.zeros == d.sizes).all(axis=0) & (d.sizes > 0)
    if still.any() and not still.all():
        chosen = np.flatnonzero(still)
        names = tuple(series.run.names[t] for t in chosen)
        found = evidence.Frozen(names, int(d.sizes[chosen].sum()), int(d.sizes.sum()))
        yield series.run.finding(found, NOTE, (series.steps[0], series.steps[-1]))


def _out_of_place(series: _Series, doubtful: NDArray[np.bool_]) -> Iterator[Finding]:
    """Checkpoints, or large tensors of them, with weights of another step or run: `late`, else `misplaced`."""
    d, tensors = series.distances, series.large
    early, off = [], []
    for chosen in [*([t] for t in tensors), slice(None)]:
        one = _total(d.next_one, chosen)
        found = late(_total(d.to_last, chosen), one, np.diff(series.steps))
        if chosen != slice(None):  # a single tensor may be near its last values at the start
            found[: np.argmin(np.append(found, False))] = False
        fine = ~series.coarse(chosen)
        clear = np.append(fine, True) & np.insert(fine, 0, True)
        beside = np.append(found[1:], False) | np.insert(found[:-1], 0, False)
        early.append(found)
        off.append(misplaced(one, _total(d.next_but_one, chosen)) & clear & ~beside)
    large = max(int(d.sizes[tensors].sum()), 1)
    exchanged = _exchanged(series)
    for k, step in enumerate(series.steps):
        named = [t for row, t in enumerate(tensors) if early[row][k] or off[row][k]]
        if exchanged[k] or not (named or early[-1][k] or off[-1][k]):
            continue
        if named and d.sizes[named].sum() < _WHOLE * large:
            all_late = all(early[tensors.index(t)][k] for t in named)
            kind = evidence.LatePart if all_late else evidence.ForeignPart
            yield series.run.finding(kind(*_part(series, named, step)), FAULT, [step])
        else:
            kind = evidence.LateWeights if early[-1][k] else evidence.ForeignWeights
            yield series.run.finding(kind(), FAULT, [step])


def _total(squares: NDArray, tensors: Any = slice(None)) -> NDArray[np.float64]:
    """Distances over some tensors, or all of them."""
    return np.sqrt(squares[:, tensors].sum(axis=1))


def _swapped(series: _Series, doubtful: NDArray[np.bool_]) -> Iterator[Finding]:
    """Neighbours with each other's label: `swapped`, where storage is not too coarse to tell."""
    for k, after in np.flatnonzero(_exchanged(series)).reshape(-1, 2):
        if not doubtful[k - 1 : k + 3].any():
            yield series.run.finding(evidence.SwappedLabels(), FAULT, (series.steps[k], series.steps[after]))


def _exchanged(series: _Series) -> NDArray[np.bool_]:
    """Checkpoints that carry the label of their neighbour, in pairs, shape (K,)."""
    coarse, found = series.coarse(), np.zeros(len(series.steps), bool)
    for k in np.flatnonzero(swapped(_total(series.distances.next_one), _total(series.distances.next_but_one))):
        if not coarse[k - 1 : k + 2].any() and not found[k]:
            found[k : k + 2] = True
    return found


def _coarse(series: _Series, doubtful: NDArray[np.bool_]) -> Iterator[Finding]:
    """Differences that the stored numbers are too coarse for, or that hardly are any, by the entries of the field."""
    d = series.distances
    field = slice(None) if series.run.measured is None else list(series.run.measured)
    entries = int(d.sizes[field].sum())
    for k, pair in enumerate(pairwise(series.steps)):
        zero, unit = d.zeros[k, field].sum() / entries, d.within_unit[k, field].sum() / entries
        spoils = (Spoiled(DIFFERENCE, pair[1]),)
        coarse = evidence.Coarse(float(zero), float(unit - zero))
        if d.zeros[k].sum() == d.sizes.sum():
            continue  # identical contents, found already
        if zero >= 1 - NEARLY_ZERO:
            yield series.run.finding(evidence.NearlyZero(float(1 - zero)), FAULT, pair, spoils)
        elif unit >= COARSE:
            yield series.run.finding(coarse, FAULT, pair, spoils)
        elif unit >= RATHER_COARSE:
            yield series.run.finding(coarse, WARNING, pair)


def _outliers(series: _Series, doubtful: NDArray[np.bool_]) -> Iterator[Finding]:
    """Differences whose norm falls out of the row: `outliers`, without those that touch a doubtful checkpoint."""
    norms = _total(series.distances.next_one)
    touching = doubtful[:-1] | doubtful[1:]
    for k in np.flatnonzero(outliers(norms, np.diff(series.steps), touching)):
        pair = series.steps[k], series.steps[k + 1]
        others = np.median(np.delete(norms, k)[~np.delete(touching, k)])
        odd = evidence.NormOutlier(float(norms[k] / others))
        yield series.run.finding(odd, FAULT, pair, (Spoiled(DIFFERENCE, pair[1]),))


_CHECKS = (
    _identical, _stale_parts, _swapped, _out_of_place, _exchanged_names, _odd_tensors, _twins, _frozen, _coarse,
    _outliers,
)  # fmt: skip


def _part(series: _Series, tensors: Sequence[int], step: int) -> tuple[tuple[str, ...], str | None]:
    """Names of tensors, and of the shard that they make up, if they do."""
    names = series.run.names
    opened = series.run.tensors(step)
    files = {opened[names[t]].path for t in tensors}
    path = files.pop()
    whole = sum(opened[names[t]].path == path for t in series.large)
    sharded = not files and len({tensor.path for tensor in opened.values()}) > 1 and len(tensors) == whole
    return tuple(names[t] for t in tensors), path.name if sharded else None
