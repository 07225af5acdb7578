"""What the files of a run on disk must agree in: the tensors of the first that can be read, and their order."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from gradcascade.errors import InputError
from gradcascade.sources.checkpoint import Signature, open_checkpoint, signature
from gradcascade.sources.choice import Choice, arranged, readable, usual
from gradcascade.sources.pico_tensors import model_order
from gradcascade.sources.stored import StoredTensor
from gradcascade.sources.tensors import open_tensors
from gradcascade.sources.trees.base import Part
from gradcascade.tensor_names import ordered, short_name


class RunTensors(Protocol):
    """The tensors that all files of a run must have, whatever was read first."""

    def names(self, tensors: Mapping[str, StoredTensor], part: Part, path: Path) -> list[str]:
        """Names of a file's chosen tensors in the order of the field; refused if they are not those of the run."""
        ...

    def shapes(self) -> dict[str, tuple[int, ...]] | None:
        """Shape by name in the order of the field, if that is known without opening a file."""
        ...

    def in_order(self, order: str) -> RunTensors:
        """The same with another of the `ORDERS`."""
        ...


@dataclass(frozen=True)
class GradientsOnDisk:
    """A gradient has the tensors and shapes that are usual in its run, in the order of the first file with them."""

    files: tuple[Path, ...]
    choice: Choice

    def names(self, tensors: Mapping[str, StoredTensor], part: Part, path: Path) -> list[str]:
        """Names in the order of the run's usual file."""
        found = readable(self.files, lambda file: (file, _shapes_in(file, self.choice, signature(file))))
        reference, _ = usual(found, lambda one: frozenset(one[1])) or (path, ())
        if reference == path:
            return list(tensors)
        known = self.choice.of(open_tensors(reference), str(reference))
        same_model(tensors, str(path), known, str(reference))
        return list(known)

    def shapes(self) -> None:
        """Known once a file is opened."""

    def in_order(self, order: str) -> GradientsOnDisk:
        """The same with another of the `ORDERS`."""
        return replace(self, choice=replace(self.choice, order=order))

    def without(self, files: Collection[Path]) -> GradientsOnDisk:
        """The same, not compared with files that are in quarantine."""
        return replace(self, files=tuple(path for path in self.files if path not in files))

    @property
    def marks(self) -> tuple[Path, ...]:
        """Files besides a snapshot's own that its values depend on."""
        return ()


@dataclass(frozen=True)
class CheckpointsOnDisk:
    """Updates follow the order of the first of `order_from` that can be read: gradient files or checkpoints.

    Of `recorded`, gradient files that name their tensors otherwise or hold others, the first readable one decides
    the order of the tensors that both have.
    """

    order_from: tuple[Path, ...]
    choice: Choice
    recorded: tuple[Path, ...] = ()
    alike: tuple[Path, ...] = ()
    """Checkpoints in files of the same name: the first readable one with the same tensors decides their order."""

    def names(self, tensors: Mapping[str, StoredTensor], part: Part, path: Path) -> list[str]:
        """Names in the order of the run's updates."""
        names = self._own_names(tensors, path)
        for recorded in self.recorded:
            try:
                reference = _read_names(recorded, None, signature(recorded))
            except InputError:  # its own snapshot is refused for that
                continue
            return ordered(arranged(names, reference, short_name), self.choice.order)
        return names

    def _own_names(self, found: Mapping[str, StoredTensor], path: Path) -> list[str]:
        for reference in self.order_from:
            try:
                names = _read_names(reference, self.choice, signature(reference))
            except InputError:
                if reference != self.order_from[-1]:
                    continue
                raise
            if set(names) != set(found):
                raise InputError(
                    f"{path} has {len(found)} tensors to measure and {reference} has {len(names)}, or others; keep "
                    "the runs of different models in different folders"
                )
            return list(names)
        if self.choice.by_short_name:
            return ordered(model_order(len(found) // 3), self.choice.order)
        for reference in self.alike:
            try:
                names = _read_names(reference, self.choice, signature(reference))
            except InputError:  # its own snapshot is refused for that
                continue
            return list(names) if set(names) == set(found) else list(found)
        return list(found)

    def in_order(self, order: str) -> CheckpointsOnDisk:
        """The same with another of the `ORDERS`."""
        return replace(self, choice=replace(self.choice, order=order))

    def shapes(self) -> None:
        """Known once a file is opened."""

    @property
    def marks(self) -> tuple[Path, ...]:
        """Files besides a snapshot's own that its values depend on."""
        return (*self.order_from[:1], *self.recorded[:1])


@functools.lru_cache(maxsize=64)
def _shapes_in(path: Path, choice: Choice, signature: Signature) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((name, tensor.shape) for name, tensor in choice.of(open_tensors(path), str(path)).items())


@functools.lru_cache(maxsize=64)
def _read_names(path: Path, choice: Choice | None, signature: Signature) -> tuple[str, ...]:
    tensors = open_checkpoint(path)
    return tuple(choice.of(tensors, str(path)) if choice else tensors)


def same_model(
    tensors: Mapping[str, StoredTensor], where: str, reference: Mapping[str, StoredTensor], other: str
) -> None:
    """Refuse a file whose tensors are not those of another of its run, naming the first that differs."""
    for name, tensor in reference.items():
        if name not in tensors:
            raise InputError(f"{where} lacks the tensor {name}, which {other} has; write or download it again")
        if tensors[name].shape != tensor.shape:
            raise InputError(
                f"{where}: tensor {name} has shape {tensors[name].shape} and in {other} {tensor.shape}; "
                "keep the runs of different models in different folders"
            )
    for name in tensors:
        if name not in reference:
            raise InputError(f"{where} has the tensor {name}, which {other} lacks; write or download that one again")
