"""Opens the files of a run, and sets apart those that cannot be compared with the others."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gradcascade.errors import InputError
from gradcascade.sources.audit.evidence import (
    NotFinite,
    PartlyZero,
    Rounded,
    StoredType,
    Structure,
    Unreadable,
    ZeroGradient,
    ZeroTensor,
)
from gradcascade.sources.audit.findings import FAULT, NOTE, WARNING, Evidence, Finding, Spoiled, field_of, spoiled
from gradcascade.sources.audit.measurements import FRACTIONS, Scan, scan
from gradcascade.sources.base import GRADIENT, RunName
from gradcascade.sources.checkpoint import open_checkpoint
from gradcascade.sources.choice import Choice
from gradcascade.sources.stored import StoredTensor

LARGE = 1024
"""Entries from which on a tensor is judged by itself; in smaller ones chance is not small."""

FEWEST = 8
"""Entries from which on a tensor has a way of its own to compare."""

_FEWEST_ZEROS, _MORE_ZEROS = 16, 4
_FEWER_BITS = 3  # the last bits of half precision's subnormal numbers are not all in use


@dataclass(frozen=True)
class OpenedRun:
    """The checkpoints or gradients (`what`) of one run that can be compared; `findings` are about the other files."""

    family: str
    name: RunName
    what: str
    root: Path
    paths: dict[int, Path]
    scans: dict[int, Scan] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    findings: tuple[Finding, ...] = ()
    measured: tuple[int, ...] | None = None
    select: tuple[str, ...] = ()
    """The user's patterns, for files of which they alone tell what is the model."""

    def tensors(self, step: int) -> dict[str, StoredTensor]:
        """The tensors of a step, in the order of `names`."""
        found = model_in(self.paths[step], self.select)
        return {name: found[name] for name in self.names}

    def finding(
        self, evidence: Evidence, severity: str, steps: Sequence[int], spoils: tuple[Spoiled, ...] | None = None
    ) -> Finding:
        """A finding about some of its steps; a fault spoils them all unless it is said otherwise."""
        if spoils is None:
            spoils = spoiled(self.what, steps) if severity == FAULT else ()
        files = tuple(_name(self.paths[step], self.root) for step in steps if step in self.paths)
        field = field_of(self.what)
        return Finding(evidence, severity, self.family, *self.name, tuple(steps), field, files, tuple(spoils))


def open_run(
    family: str,
    run: RunName,
    what: str,
    root: Path,
    paths: Mapping[int, Path],
    progress: Callable[[int], None] | None = None,
    select: Sequence[str] = (),
) -> OpenedRun:
    """Open and read every file of a run once; `progress` is called with every step that is done."""
    everything = OpenedRun(family, run, what, root, dict(paths), select=tuple(select))
    found: list[Finding] = []
    headers: dict[int, dict[str, StoredTensor]] = {}
    for step, path in paths.items():
        try:
            headers[step] = model_in(path, everything.select)
        except InputError as error:
            found.append(everything.finding(Unreadable(str(error)), FAULT, [step]))
    reference, types = _usual(headers, "shape"), _usual(headers, "dtype")
    scans: dict[int, Scan] = {}
    names = tuple(reference)
    for step, tensors in headers.items():
        if misfit := _misfit({name: tensor.shape for name, tensor in tensors.items()}, reference):
            found.append(everything.finding(misfit, FAULT, [step]))
            continue
        changed = [name for name in names if tensors[name].dtype != types.get(name, tensors[name].dtype)]
        if changed:
            retyped = StoredType(changed[0], tensors[changed[0]].dtype, types[changed[0]])
            found.append(everything.finding(retyped, WARNING, [step]))
        result = scan({name: tensors[name] for name in names})
        if result.broken:
            found.append(everything.finding(NotFinite(result.broken), FAULT, [step]))
        else:
            scans[step] = result
        if progress:
            progress(step)
    sizes = tuple(math.prod(shape) for shape in reference.values())
    opened = replace(everything, paths={step: paths[step] for step in scans}, scans=scans, names=names, sizes=sizes)
    found += [*_zero_tensors(opened), *_partly_zero(opened), *_rounded(opened, types)]
    return replace(opened, findings=tuple(found))


def model_in(path: Path, select: tuple[str, ...] = ()) -> dict[str, StoredTensor]:
    """All parameters in a file, of a trainer's state those of the model; patterns count where that is not clear."""
    tensors = open_checkpoint(path)
    try:
        return Choice().of(tensors, str(path))
    except InputError:
        if not select:
            raise
        return Choice(select=select).of(tensors, str(path))


def _zero_tensors(run: OpenedRun) -> Iterator[Finding]:
    """Tensors that are all zero at some steps, and not at most of them; at a first step gradients may be."""
    steps = list(run.scans)
    zeros = {step: (scanned.squares == 0) & (np.array(run.sizes) >= LARGE) for step, scanned in run.scans.items()}
    often = 2 * sum(zeros.values(), np.zeros(len(run.sizes), int)) >= len(steps)
    for step in steps:
        if run.what == GRADIENT and not run.scans[step].squares.any():
            yield run.finding(ZeroGradient(), FAULT, [step])
        elif zero := tuple(run.names[t] for t in np.flatnonzero(zeros[step] & ~often)):
            severity = WARNING if step == steps[0] and run.what == GRADIENT else FAULT
            yield run.finding(ZeroTensor(zero), severity, [step])


def _partly_zero(run: OpenedRun) -> Iterator[Finding]:
    """Tensors with many more zeros at one step than at any other."""
    steps = list(run.scans)
    if len(steps) < 3:
        return
    zeros = np.array([run.scans[step].zeros for step in steps])
    sizes = np.array(run.sizes)
    for k, step in enumerate(steps):
        usual = np.delete(zeros, k, axis=0).max(axis=0)
        odd = (zeros[k] >= _FEWEST_ZEROS) & (zeros[k] > _MORE_ZEROS * usual)
        odd &= (zeros[k] < sizes) | ((sizes < LARGE) & (k > 0))  # all of a large one has been said
        for t in np.flatnonzero(odd):
            yield run.finding(PartlyZero((run.names[t],), int(zeros[k, t]), int(usual[t])), WARNING, [step])


def _rounded(run: OpenedRun, types: Mapping[str, str]) -> Iterator[Finding]:
    """Files whose numbers are coarser than those of the others, or than the type they are stored in."""
    bits = {step: scanned.bits for step, scanned in run.scans.items()}
    stored = max((FRACTIONS[types[name]] for name in run.names), default=0)
    usual = sorted(bits.values())[len(bits) // 2] if bits else 0
    entries = sum(run.sizes)
    if len(bits) < 2 or entries < LARGE:
        return
    coarse = run.what == GRADIENT and 0 < usual <= FRACTIONS["float16"]  # differences have a check of their own
    if (coarse or usual + _FEWER_BITS <= stored) and max(bits.values()) == usual:
        yield run.finding(Rounded(usual, stored), NOTE, list(bits))
    for step, own in bits.items():
        if 0 < own <= usual - _FEWER_BITS:
            yield run.finding(Rounded(own, usual), WARNING, [step])


def _usual(headers: Mapping[int, dict[str, StoredTensor]], what: str) -> dict[str, Any]:
    """The shapes, or the types, that most of the steps have, in the order of the first of these."""
    seen = [{name: getattr(tensor, what) for name, tensor in tensors.items()} for tensors in headers.values()]
    counts = Counter(frozenset(value.items()) for value in seen)
    return next((value for value in seen if counts[frozenset(value.items())] == max(counts.values())), {})


def _misfit(shapes: dict[str, tuple[int, ...]], reference: dict[str, tuple[int, ...]]) -> Structure | None:
    """What sets a file's tensors apart from the usual ones, if anything does."""
    if lacking := [name for name in reference if name not in shapes]:
        return Structure(lacking=tuple(lacking))
    if extra := [name for name in shapes if name not in reference]:
        return Structure(extra=tuple(extra))
    other = next((name for name, shape in shapes.items() if shape != reference[name]), None)
    return None if other is None else Structure(tensor=other, shape=shapes[other], usual_shape=reference[other])


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
