"""Checks that need names, sizes and hashes only, so that a published family is checked without a download."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from gradcascade.sources.audit import evidence
from gradcascade.sources.audit.findings import CHECKPOINT, DIFFERENCE, FAULT, NOTE, WARNING, Finding, Spoiled, spoiled
from gradcascade.sources.audit.listing import ListedFile, ListedRun, ListedStep, Listing
from gradcascade.sources.audit.regular_steps import common_steps, missing_steps
from gradcascade.sources.base import GRADIENT

_SIZE_TOLERANCE = 0.01
_RETYPED_TOLERANCE = 0.1


def check_listing(listing: Listing, which: str = "train") -> list[Finding]:
    """Run every check of the listing; `which` gradients are to be measured, ``"train"`` or ``"val"``."""
    found: list[Finding] = []
    for run in listing.runs:
        found += _missing(listing, run)
        found += _led_out(run)
        found += _missing_files(run, which)
        found += _sizes(run, which)
        found += _identical(run, which)
        found += _statements(run)
    found += _shared_by_runs(listing, which)
    return [replace(finding, family=listing.family) for finding in found]


def _missing(listing: Listing, run: ListedRun) -> Iterator[Finding]:
    """Steps that the plan, the schedule or most other runs have, and this one lacks."""
    own = [entry.step for entry in run.steps]
    if lacking := sorted(set(run.asked) - set(own)):
        spoils = spoiled(CHECKPOINT, lacking) + spoiled(GRADIENT, lacking)
        yield run.finding(evidence.MissingStep("plan"), FAULT, lacking, spoils=spoils)
    if listing.chosen:
        return
    others = [{entry.step for entry in other.steps} for other in listing.runs if other is not run]
    elsewhere = set().union(*others)
    common = common_steps(others)
    with_checkpoint = [entry.step for entry in run.steps if entry.checkpoint]
    groups: dict[str, list[int]] = {FAULT: [], WARNING: []}
    spans: set[int] = set()
    for step in sorted({*missing_steps(own), *(common - set(own))}):
        spanning = [later for before, later in pairwise(with_checkpoint) if before < step < later]
        spans.update(spanning if step in elsewhere else ())
        groups[FAULT if spanning and step in elsewhere else WARNING].append(step)
    for severity, missing in groups.items():
        if missing:
            too_long = tuple(sorted(spans)) if severity == FAULT else ()
            lacks = evidence.MissingStep("other runs" if set(missing) <= common else "schedule", too_long)
            yield run.finding(lacks, severity, missing, spoils=spoiled(DIFFERENCE, too_long))


def _led_out(run: ListedRun) -> Iterator[Finding]:
    """Links out of the folder, which measuring refuses too."""
    for entry in run.steps:
        for name, error in entry.led_out:
            yield run.finding(evidence.OutsideLink(error), FAULT, [entry.step], _held(name), [name])


def _missing_files(run: ListedRun, which: str) -> Iterator[Finding]:
    """Shards that an index or their own numbers promise, and files that more than half of the run's steps have."""
    with_checkpoint = [entry.step for entry in run.steps if entry.checkpoint]
    with_gradient = sum(entry.gradient(which) is not None for entry in run.steps)
    lacks_gradient = evidence.MissingFile("val gradients" if which == "val" else "train gradients")
    for entry in run.steps:
        if entry.led_out:
            continue  # that was said
        at, whole = [entry.step], spoiled(CHECKPOINT, [entry.step])
        if lacking := sorted(_promised(entry) - {file.name for file in entry.files}):
            yield run.finding(evidence.MissingShard(), FAULT, at, CHECKPOINT, lacking, whole)
        elif not entry.checkpoint and len(with_checkpoint) > len(run.steps) / 2:
            spanning = [later for before, later in pairwise(with_checkpoint) if before < entry.step < later]
            too_long = [] if run.asked else spanning  # a plan's differences are refused, none spans it
            lacks = evidence.MissingFile("checkpoint", *too_long)
            yield run.finding(lacks, FAULT, at, CHECKPOINT, (), whole if run.asked else spoiled(DIFFERENCE, too_long))
        if entry.gradient(which) is None and with_gradient > len(run.steps) / 2:
            severity = FAULT if run.asked else WARNING
            yield run.finding(lacks_gradient, severity, at, GRADIENT, (), spoiled(GRADIENT, at if run.asked else ()))


def _promised(entry: ListedStep) -> set[str]:
    promised = set(entry.named_shards)
    for file in entry.checkpoint:
        if file.shard:
            number, count = file.shard
            promised |= {file.name.replace(f"-{number:05}-", f"-{other:05}-") for other in range(1, count + 1)}
    return promised


def _sizes(run: ListedRun, which: str) -> Iterator[Finding]:
    """Files whose size differs from that of the same file at the other steps, by more than a header's metadata."""
    sizes: dict[str, dict[int, int]] = defaultdict(dict)
    for step, file in _measured(run, which):
        sizes[file.name][step] = file.size
    for name, of_step in sizes.items():
        usual = statistics.median_low(of_step.values())
        for step, size in of_step.items():
            if len(of_step) < 3 or abs(size - usual) <= _SIZE_TOLERANCE * usual:
                continue
            retyped = any(abs(size - usual * ratio) <= _RETYPED_TOLERANCE * usual * ratio for ratio in (0.5, 2.0))
            # Before an optimizer's first step its two moments are not in a trainer's whole state; a cut file is.
            stateless = step == min(of_step) and not name.endswith(".safetensors") and 0.3 <= size / usual <= 0.6
            what, severity = _held(name), WARNING if retyped or stateless else FAULT
            spoils = spoiled(what, () if severity == WARNING else [step])
            yield run.finding(evidence.OddSize(size, usual), severity, [step], what, [name], spoils)


def _measured(run: ListedRun, which: str) -> Iterator[tuple[int, ListedFile]]:
    """Every file that a field is read from, with its step."""
    return ((entry.step, file) for entry in run.steps for file in entry.measured(which))


def _identical(run: ListedRun, which: str) -> Iterator[Finding]:
    """Files of several steps with the same hash.

    Training changes weights and gradients at every step, so at most one can belong to its label. Which one cannot be
    told from the listing, so all are spoiled; the contents may clear some. Copies among files that are not read for
    the measurement (a ``.bin`` beside a ``.safetensors``) are noted.
    """
    same: dict[tuple[str, str], list[int]] = defaultdict(list)
    shards = {entry.step: len(entry.checkpoint) for entry in run.steps}
    measured = {(step, file.name) for step, file in _measured(run, which)}
    for entry in run.steps:
        for file in entry.files:
            if file.sha256 and not file.name.endswith(".json"):
                same[file.name, file.sha256].append(entry.step)
    groups: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for (name, _), of_steps in same.items():
        if len(of_steps) > 1:
            groups[tuple(of_steps)].append(name)
    for steps, names in groups.items():
        for what in (CHECKPOINT, GRADIENT):
            part = sorted(name for name in names if _held(name) == what)
            read = [name for name in part if any((step, name) in measured for step in steps)]
            if part and not read:
                yield run.finding(evidence.IdenticalFiles(measured=False), NOTE, steps, what, part)
            elif part:
                whole = what == GRADIENT or all(shards[step] <= len(read) for step in steps)
                kind = evidence.IdenticalFiles if whole else evidence.IdenticalShard
                yield run.finding(kind(), FAULT, steps, what, part, spoiled(what, steps))


def _statements(run: ListedRun) -> Iterator[Finding]:
    """Labels that disagree with a step stated by files or commits, unless all are off by the same one step."""
    stated = [(entry.step, statement) for entry in run.steps for statement in entry.statements]
    for where in sorted({statement.where for _, statement in stated}):
        pairs = [(step, statement.step) for step, statement in stated if statement.where == where]
        shifts = {said - step for step, said in pairs}
        if shifts <= {0} or (len(pairs) > 1 and len(shifts) == 1 and shifts <= {-1, 1}):
            continue
        usual = statistics.mode(said - step for step, said in pairs)
        usual = usual if abs(usual) <= 1 else 0
        for step, said in pairs:
            if said - step != usual:
                spoils = (Spoiled(CHECKPOINT, step), Spoiled(GRADIENT, step))
                yield run.finding(evidence.Label(where, said), FAULT, [step], spoils=spoils)


def _shared_by_runs(listing: Listing, which: str) -> Iterator[Finding]:
    """Measured files with one hash under several runs; of first steps a warning, and where the size fits a note."""
    places: dict[str, list[tuple[ListedRun, int, str]]] = defaultdict(list)
    for run in listing.runs:
        for step, file in _measured(run, which):
            if file.sha256 and file.size:
                places[file.sha256].append((run, step, file.name))
    for sha256, shared in places.items():
        runs = list({run.name: run for run, _, _ in shared}.values())
        if len(runs) < 2:
            continue
        where = tuple(evidence.Place(*run.name, step) for run, step, _ in shared)
        start = all(step == run.steps[0].step for run, step, _ in shared)
        own = {run.name: [(step, name) for other, step, name in shared if other is run] for run in runs}
        fits = [run for run in runs if _fits(run.steps, own[run.name])]
        for run in runs:
            alone = not start and fits == [run]
            spoils = () if alone or start else tuple(Spoiled(_held(name), step) for step, name in own[run.name])
            severity = NOTE if alone else WARNING if start else FAULT
            steps, files = (sorted(set(items)) for items in zip(*own[run.name], strict=True))
            shares = evidence.IdenticalAcrossRuns(sha256, where, "size" if alone else None)
            yield run.finding(shares, severity, steps, None, files, spoils)


def _fits(steps: Sequence[ListedStep], own: Sequence[tuple[int, str]]) -> bool:
    """Whether a shared file may be this run's: false if its sizes differ from those of two or more unshared steps."""
    for _, name in own:
        sizes = {entry.step: file.size for entry in steps for file in entry.files if file.name == name}
        others = [size for step, size in sizes.items() if (step, name) not in own]
        usual = statistics.median_low(others) if len(others) >= 2 else None
        if usual is None or any(abs(sizes[at] - usual) <= _SIZE_TOLERANCE * usual for at, of in own if of == name):
            return True
    return False


def _held(name: str) -> str:
    """What a file holds, by its name."""
    return GRADIENT if "gradients" in name else CHECKPOINT
