"""Checks that need names, sizes and hashes only, so that a published family is checked without a download."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from gradcascade.sources.audit.findings import (
    CHECKPOINT,
    DIFFERENCE,
    FAULT,
    GRADIENT,
    NOTE,
    WARNING,
    Finding,
    Spoiled,
    at_steps,
    listed,
    spoiled,
)
from gradcascade.sources.audit.listing import ListedFile, ListedStep, Listing
from gradcascade.sources.audit.schedules import missing_steps

_SIZE_TOLERANCE = 0.01
_RETYPED_TOLERANCE = 0.1


def check_listing(listing: Listing, which: str = "train") -> list[Finding]:
    """Run every check of the listing.

    Parameters
    ----------
    listing : Listing
        The files.
    which : str
        Which gradients are to be measured, ``"train"`` or ``"val"``.

    Returns
    -------
    list of Finding
    """
    found: list[Finding] = []
    for scale, steps in listing.scales.items():
        found += _missing(listing, scale, steps)
        found += _missing_files(listing, scale, steps, which)
        found += _sizes(listing, scale, steps, which)
        found += _identical(listing, scale, steps, which)
        found += _statements(listing, scale, steps)
    return [*found, *_shared_by_scales(listing, which)]


def _missing(listing: Listing, scale: str, steps: tuple[ListedStep, ...]) -> Iterator[Finding]:
    """Steps that the schedule lacks, or that most of the other scales have.

    The first is `missing_steps`; the second counts a step as expected if it lies on more than half of the other
    scales, and on at least two. Where another scale has the step, the difference across it is spoiled: its label
    would stand for two lengths of time. Where none has it, the spans are alike, and it is a warning.
    """
    own = [entry.step for entry in steps]
    if lacking := sorted(set(listing.asked.get(scale, ())) - set(own)):
        yield Finding(
            "missing-step", FAULT, listing.family, scale, tuple(lacking), (),
            f"{at_steps(lacking)} {'is' if len(lacking) == 1 else 'are'} to be measured, and missing",
            spoiled(CHECKPOINT, lacking) + spoiled(GRADIENT, lacking),
        )  # fmt: skip
    if listing.chosen:
        return
    others = [{entry.step for entry in entries} for name, entries in listing.scales.items() if name != scale]
    scheduled = missing_steps(own)
    elsewhere = set().union(*others)
    common = {step for step in elsewhere if sum(step in there for there in others) > max(1, len(others) / 2)}
    with_checkpoint = [entry.step for entry in steps if entry.checkpoint]
    groups: dict[str, list[int]] = {FAULT: [], WARNING: []}
    spans: set[int] = set()
    for step in sorted({*scheduled, *(common - set(own))}):
        spanning = [later for before, later in pairwise(with_checkpoint) if before < step < later]
        spans.update(spanning if step in elsewhere else ())
        groups[FAULT if spanning and step in elsewhere else WARNING].append(step)
    for severity, missing in groups.items():
        if not missing:
            continue
        why = "the other scales have" if set(missing) <= common else "the schedule of the other steps has"
        sentence = f"{at_steps(missing)}, which {why}, {'is' if len(missing) == 1 else 'are'} missing"
        if severity == FAULT:
            sentence += f"; the difference that ends at {at_steps(sorted(spans))} spans more time than elsewhere"
        yield Finding(
            "missing-step", severity, listing.family, scale, tuple(missing), (), sentence,
            spoiled(DIFFERENCE, sorted(spans)) if severity == FAULT else (),
        )  # fmt: skip


def _missing_files(listing: Listing, scale: str, steps: tuple[ListedStep, ...], which: str) -> Iterator[Finding]:
    """Files that a step lacks: shards that an index or their own numbering promises, or what most steps have.

    A checkpoint or a gradient file is expected where more than half of the scale's steps have one.
    """
    with_checkpoint = sum(bool(entry.checkpoint) for entry in steps)
    with_gradient = sum(entry.gradient(which) is not None for entry in steps)
    for entry in steps:
        there = {file.name for file in entry.files}
        promised = set(entry.named_shards)
        for file in entry.checkpoint:
            if file.shard:
                count = file.shard[1]
                promised |= {
                    file.name.replace(f"-{file.shard[0]:05}-", f"-{number:05}-") for number in range(1, count + 1)
                }
        if lacking := sorted(promised - there):
            yield Finding(
                "missing-shard", FAULT, listing.family, scale, (entry.step,), tuple(lacking),
                f"step {entry.step} lacks {listed(lacking)}, which its index or the other shards' names promise",
                (Spoiled(CHECKPOINT, entry.step),),
            )  # fmt: skip
        elif not entry.checkpoint and with_checkpoint > len(steps) / 2:
            spanning = next((later.step for later in steps if later.step > entry.step and later.checkpoint), None)
            first = all(not earlier.checkpoint for earlier in steps if earlier.step < entry.step)
            spoils = () if spanning is None or first else (Spoiled(DIFFERENCE, spanning),)
            after = f"; the difference that ends at step {spanning} spans it" if spoils else ""
            if scale in listing.asked:  # its differences are refused, none spans it
                spoils, after = (Spoiled(CHECKPOINT, entry.step),), ""
            yield Finding(
                "missing-file", FAULT, listing.family, scale, (entry.step,), (),
                f"step {entry.step} has no checkpoint, unlike the others{after}", spoils,
            )  # fmt: skip
        if entry.gradient(which) is None and with_gradient > len(steps) / 2:
            refused = scale in listing.asked
            yield Finding(
                "missing-file", FAULT if refused else WARNING, listing.family, scale, (entry.step,), (),
                f"step {entry.step} has no {which} gradients, unlike the others",
                (Spoiled(GRADIENT, entry.step),) if refused else (),
            )  # fmt: skip


def _sizes(listing: Listing, scale: str, steps: tuple[ListedStep, ...], which: str) -> Iterator[Finding]:
    """Files whose size differs from that of the same file at the other steps.

    The tensors of a run have one set of shapes, so a file has the same size at every step, but for a few bytes of
    metadata and padding: more than 1 % away from the median over the steps is another file, or a part of one. Half
    or twice the size, give or take 10 % for the header, is what a change of the stored type makes: a warning only.
    """
    sizes: dict[str, dict[int, int]] = defaultdict(dict)
    for entry in steps:
        for file in _measured(entry, which):
            sizes[file.name][entry.step] = file.size
    for name, of_step in sizes.items():
        if len(of_step) < 3:
            continue
        usual = statistics.median_low(of_step.values())
        for step, size in of_step.items():
            if abs(size - usual) <= _SIZE_TOLERANCE * usual:
                continue
            retyped = any(abs(size - usual * ratio) <= _RETYPED_TOLERANCE * usual * ratio for ratio in (0.5, 2.0))
            what = "empty" if not size else f"{size:,} bytes long"
            yield Finding(
                "odd-size", WARNING if retyped else FAULT, listing.family, scale, (step,), (name,),
                f"{name} of step {step} is {what}, and {usual:,} bytes at the other steps"
                + ("; its numbers may be of another type" if retyped else "; it is another file, or a part of one"),
                () if retyped else (_spoiled_by(name, step),),
            )  # fmt: skip


def _identical(listing: Listing, scale: str, steps: tuple[ListedStep, ...], which: str) -> Iterator[Finding]:
    """Files of several steps with the same hash.

    Training changes weights and gradients at every step, so at most one of them can belong to its label; which one
    cannot be told from the listing, so all are spoiled (the contents may clear some, see the content checks).
    Duplicates among files that are not read for the measurement (a ``.bin`` beside a ``.safetensors``) are noted.
    """
    same: dict[tuple[str, str], list[int]] = defaultdict(list)
    shards = {entry.step: len(entry.checkpoint) for entry in steps}
    measured = {(entry.step, file.name) for entry in steps for file in _measured(entry, which)}
    for entry in steps:
        for file in entry.files:
            if file.sha256 and not file.name.endswith(".json"):
                same[file.name, file.sha256].append(entry.step)
    groups: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for (name, _), of_steps in same.items():
        if len(of_steps) > 1:
            groups[tuple(of_steps)].append(name)
    for of_steps, names in groups.items():
        for part, kind in _by_kind(names):
            read = [name for name in part if any((step, name) in measured for step in of_steps)]
            whole = kind == GRADIENT or all(shards[step] <= len(read) for step in of_steps)
            sentence = f"{listed(part)} {'is' if len(part) == 1 else 'are'} identical at {at_steps(of_steps)}"
            if not read:
                yield Finding(
                    "identical-files", NOTE, listing.family, scale, of_steps, tuple(part),
                    f"{sentence}; not read for the measurement",
                )  # fmt: skip
                continue
            yield Finding(
                "identical-files" if whole else "identical-shard", FAULT, listing.family, scale, of_steps,
                tuple(part), f"{sentence}, so at most one of them belongs to its label", spoiled(kind, of_steps),
            )  # fmt: skip


def _statements(listing: Listing, scale: str, steps: tuple[ListedStep, ...]) -> Iterator[Finding]:
    """Labels that disagree with a step stated by the files themselves or by the commit.

    Equality is the rule, with one exception: a trainer may count from 0 or from 1, so statements that are off by
    the same one step at every label that has one are let be.
    """
    stated = [(entry.step, statement) for entry in steps for statement in entry.statements]
    for where in sorted({statement.where for _, statement in stated}):
        pairs = [(step, statement.step) for step, statement in stated if statement.where == where]
        shifts = {said - step for step, said in pairs}
        if shifts <= {0} or (len(pairs) > 1 and len(shifts) == 1 and shifts <= {-1, 1}):
            continue
        usual = statistics.mode(said - step for step, said in pairs)
        usual = usual if abs(usual) <= 1 else 0
        for step, said in pairs:
            if said - step != usual:
                yield Finding(
                    "label", FAULT, listing.family, scale, (step,), (),
                    f"the label says step {step}, and {where} says step {said}",
                    (Spoiled(CHECKPOINT, step), Spoiled(GRADIENT, step)),
                )  # fmt: skip


def _shared_by_scales(listing: Listing, which: str) -> Iterator[Finding]:
    """Measured files with the same hash under different scales.

    Runs of different sizes or seeds never agree in a whole file of numbers, unless they were started from the same
    weights: at a first step this is a warning only. If the file has the usual size at one of the scales alone, it
    belongs there, and only the others are spoiled.
    """
    places: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
    for scale, steps in listing.scales.items():
        for entry in steps:
            for file in _measured(entry, which):
                if file.sha256 and file.size:
                    places[file.sha256].append((scale, entry.step, file.name))
    for shared in places.values():
        scales = list(dict.fromkeys(scale for scale, _, _ in shared))
        if len(scales) < 2:
            continue
        where = listed([f"{scale} step {step}" for scale, step, _ in shared])
        start = all(step == listing.scales[scale][0].step for scale, step, _ in shared)
        fits = [scale for scale in scales if _fits(listing.scales[scale], scale, shared)]
        for scale in scales:
            own = [(step, name) for other, step, name in shared if other == scale]
            if not start and fits == [scale]:
                yield Finding(
                    "identical-across-scales", NOTE, listing.family, scale,
                    tuple(sorted({step for step, _ in own})), tuple(sorted({name for _, name in own})),
                    f"{own[0][1]} is identical at {where}; by its size it belongs to {scale}",
                )  # fmt: skip
                continue
            yield Finding(
                "identical-across-scales", WARNING if start else FAULT, listing.family, scale,
                tuple(sorted({step for step, _ in own})), tuple(sorted({name for _, name in own})),
                f"{own[0][1]} is identical at {where}",
                () if start else tuple(_spoiled_by(name, step) for step, name in own),
            )  # fmt: skip


def _fits(steps: tuple[ListedStep, ...], scale: str, shared: list[tuple[str, int, str]]) -> bool:
    """Whether a file shared with other scales may be one of this scale's: false only if all its sizes say no.

    It is held against the files of the same name at the steps that do not share it, at least two of them.
    """
    own = [(step, name) for other, step, name in shared if other == scale]
    for _, name in own:
        sizes = {entry.step: file.size for entry in steps for file in entry.files if file.name == name}
        others = [size for step, size in sizes.items() if (step, name) not in own]
        usual = statistics.median_low(others) if len(others) >= 2 else None
        if usual is None or any(
            abs(sizes[step] - usual) <= _SIZE_TOLERANCE * usual for step, of in own if of == name
        ):
            return True
    return False


def _measured(entry: ListedStep, which: str) -> list[ListedFile]:
    gradient = entry.gradient(which)
    return [*entry.checkpoint, *([gradient] if gradient else [])]


def _by_kind(names: list[str]) -> Iterator[tuple[list[str], str]]:
    for kind in (CHECKPOINT, GRADIENT):
        if part := sorted(name for name in names if _spoiled_by(name, 0).what == kind):
            yield part, kind


def _spoiled_by(name: str, step: int) -> Spoiled:
    return Spoiled(GRADIENT if "gradients" in name else CHECKPOINT, step)
