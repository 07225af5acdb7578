"""Checks of a run's recorded gradients against each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from gradcascade.sources.audit.evidence import IdenticalContents, NormOutlier, ScaledCopy
from gradcascade.sources.audit.findings import FAULT, WARNING, Finding
from gradcascade.sources.audit.measurements import inner_product
from gradcascade.sources.audit.opened import OpenedRun
from gradcascade.sources.audit.rules import outliers

PARALLEL = 1e-9
"""How far from 1 a cosine may be for two gradients to be the same up to a factor and float32's rounding."""

GRADIENT_JUMP = 10.0
GRADIENT_EDGE_JUMP = 50.0


def check_gradients(run: OpenedRun) -> list[Finding]:
    """Run every check of the gradients of a run, besides those of `open_run`."""
    return [*_identical(run), *_parallel(run), *_outliers(run)]


def _identical(run: OpenedRun) -> Iterator[Finding]:
    """Gradients with the same values at different steps, but for zero ones, which `open_run` finds."""
    same: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for step, scanned in run.scans.items():
        if scanned.squares.any():
            same[scanned.digests].append(step)
    for members in same.values():
        if len(members) > 1:
            yield run.finding(IdenticalContents(), FAULT, members)


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
