"""Which tensors of a file make up a field, and in which order: named rules of choosing and named orders."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from gradcascade.errors import InputError
from gradcascade.sources.containers import TRAINER, model_part
from gradcascade.sources.parameters import Evidence, contents_of, model_type
from gradcascade.sources.pico_tensors import pico_tensors
from gradcascade.sources.stored import Mark, StoredTensor, mark_of, shown
from gradcascade.sources.tensors import nearest, open_tensors
from gradcascade.tensor_names import ordered, plain_names, short_name

Tensors = Mapping[str, StoredTensor]
T = TypeVar("T")


def arranged(names: Sequence[str], reference: Sequence[str], key: Callable[[str], str]) -> list[str]:
    """Names in the order of a reference that may lack some of them; those keep the places they had.

    `key` gives what a name and its counterpart in the reference have in common.
    """
    place: dict[str, int] = {}
    for number, name in enumerate(reference):
        place.setdefault(key(name), number)
    known = iter(sorted((name for name in names if key(name) in place), key=lambda name: place[key(name)]))
    return [next(known) if key(name) in place else name for name in names]


def selected(names: Sequence[str], patterns: Sequence[str], where: str) -> list[str]:
    """The names that one of the shell patterns (``*``, ``?``, ``[...]``) matches; one without any is refused."""
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            raise InputError(f"{where}: no tensor matches {shown(pattern)}; {nearest(pattern, names)}")
    return [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def readable(paths: Iterable[Path], read: Callable[[Path], T]) -> Iterator[T]:
    """What is read of each file, without those that are refused: their own snapshots are, for that."""
    for path in paths:
        with suppress(InputError):
            yield read(path)


def usual(found: Iterable[T], alike: Callable[[T], Hashable]) -> T | None:
    """Of the first three the one that another is like, else the first: one odd file does not speak for all."""
    seen: list[T] = []
    for one in islice(found, 3):
        if same := [other for other in seen if alike(other) == alike(one)]:
            return same[0]
        seen.append(one)
    return seen[0] if seen else None


@dataclass
class Chosen:
    """What a rule takes of a file, by the names of the field, and why it leaves the rest out."""

    tensors: dict[str, StoredTensor]
    left_out: dict[str, str] = field(default_factory=dict)
    """Reason by name in the file."""
    rule: str = ""
    """The evidence that decided, see :mod:`gradcascade.sources.parameters`."""

    @property
    def tied(self) -> dict[str, str]:
        """Of those left out because they are another one again, its name."""
        said = (name.removesuffix(")").partition(" (is ") for name, why in self.left_out.items() if why == "tied")
        return {name: first for name, _, first in said}


def parameters(tensors: Tensors) -> dict[str, StoredTensor]:
    """The trainable parameters of a checkpoint, as far as the file alone tells."""
    return _parameters(tensors, "the checkpoint", Evidence()).tensors


def _parameters(tensors: Tensors, where: str, evidence: Evidence) -> Chosen:
    contents = contents_of(tensors, where, evidence)
    left_out = {name: why for why, names in contents.left_out.items() for name in names}
    return Chosen({name: tensors[name] for name in contents.names}, left_out, contents.rule)


def _pico(tensors: Tensors, where: str, evidence: Evidence) -> Chosen:
    if evidence.patterns is not None or evidence.manifest is not None:
        return _parameters(tensors, where, evidence)
    chosen = pico_tensors(tensors, where)
    kept = set(map(id, chosen.values()))
    others = {name: "not one of Pico's" for name, tensor in tensors.items() if id(tensor) not in kept}
    return Chosen(chosen, others, "pico")


RULES: dict[str, Callable[[Tensors, str, Evidence], Chosen]] = {"pico": _pico, "parameters": _parameters}
"""Rules of choosing a file's tensors: each takes them, the file's name for messages, and what else is known."""


@dataclass(frozen=True)
class Choice:
    """Which tensors make up a field, and in which order.

    Parameters
    ----------
    rule : str
        One of `RULES`; a layout's.
    select : tuple of str
        Shell patterns on names, as the files have them or without wrappers; ``!pattern`` leaves tensors out.
    order : str
        One of `ORDERS`.
    gradients : bool
        Whether the files are gradients.
    manifest : tuple of str or None
        The field's tensors by the manifest of the run.
    like : tuple of pathlib.Path
        Gradient files of the run: what their first readable one holds makes up its updates too.
    """

    rule: str = "parameters"
    select: tuple[str, ...] = ()
    order: str = "file"
    gradients: bool = False
    manifest: tuple[str, ...] | None = None
    like: tuple[Path, ...] = ()

    def of(self, tensors: Tensors, where: str) -> dict[str, StoredTensor]:
        """The chosen tensors of a file, in order."""
        return self.in_order(self.described(tensors, where))

    def in_order(self, chosen: Chosen) -> dict[str, StoredTensor]:
        """The chosen tensors, in order."""
        names = list(chosen.tensors)
        if self.order == "model":
            if self.manifest is None:
                raise InputError("the order of the model is known from a manifest alone; choose another order")
            place = {short_name(name): number for number, name in enumerate(self.manifest)}
            names.sort(key=lambda name: place.get(short_name(name), len(place)))
        return {name: chosen.tensors[name] for name in ordered(names, self.order)}

    def described(self, tensors: Tensors, where: str) -> Chosen:
        """The chosen tensors of a file by their plain names, as they lie in it, and why the others are left out."""
        part, state = self._part(tensors, where)
        plain = plain_names(part)
        named = {plain[name]: tensor for name, tensor in part.items()}
        found = RULES[self.rule](named, where, self._evidence(named, part, where))
        found.left_out |= dict.fromkeys(state, TRAINER)
        for name in self._excluded(list(found.tensors), where):
            del found.tensors[name]
            found.left_out[name] = "left out by pattern"
        if not any(tensor.size for tensor in found.tensors.values()):
            raise InputError(f"{where} holds no parameters of floating-point numbers; name a checkpoint that does")
        return found

    @property
    def _wanted(self) -> tuple[str, ...]:
        return tuple(pattern for pattern in self.select if not pattern.startswith("!"))

    def _excluded(self, names: list[str], where: str) -> list[str]:
        patterns = [pattern[1:] for pattern in self.select if pattern.startswith("!")]
        return selected(names, patterns, where) if patterns else []

    def _part(self, tensors: Tensors, where: str) -> tuple[dict[str, StoredTensor], tuple[str, ...]]:
        """The model in a file; patterns that name a trainer's dictionaries themselves choose among all."""
        try:
            return model_part(tensors, where)
        except InputError:
            if self._wanted:
                return dict(tensors), ()
            raise

    def _evidence(self, named: Tensors, part: Tensors, where: str) -> Evidence:
        by_short = {short_name(name): name for name in named}
        if self._wanted:
            own = {plain: name for plain, name in zip(named, part, strict=True)}
            full = {
                name: f"{tensor.group}.{own[name]}" if tensor.group else own[name] for name, tensor in named.items()
            }
            chosen = _by_patterns(self._wanted, full, where)
            if not self.gradients and (recorded := self._recorded_names()) is not None:
                # Gradients and updates of one run have the same tensors; patterns may match more in a checkpoint.
                shared = {by_short[short_name(name)] for name in recorded if short_name(name) in by_short}
                chosen = [name for name in chosen if name in shared] or chosen
            return Evidence(patterns=lambda names: chosen)
        if self.manifest is not None:
            return Evidence(manifest=[by_short.get(short_name(name), name) for name in self.manifest])
        recorded = self._recorded_names() if self.rule != "pico" else None
        if recorded is not None:
            return Evidence(gradients=[by_short.get(short_name(name), name) for name in recorded])
        return Evidence(model_type=model_type(Path(where)))

    def _recorded_names(self) -> tuple[str, ...] | None:
        """Names in the gradient files of the run."""
        choice = replace(self, gradients=True, like=())
        return usual(readable(self.like, lambda path: _names_in(path, choice, mark_of(path))), frozenset)

    @property
    def by_short_name(self) -> bool:
        """Whether the names are those that gradient files and checkpoints share."""
        return self.rule == "pico" and not self.select and self.manifest is None

    @property
    def mark(self) -> str:
        """Stands for the choice in the revision of files on disk; its form is that of the first studies."""
        return f"Choice(pico={self.rule == 'pico'}, select={self.select!r}, order={self.order!r})"


@functools.lru_cache(maxsize=64)
def _names_in(path: Path, choice: Choice, mark: Mark | None) -> tuple[str, ...]:
    return tuple(choice.described(open_tensors(path), str(path)).tensors)


def _by_patterns(patterns: Sequence[str], full: Mapping[str, str], where: str) -> list[str]:
    """Plain names that a pattern matches, as they are or as the file has them; one that matches none is refused."""
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(name, pattern) for pair in full.items() for name in pair):
            raise InputError(f"{where}: no tensor matches {shown(pattern)}; {nearest(pattern, list(full))}")
    return [
        name
        for name, own in full.items()
        if any(fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(own, pattern) for pattern in patterns)
    ]


__all__ = ["RULES", "Choice", "Chosen", "arranged", "parameters", "selected"]
