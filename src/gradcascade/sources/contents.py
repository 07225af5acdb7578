"""What is in the fields of a family, in words; and that it is the same at every scale."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from gradcascade.errors import InputError
from gradcascade.sources.base import Description, SnapshotRef
from gradcascade.sources.parameters import RULE_WORDS
from gradcascade.sources.stored import shown
from gradcascade.tensor_names import natural

_NUMBER = re.compile(r"(?<![^.])[0-9]+(?![^.])")
_DIGITS = re.compile(r"[0-9]+")
_LEFT_OUT = {"buffer": "buffers", "tied": "tied to another"}


class Fields(NamedTuple):
    """The fields of one kind of one run, which share their tensors."""

    family: str
    scale: str
    run: str
    field: str

    def __str__(self) -> str:
        return " / ".join((self.family, self.scale, *(() if self.run == "0" else (f"run {self.run}",)), self.field))


class Described(NamedTuple):
    """What the first field of a run that can be read is made of."""

    snapshot: SnapshotRef
    description: Description


def describe_fields(snapshots: Iterable[SnapshotRef]) -> dict[Fields, Described]:
    """Of every run and kind of field, what the first snapshot that can be read holds; only headers are read."""
    found: dict[Fields, Described] = {}
    for at in snapshots:
        key = Fields(at.family, at.scale, at.run, at.field)
        with suppress(InputError):  # it is refused by itself when it is measured
            description = None if key in found else at.describe()
            if description:
                found[key] = Described(at, description)
    return found


def in_words(description: Description) -> str:
    """Tensors, entries, order, rule, what was left out: ``30 tensors, 18,672 entries in canonical order: ...``."""
    entries = f"{description.entries:,}"
    left_out = dict(description.left_out)
    return words(len(description.tensors), entries, description.rule, left_out, description.order, description.stored)


def words(
    tensors: int, entries: str, rule: str, left_out: Mapping[str, int], order: str = "", stored: Sequence[str] = ()
) -> str:
    """As `in_words`, of the numbers alone."""
    said = f"{tensors} tensor{'' if tensors == 1 else 's'}, {entries} entries"
    if order:
        said += f" in {order} order"
    if set(stored) - {"float32"}:
        said += f", stored as {' and '.join(stored)}"
    if rule:
        said += f": {rule_in_words(rule)}"
    if left_out:
        said += f"; left out: {left_out_in_words(left_out)}"
    return said


def rule_in_words(rule: str) -> str:
    """What decided which tensors make up a field."""
    return RULE_WORDS.get(rule, rule)


def left_out_in_words(left_out: Mapping[str, int]) -> str:
    """Reasons with the number of tensors: ``buffers (4), tied to another (1)``."""
    return ", ".join(f"{_LEFT_OUT.get(why, why)} ({count:,})" for why, count in left_out.items())


def refuse_differing(described: Mapping[Fields, Described], *, parts: bool = True) -> None:
    """Refuse a family whose scales have not the same tensors in the same order, naming the first difference.

    So is a scale of which one layer lacks a tensor, or has it in another shape, where another scale's are all alike,
    unless ``parts`` is false: it is known that they are no parts.

    Numbers between the dots of a name count layers, experts and the like, of which scales have more or fewer.
    """
    before: dict[tuple[str, str], list[Described]] = {}
    for key, own in described.items():
        others = before.setdefault((key.family, key.field), [])
        for other in others:
            _compare(other, own, parts)
        others.append(own)


def _compare(one: Described, other: Described, parts: bool) -> None:
    refuse_other_kinds(_where(one), one.description, _where(other), other.description, parts)


def refuse_other_kinds(where: str, own: Description, elsewhere: str, other: Description, parts: bool = True) -> None:
    """Refuse two fields of different kinds of tensors, or in different orders; with `parts` uneven layers too."""
    names = [[name for name, _ in side.tensors] for side in (own, other)]
    for mine, theirs, side, opposite in ((0, 1, where, elsewhere), (1, 0, elsewhere, where)):
        if lacking := _lacking(names[mine], names[theirs]):
            raise InputError(
                f"{side} has the tensor {shown(lacking)} and {opposite} has none of that kind, so "
                f"that their fields are not of the same parts of a model; leave it out with --tensors "
                f"'!{_NUMBER.sub('*', lacking)}', or name the runs of different models in different families"
            )
        if parts and (odd := _uneven(*((own, other) if side == where else (other, own)))):
            raise InputError(
                f"{side} has {odd}, unlike its other layers, and all layers of {opposite} are alike; "
                "a part of a model measured would pass for the whole: write or copy the checkpoints again"
            )
    if place := _first_out_of_order(*names):
        raise InputError(
            f"the tensors of {where} and {elsewhere} are in different orders: where the first has "
            f"{shown(place[0])}, the second has {shown(place[1])}; one order for all comes with --order canonical"
        )


def _where(of: Described) -> str:
    files = of.snapshot.files
    return str(files[0]) if files else of.snapshot.source


def _lacking(mine: Sequence[str], theirs: Sequence[str]) -> str | None:
    """The first name of which the others have none alike."""
    known = {_NUMBER.sub("#", name) for name in theirs}
    layers = _layers(theirs)
    own = _layers(mine)
    for name in mine:
        if _NUMBER.sub("#", name) in known:
            continue
        template = _DIGITS.sub("#", name)  # block_3.w: a number within a word counts layers if all from 0 are there
        if not (_contiguous(own.get(template)) and _contiguous(layers.get(template))):
            return name
    return None


def _uneven(mine: Description, theirs: Description) -> str | None:
    """Which tensor one layer lacks, or has in another shape, that has one shape in all layers of the other."""
    own, others = _by_kind(mine), _by_kind(theirs)
    layers, other_layers = _layers_of(own), _layers_of(others)
    for kind, shapes in own.items():
        beginning = kind.partition("#")[0]
        there = {number for number, _ in shapes}
        regular = {number for number, _ in others.get(kind, ())} == other_layers.get(beginning)
        if kind == beginning or not regular or len({shape for _, shape in others[kind]}) > 1:
            continue
        if lacking := layers[beginning] - there:
            return f"no {kind.replace('#', str(min(lacking)), 1)}"
        known = Counter(shape for _, shape in shapes)
        if len(known) > 1:
            odd = known.most_common()[-1][0]
            number = next(number for number, shape in shapes if shape == odd)
            return f"{kind.replace('#', str(number), 1)} of shape {odd}"
    return None


def _by_kind(of: Description) -> dict[str, set[tuple[int, tuple[int, ...]]]]:
    """The first number, which counts layers, and the shape of every tensor of a kind; 0 where there is no number."""
    found: dict[str, set[tuple[int, tuple[int, ...]]]] = {}
    for name, shape in of.tensors:
        number = _NUMBER.search(name)
        found.setdefault(_NUMBER.sub("#", name), set()).add((int(number[0]) if number else 0, shape))
    return found


def _layers_of(kinds: Mapping[str, set[tuple[int, tuple[int, ...]]]]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for kind, shapes in kinds.items():
        found.setdefault(kind.partition("#")[0], set()).update(number for number, _ in shapes)
    return found


def _layers(names: Sequence[str]) -> dict[str, set[tuple[int, ...]]]:
    found: dict[str, set[tuple[int, ...]]] = {}
    for name in names:
        found.setdefault(_DIGITS.sub("#", name), set()).add(tuple(map(int, _DIGITS.findall(name))))
    return found


def _contiguous(numbers: set[tuple[int, ...]] | None) -> bool:
    """Whether the numbers at every place count from 0 or 1 without a gap."""
    if not numbers:
        return False
    places = [sorted(set(values)) for values in zip(*numbers, strict=True)]
    return all(values == list(range(values[0], values[0] + len(values))) and values[0] < 2 for values in places)


def _first_out_of_order(one: Sequence[str], other: Sequence[str]) -> tuple[str, str] | None:
    """Where two orders first differ, in what both have, in the kinds of tensors, or in how layers are sorted."""
    common = set(one) & set(other)
    for pair in zip([n for n in one if n in common], [n for n in other if n in common], strict=True):
        if pair[0] != pair[1]:
            return pair
    kinds = [_kinds(names) for names in (one, other)]
    for a, b in zip(*kinds, strict=False):
        if a != b:
            return kinds[0][a], kinds[1][b]
    rules = [_sorted_by(names) for names in (one, other)]
    if all(rules) and not rules[0] & rules[1]:
        deeper = max((one, other), key=len)
        return next((a, b) for a, b in zip(deeper, sorted(deeper, key=natural), strict=True) if a != b)
    return None


def _kinds(names: Sequence[str]) -> dict[str, str]:
    """The first name of each kind, in order."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(_DIGITS.sub("#", name), name)
    return found


def _sorted_by(names: Sequence[str]) -> set[str]:
    """How layers of one kind follow each other: by number, by text (1, 10, 11, 2), or by both."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_DIGITS.sub("#", name), []).append(name)
    found = {"number", "text"}
    for group in groups.values():
        found -= set() if group == sorted(group, key=natural) else {"number"}
        found -= set() if group == sorted(group) else {"text"}
    return found
