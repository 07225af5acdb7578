"""Checks of a run's recorded gradients against each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from gradcascade.sources.audit.evidence import CopiedGradient, Frozen, IdenticalContents, NormOutlier, ScaledCopy
from gradcascade.sources.audit.findings import FAULT, NOTE, WARNING, Finding
from gradcascade.sources.audit.measurements import inner_product
from gradcascade.sources.audit.opened import FEWEST, OpenedRun
from gradcascade.sources.audit.rules import outliers

PARALLEL = 1e-9
"""How far from 1 a cosine may be for two gradients to be the same up to a factor and float32's rounding."""

GRADIENT_JUMP = 10.0
GRADIENT_EDGE_JUMP = 50.0


def check_gradients(run: OpenedRun) -> list[Finding]:
    """Run every check of the gradients of a run, besides those of `open_run`."""
    return [*_identical(run), *_copied(run), *_always_zero(run), *_parallel(run), *_outliers(run)]


def _identical(run: OpenedRun) -> Iterator[Finding]:
    """Gradients with the same values at different steps, but for zero ones, which `open_run` finds."""
    same: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for step, scanned in run.scans.items():
        if scanned.squares.any():
            same[scanned.digests].append(step)
    for members in same.values():
        if len(members) > 1:
            yield run.finding(IdenticalContents(), FAULT, members)


def _copied(run: OpenedRun) -> Iterator[Finding]:
    """Tensors with the same values at several steps, which no two gradients have; zeros are no sign of it."""
    found: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for t, name in enumerate(run.names):
        same: dict[str, list[int]] = defaultdict(list)
        for step, scanned in run.scans.items():
            if scanned.squares[t] and run.sizes[t] >= FEWEST:
                same[scanned.digests[t]].append(step)
        for steps in same.values():
            if len(steps) > 1:
                found[tuple(steps)].append(name)
    for steps, names in found.items():
        if len(names) < len(run.names):
            yield run.finding(CopiedGradient(tuple(names)), FAULT, steps)


def _always_zero(run: OpenedRun) -> Iterator[Finding]:
    """Tensors that are zero at every step while others are not."""
    squares = np.array([scanned.squares for scanned in run.scans.values()])
    if len(squares) < 2 or not squares.any():
        return
    if zero := np.flatnonzero(~squares.any(axis=0)).tolist():
        steps = list(run.scans)
        entries = sum(run.sizes[t] for t in zero)
        found = Frozen(tuple(run.names[t] for t in zero), entries, sum(run.sizes))
        yield run.finding(found, NOTE, (steps[0], steps[-1]))


def _parallel(run: OpenedRun) -> Iterator[Finding]:
    """Gradients that are a multiple of the one before: a cosine that differs from 1 by less than 1e-9."""
    for before, step in pairwise(run.scans):
        first, second = run.scans[before], run.scans[step]
        norms = np.sqrt(first.squares.sum() * second.squares.sum())
        if norms == 0 or first.digests == second.digests:
            continue
        old, new = run.tensors(before), run.tensors(step)
        cosine = sum(inner_product(old[name], new[name]) for name in run.names) / norms
        if abs(cosine) >= 1 - PARALLEL:
            factor = np.sign(cosine) * np.sqrt(second.squares.sum() / first.squares.sum())
            yield run.finding(ScaledCopy(float(factor)), FAULT, [before, step])


def _outliers(run: OpenedRun) -> Iterator[Finding]:
    """Gradients whose norm is far from the neighbours': a warning, as the probe does not see a field's scale."""
    steps = list(run.scans)
    norms = np.array([np.sqrt(run.scans[step].squares.sum()) for step in steps])
    odd = outliers(norms, np.ones(len(steps)), jump=GRADIENT_JUMP, edge_jump=GRADIENT_EDGE_JUMP)
    for k in np.flatnonzero(odd):
        ratio = norms[k] / np.median(np.delete(norms, k))
        yield run.finding(NormOutlier(float(ratio)), WARNING, [steps[k]])
