"""Checks of a run's checkpoints against each other; the rules themselves are in ``rules.py``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradcascade.sources.audit.evidence import (
    Coarse,
    CopiedPart,
    ForeignPart,
    ForeignWeights,
    IdenticalContents,
    LatePart,
    LateWeights,
    NearlyZero,
    NormOutlier,
    StalePart,
    SwappedLabels,
)
from gradcascade.sources.audit.findings import DIFFERENCE, FAULT, WARNING, Finding, Spoiled
from gradcascade.sources.audit.measurements import Distances, measure_distances
from gradcascade.sources.audit.opened import LARGE, OpenedRun
from gradcascade.sources.audit.rules import late, misplaced, outliers, swapped

NEARLY_ZERO = 0.01
COARSE = 0.9
RATHER_COARSE = 0.5
_WHOLE = 0.9


@dataclass(frozen=True)
class _Series:
    """Distances with the steps they belong to."""

    run: OpenedRun
    steps: tuple[int, ...]
    distances: Distances

    @property
    def large(self) -> NDArray[np.intp]:
        return np.flatnonzero(self.distances.sizes >= LARGE)


def check_checkpoints(run: OpenedRun, progress: Callable[[int], None] | None = None) -> list[Finding]:
    """Run every check of the checkpoints of a run, besides those of `open_run`."""
    steps = tuple(run.paths)
    if len(steps) < 2:
        return []
    series = _Series(run, steps, measure_distances([lambda step=step: run.tensors(step) for step in steps], progress))
    doubtful = np.zeros(len(steps), bool)
    found: list[Finding] = []
    for check in (_identical, _stale_parts, _swapped, _out_of_place, _coarse, _outliers):
        new = list(check(series, doubtful))
        found += new
        for finding in new:
            if finding.severity == FAULT and not isinstance(finding.evidence, (Coarse, NearlyZero)):
                doubtful |= np.isin(steps, [s.step for s in finding.spoils if s.what == run.what])
    return found


def _identical(series: _Series, doubtful: NDArray[np.bool_]) -> Iterator[Finding]:
    """Checkpoints, or large tensors, with the same values under different steps.

    Values are compared by digest, so copies are found whatever file, type or sign of zero they were written with.
    Of whole checkpoints every copy counts. A single tensor may rest from one step to the next where storage is
    coarse or learning slow, so it counts only if it had other values at a step in between: 1,024 numbers do not come
    back to where they were.
    """
    run = series.run
    digests = [run.scans[step].digests for step in series.steps]
    whole: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for k, digest in enumerate(digests):
        whole[digest].append(k)
    groups = [members for members in whole.values() if len(members) > 1]
    for members in groups:
        steps = tuple(series.steps[k] for k in members)
        yield run.finding(IdenticalContents(), FAULT, steps)
    together = {frozenset(members) for members in groups}
    parts: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for t in series.large:
        places: dict[str, list[int]] = defaultdict(list)
        for k, digest in enumerate(digests):
            places[digest[t]].append(k)
        for members in places.values():
            if len(members) > 1 and members[-1] - members[0] >= len(members) and frozenset(members) not in together:
                parts[tuple(members)].append(int(t))
    for members, tensors in parts.items():
        steps = tuple(series.steps[k] for k in members)
        yield run.finding(CopiedPart(*_part(series, tensors, steps[0])), FAULT, steps)


def _stale_parts(series: _Series, doubtful: NDArray[np.bool_]) -> Iterator[Finding]:
    """Large tensors that rest while the others move.

    A tensor that does not change in a single entry between two checkpoints is stale if more than half of its
    entries change in the median of the other differences, so that neither freezing nor coarse storage explains it,
    and if the difference as a whole is not a coarse one.
    """
    d = series.distances
    still = d.zeros == d.sizes
    shares = d.zeros / np.maximum(d.sizes, 1)
    for k in range(len(series.steps) - 1):
        if doubtful[k] and doubtful[k + 1]:
            continue
        others = np.delete(shares, k, axis=0)
        if len(others) < 2 or d.zeros[k].sum() > RATHER_COARSE * d.sizes.sum():
            continue
        stale = [int(t) for t in series.large if still[k, t] and np.median(others[:, t]) < 0.5]
        if stale:
            pair = (series.steps[k], series.steps[k + 1])
            yield series.run.finding(StalePart(*_part(series, stale, pair[1])), FAULT, pair)


def _out_of_place(series: _Series, doubtful: NDArray[np.bool_]) -> Iterator[Finding]:
    """Checkpoints, or parts of them, that carry the weights of another step or run: `misplaced` and `late`.

    Both are applied to every large tensor and to the checkpoint as a whole; if the tensors that are named make up
    less than nine tenths of the large ones, a part is out of place. A single tensor may well be near its last values
    at the start, so a late stretch that begins the run counts for the whole only. `misplaced` is applied where
    neither difference is coarse, and not beside a late checkpoint, which lies ahead on the way.
    """
    d = series.distances
    spans = np.diff(series.steps)
    tensors = [int(t) for t in series.large]
    early, off = [], []
    for chosen in [*(np.array([t]) for t in tensors), None]:
        found = late(_total(d.to_last, chosen), _total(d.next_one, chosen), spans)
        if chosen is not None:
            found[: np.argmin(np.append(found, False))] = False
        beside = np.concatenate([found[1:], [False]]) | np.concatenate([[False], found[:-1]])
        early.append(found)
        off.append(_off(series, chosen) & ~beside)
    large = max(int(d.sizes[tensors].sum()), 1)
    exchanged = _exchanged(series)
    for k, step in enumerate(series.steps):
        named = [t for row, t in enumerate(tensors) if early[row][k] or off[row][k]]
        if exchanged[k] or not (named or early[-1][k] or off[-1][k]):
            continue
        part = bool(named) and d.sizes[named].sum() < _WHOLE * large
        if part:
            kind = LatePart if all(early[tensors.index(t)][k] for t in named) else ForeignPart
            evidence = kind(*_part(series, named, step))
        else:
            evidence = LateWeights() if early[-1][k] else ForeignWeights()
        yield series.run.finding(evidence, FAULT, [step])


def _off(series: _Series, tensors: NDArray[np.intp] | None) -> NDArray[np.bool_]:
    """`misplaced`, for some tensors or all of them, where neither difference is coarse."""
    d = series.distances
    one, two = _total(d.next_one, tensors), _total(d.next_but_one, tensors)
    chosen = slice(None) if tensors is None else tensors
    rounding = d.within_unit[:, chosen].sum(axis=1) >= RATHER_COARSE * d.sizes[chosen].sum()
    found = misplaced(one, two)
    found[1:-1] &= ~rounding[:-1] & ~rounding[1:]
    return found


def _total(squares: NDArray, tensors: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
    """Distances over some tensors, or all of them."""
    return np.sqrt((squares if tensors is None else squares[:, tensors]).sum(axis=1))


def _swapped(series: _Series, doubtful: NDArray[np.bool_]) -> Iterator[Finding]:
    """Neighbours with each other's label: `swapped`, where storage is not too coarse to tell."""
    pairs = np.flatnonzero(_exchanged(series)).reshape(-1, 2)
    for k, after in pairs:
        if not doubtful[k - 1 : k + 3].any():
            pair = (series.steps[k], series.steps[after])
            yield series.run.finding(SwappedLabels(), FAULT, pair)


def _exchanged(series: _Series) -> NDArray[np.bool_]:
    """Checkpoints that carry the label of their neighbour, in pairs, shape (K,)."""
    d = series.distances
    coarse = d.within_unit.sum(axis=1) >= RATHER_COARSE * d.sizes.sum()
    found = np.zeros(len(series.steps), bool)
    for k in np.flatnonzero(swapped(_total(d.next_one), _total(d.next_but_one))):
        if not coarse[k - 1 : k + 2].any() and not found[k]:
            found[k : k + 2] = True
    return found


def _coarse(series: _Series, doubtful: NDArray[np.bool_]) -> Iterator[Finding]:
    """Differences that the stored numbers are too coarse for, or that hardly are any.

    An entry that is zero, or one unit in the last place of the stored type, says little more than that rounding fell
    one way or the other. The probe's threshold is the 90th percentile: when 90 % of the entries are such, it is
    itself one unit or zero, rounding decides what is active, and the difference is spoiled; from 50 % on it is a
    warning. When at most 1 % of the entries are not zero, the difference is nearly zero, whatever they are. Counted
    are the entries that make up the field.
    """
    d = series.distances
    field = slice(None) if series.run.measured is None else list(series.run.measured)
    entries = int(d.sizes[field].sum())
    for k, (before, step) in enumerate(zip(series.steps, series.steps[1:], strict=False)):
        zero, unit = d.zeros[k, field].sum() / entries, d.within_unit[k, field].sum() / entries
        spoils = (Spoiled(DIFFERENCE, step),)
        coarse = Coarse(float(zero), float(unit - zero))
        if d.zeros[k].sum() == d.sizes.sum():
            continue  # identical contents, found already
        if zero >= 1 - NEARLY_ZERO:
            yield series.run.finding(NearlyZero(float(1 - zero)), FAULT, [before, step], spoils)
        elif unit >= COARSE:
            yield series.run.finding(coarse, FAULT, [before, step], spoils)
        elif unit >= RATHER_COARSE:
            yield series.run.finding(coarse, WARNING, [before, step])


def _outliers(series: _Series, doubtful: NDArray[np.bool_]) -> Iterator[Finding]:
    """Differences whose norm falls out of the row: `outliers`, without those that touch a doubtful checkpoint."""
    norms = _total(series.distances.next_one)
    touching = doubtful[:-1] | doubtful[1:]
    for k in np.flatnonzero(outliers(norms, np.diff(series.steps), touching)):
        before, step = series.steps[k], series.steps[k + 1]
        others = np.median(np.delete(norms, k)[~np.delete(touching, k)])
        evidence = NormOutlier(float(norms[k] / others))
        yield series.run.finding(evidence, FAULT, [before, step], (Spoiled(DIFFERENCE, step),))


def _part(series: _Series, tensors: Sequence[int], step: int) -> tuple[tuple[str, ...], str | None]:
    """Names of tensors, and of the shard that they make up, if they do."""
    run = series.run
    opened = run.tensors(step)
    files = {opened[run.names[t]].path for t in tensors}
    shard = None
    if len(files) == 1 and len({tensor.path for tensor in opened.values()}) > 1:
        path = next(iter(files))
        whole = [t for t in series.large if opened[run.names[t]].path == path]
        shard = path.name if len(tensors) == len(whole) else None
    return tuple(run.names[t] for t in tensors), shard
