"""Opens the files of a run, and sets apart those that cannot be compared with the others."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.sources.audit.findings import FAULT, GRADIENT, WARNING, Finding, Spoiled, listed
from gradcascade.sources.audit.measurements import Scan, scan
from gradcascade.sources.checkpoint import open_checkpoint
from gradcascade.sources.choice import parameters
from gradcascade.sources.stored import StoredTensor, shown

LARGE = 1024
"""Entries from which on a tensor is judged by itself; in smaller ones chance is not small."""


@dataclass(frozen=True)
class OpenedRun:
    """The files of one kind of one run that could be read, and what was wrong with the others.

    Parameters
    ----------
    family, scale : str
        Where.
    what : str
        ``"checkpoint"`` or ``"gradient"``.
    root : pathlib.Path
        The folder that was named, for the names of files.
    paths : dict of int to pathlib.Path
        The comparable ones, steps ascending.
    scans : dict of int to Scan
        Their norms and digests.
    names : tuple of str
        Tensors of all of them.
    sizes : tuple of int
        Entries of each tensor.
    measured : tuple of int or None
        Which of the tensors make up the field that is to be measured; None for all.
    findings : list of Finding
        Unreadable files, other tensors, other types, NaN.
    """

    family: str
    scale: str
    what: str
    root: Path
    paths: dict[int, Path]
    scans: dict[int, Scan]
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    findings: list[Finding] = field(default_factory=list)
    measured: tuple[int, ...] | None = None

    def tensors(self, step: int) -> dict[str, StoredTensor]:
        """The tensors of a step, in the order of `names`."""
        found = parameters(open_checkpoint(self.paths[step]))
        return {name: found[name] for name in self.names}

    def finding(
        self,
        kind: str,
        severity: str,
        steps: tuple[int, ...],
        sentence: str,
        spoils: tuple[Spoiled, ...] | None = None,
    ) -> Finding:
        """A finding about some of its steps; a fault spoils them all unless it is said otherwise."""
        if spoils is None:
            spoils = tuple(Spoiled(self.what, step) for step in steps) if severity == FAULT else ()
        files = tuple(_name(self.paths[step], self.root) for step in steps if step in self.paths)
        return Finding(kind, severity, self.family, self.scale, steps, files, sentence, spoils)


def open_run(
    family: str,
    scale: str,
    what: str,
    root: Path,
    paths: Mapping[int, Path],
    progress: Callable[[int], None] | None = None,
) -> OpenedRun:
    """Open and read every file of a run once.

    Parameters
    ----------
    family, scale, what, root, paths
        See `OpenedRun`; here `paths` holds all files.
    progress : callable, optional
        Called with every step that is done.

    Returns
    -------
    OpenedRun
    """
    found: list[Finding] = []
    headers: dict[int, dict[str, StoredTensor]] = {}

    def fault(kind: str, severity: str, step: int, sentence: str) -> None:
        spoils = (Spoiled(what, step),) if severity == FAULT else ()
        name = _name(paths[step], root)
        found.append(Finding(kind, severity, family, scale, (step,), (name,), sentence, spoils))

    for step, path in paths.items():
        try:
            headers[step] = parameters(open_checkpoint(path))
            if not any(tensor.size for tensor in headers[step].values()):
                raise InputError(f"{path} holds no parameters of floating-point numbers; name a checkpoint that does")
        except InputError as error:
            headers.pop(step, None)
            fault("unreadable", FAULT, step, str(error))
    reference = _usual(headers, lambda tensors: {name: tensor.shape for name, tensor in tensors.items()})
    types = _usual(headers, lambda tensors: {name: tensor.dtype for name, tensor in tensors.items()})
    scans: dict[int, Scan] = {}
    kept = {}
    names = tuple(reference)
    for step, tensors in headers.items():
        if said := _difference({name: tensor.shape for name, tensor in tensors.items()}, reference):
            fault("structure", FAULT, step, f"the {what} of step {step} {said}, unlike the other steps")
            continue
        changed = [name for name in names if tensors[name].dtype != types.get(name, tensors[name].dtype)]
        if changed:
            fault(
                "stored-type", WARNING, step,
                f"the {what} of step {step} stores {shown(changed[0])} as {tensors[changed[0]].dtype}, "
                f"and the other steps as {types[changed[0]]}",
            )  # fmt: skip
        result = scan({name: tensors[name] for name in names})
        if result.broken:
            many = listed([shown(name) for name in result.broken], 3)
            fault("not-finite", FAULT, step, f"the {what} of step {step} has entries that are not finite in {many}")
        else:
            scans[step] = result
            kept[step] = paths[step]
        if progress:
            progress(step)
    sizes = tuple(math.prod(shape) for shape in reference.values())
    opened = OpenedRun(family, scale, what, root, kept, scans, names, sizes, found)
    found += _zero_tensors(opened)
    return opened


def _zero_tensors(run: OpenedRun) -> list[Finding]:
    """Tensors that are all zero at some steps, and not at most of them.

    A large tensor of weights or of gradients is never exactly zero while it is trained. At a first step it can be:
    gradients behind a projection that starts at zero vanish, which is a warning only.
    """
    found = []
    steps = list(run.scans)
    for step in steps:
        zero = [
            t
            for t, size in enumerate(run.sizes)
            if size >= LARGE
            and run.scans[step].squares[t] == 0
            and 2 * sum(run.scans[other].squares[t] == 0 for other in steps) < len(steps)
        ]
        everything = not run.scans[step].squares.any()
        if everything and run.what == GRADIENT:
            found.append(
                run.finding("zero-gradient", FAULT, (step,), f"the gradient of step {step} is zero everywhere")
            )
        elif zero:
            names = listed([shown(run.names[t]) for t in zero], 3)
            severity = WARNING if step == steps[0] and run.what == GRADIENT else FAULT
            sentence = f"the {run.what} of step {step} is zero in all of {names}, unlike the other steps"
            found.append(run.finding("zero-tensor", severity, (step,), sentence))
    return found


def _usual(headers: Mapping[int, dict[str, StoredTensor]], view: Callable[[dict[str, StoredTensor]], dict]) -> dict:
    """What most of the steps have."""
    seen: Counter[tuple] = Counter()
    kept: dict[tuple, dict] = {}
    for tensors in headers.values():
        value = view(tensors)
        key = tuple(sorted(value.items()))
        seen[key] += 1
        kept.setdefault(key, value)
    return kept[seen.most_common(1)[0][0]] if seen else {}


def _difference(shapes: dict, reference: dict) -> str:
    """What sets a file's tensors apart from the usual ones, in words; empty if nothing does."""
    if lacking := [name for name in reference if name not in shapes]:
        return f"lacks {listed([shown(name) for name in lacking], 3)}"
    if extra := [name for name in shapes if name not in reference]:
        return f"has {listed([shown(name) for name in extra], 3)} besides"
    for name, shape in shapes.items():
        if shape != reference[name]:
            return f"has {shown(name)} of shape {shape} instead of {reference[name]}"
    return ""


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
