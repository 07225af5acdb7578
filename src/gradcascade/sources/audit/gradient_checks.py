"""Checks of a run's recorded gradients against each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from gradcascade.sources.audit.findings import FAULT, WARNING, Finding, at_steps
from gradcascade.sources.audit.measurements import inner_product
from gradcascade.sources.audit.opened import OpenedRun
from gradcascade.sources.audit.rules import outliers

PARALLEL = 1e-9
"""How far from 1 a cosine may be for two gradients to be the same up to a factor and float32's rounding."""

GRADIENT_JUMP = 10.0
GRADIENT_EDGE_JUMP = 50.0


def check_gradients(run: OpenedRun) -> list[Finding]:
    """Run every check of the gradients of a run; those that opening it found are not repeated."""
    return [*_identical(run), *_parallel(run), *_outliers(run)]


def _identical(run: OpenedRun) -> Iterator[Finding]:
    """Gradients with the same values at different steps; those that are zero are told already."""
    same: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for step, scanned in run.scans.items():
        if scanned.squares.any():
            same[scanned.digests].append(step)
    for members in same.values():
        if len(members) > 1:
            yield run.finding(
                "identical-contents", FAULT, tuple(members),
                f"the gradients of {at_steps(members)} hold the same numbers, so at most one of them belongs to its "
                "label",
            )  # fmt: skip


def _parallel(run: OpenedRun) -> Iterator[Finding]:
    """Gradients that are a multiple of the one before: a cosine that differs from 1 by less than 1e-9.

    Two gradients of different weights, even of one batch and a tiny learning rate, differ by more; a copy that was
    scaled differs by float32's rounding, about 1e-15 in the cosine.
    """
    for before, step in pairwise(run.scans):
        first, second = run.scans[before], run.scans[step]
        norms = np.sqrt(first.squares.sum() * second.squares.sum())
        if norms == 0 or first.digests == second.digests:
            continue
        old, new = run.tensors(before), run.tensors(step)
        cosine = sum(inner_product(old[name], new[name]) for name in run.names) / norms
        if abs(cosine) >= 1 - PARALLEL:
            yield run.finding(
                "scaled-copy", FAULT, (before, step),
                f"the gradient of step {step} is that of step {before} times {_factor(first, second, cosine):.4g}",
            )  # fmt: skip


def _factor(first, second, cosine: float) -> float:
    return float(np.sign(cosine) * np.sqrt(second.squares.sum() / first.squares.sum()))


def _outliers(run: OpenedRun) -> Iterator[Finding]:
    """Gradients whose norm falls out of the row: `outliers`, ten times (fifty at the ends) beyond the neighbours.

    A warning, and nothing is quarantined: norms of gradients jump when a loss does, and the probe does not see a
    field's scale.
    """
    steps = list(run.scans)
    norms = np.array([np.sqrt(run.scans[step].squares.sum()) for step in steps])
    odd = outliers(norms, np.ones(len(steps)), jump=GRADIENT_JUMP, edge_jump=GRADIENT_EDGE_JUMP)
    for k in np.flatnonzero(odd):
        ratio = norms[k] / np.median(np.delete(norms, k))
        yield run.finding(
            "norm-outlier", WARNING, (steps[k],),
            f"the gradient of step {steps[k]} has {ratio:.3g} times the usual norm; was it scaled, or summed over "
            "another batch?",
        )  # fmt: skip
