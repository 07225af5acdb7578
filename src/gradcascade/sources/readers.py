"""How a snapshot becomes a field: a gradient as it was recorded, or the difference of two checkpoints."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.sources.checkpoint import Signature, described, open_checkpoint, parameters, signature
from gradcascade.sources.naming import arranged, ordered, selected
from gradcascade.sources.pico import model_order, pico_tensors, short_name
from gradcascade.sources.stored import StoredTensor
from gradcascade.sources.tensors import assembled, empty_field, open_tensors


@dataclass(frozen=True)
class Choice:
    """Which tensors make up a field, and in which order.

    Parameters
    ----------
    pico : bool
        Pico's tensors, under the names they share; else all parameters.
    select : tuple of str
        Shell patterns on the file's own names; if there are any, they decide instead of `pico`.
    order : str
        See :func:`gradcascade.sources.naming.ordered`.
    """

    pico: bool
    select: tuple[str, ...] = ()
    order: str = "file"

    def of(self, tensors: dict[str, StoredTensor], path: Path) -> dict[str, StoredTensor]:
        """The chosen tensors of a file, in order."""
        if self.select:
            found = {name: tensors[name] for name in selected(list(tensors), self.select, str(path))}
        else:
            found = pico_tensors(tensors, str(path)) if self.pico else parameters(tensors)
        if not any(tensor.size for tensor in found.values()):
            raise InputError(f"{path} holds no parameters of floating-point numbers; name a checkpoint that does")
        return {name: found[name] for name in ordered(found, self.order)}

    @property
    def by_short_name(self) -> bool:
        """Whether the names are those that gradient files and checkpoints share."""
        return self.pico and not self.select


@dataclass(frozen=True)
class GradientReader:
    """Loads a recorded gradient.

    Parameters
    ----------
    file : pathlib.Path
        The gradient file.
    references : tuple of pathlib.Path
        The gradient files of the same run; this one must have the tensors and shapes of the first that can be read,
        and has their order.
    choice : Choice
        Which tensors.
    """

    file: Path
    references: tuple[Path, ...]
    choice: Choice

    def __call__(self) -> NDArray[np.floating]:
        """Load the field, shape (N,)."""
        return assembled(list(self._tensors().values()))

    def _tensors(self) -> dict[str, StoredTensor]:
        """The tensors of the field, in the order of the run's first readable file."""
        tensors = self.choice.of(open_tensors(self.file), self.file)
        for reference in self.references:
            if reference == self.file:
                break
            try:
                known = self.choice.of(open_tensors(reference), reference)
            except InputError:  # its own snapshot is refused for that, the others need not be
                continue
            _same_model(tensors, self.file, known, reference)
            tensors = {name: tensors[name] for name in known}
            break
        return tensors

    def without(self, files: Collection[Path]) -> GradientReader:
        """The same, not held against files that are in quarantine."""
        return replace(self, references=tuple(path for path in self.references if path not in files))

    def layout(self) -> tuple[tuple[str, int], ...]:
        """Name and number of entries of every tensor of the field, in order."""
        return sizes_of(self._tensors())


@dataclass(frozen=True)
class UpdateReader:
    """Loads the difference of two checkpoints, later minus earlier.

    The subtraction is done in float32 (float64 where a checkpoint holds float64): half precision is widened
    first, exactly.

    Parameters
    ----------
    earlier, later : pathlib.Path
        The files that open the two checkpoints.
    order_from : tuple of pathlib.Path
        Gradient files or checkpoints of the run; the update follows the order of tensors in the first that can be
        read. Without one, Pico's tensors follow the order of the model's modules and others the order of the later
        checkpoint's file.
    choice : Choice
        Which tensors.
    recorded : tuple of pathlib.Path
        Gradient files of the run, where they name their tensors otherwise or hold others (see
        :attr:`Choice.by_short_name`): tensors that the first readable one has too follow its order.
    """

    earlier: Path
    later: Path
    order_from: tuple[Path, ...]
    choice: Choice
    recorded: tuple[Path, ...] = ()

    def __call__(self) -> NDArray[np.floating]:
        """Load the field, shape (N,)."""
        before = self.choice.of(open_checkpoint(self.earlier), self.earlier)
        after = self.choice.of(open_checkpoint(self.later), self.later)
        _same_model(after, self.later, before, self.earlier)
        return difference(before, after, self._names(after))

    def layout(self) -> tuple[tuple[str, int], ...]:
        """Name and number of entries of every tensor of the field, in order."""
        after = self.choice.of(open_checkpoint(self.later), self.later)
        return sizes_of({name: after[name] for name in self._names(after)})

    def _names(self, found: Mapping[str, StoredTensor]) -> list[str]:
        names = self._own_names(found)
        for path in self.recorded:
            try:
                return ordered(arranged(names, _recorded_in(path), short_name), self.choice.order)
            except InputError:  # its own snapshot is refused for that
                continue
        return names

    def _own_names(self, found: Mapping[str, StoredTensor]) -> list[str]:
        for path in self.order_from:
            try:
                names = _names_in(path, self.choice)
            except InputError:
                if path != self.order_from[-1]:
                    continue
                raise
            if set(names) != set(found):
                raise InputError(
                    f"{self.later} has {len(found)} tensors to measure and {path} has {len(names)}, or others; "
                    "keep the runs of different models in different folders"
                )
            return list(names)
        if self.choice.by_short_name:
            return ordered(model_order(len(found) // 3), self.choice.order)
        return list(found)


def _names_in(path: Path, choice: Choice) -> tuple[str, ...]:
    return _read_names(path, choice, signature(path))


def _recorded_in(path: Path) -> tuple[str, ...]:
    return _read_names(path, None, signature(path))


@functools.lru_cache(maxsize=64)
def _read_names(path: Path, choice: Choice | None, signature: Signature) -> tuple[str, ...]:
    tensors = described(path)
    return tuple(choice.of(tensors, path) if choice else tensors)


def sizes_of(tensors: Mapping[str, StoredTensor]) -> tuple[tuple[str, int], ...]:
    """Name and number of entries of every tensor, in the given order."""
    return tuple((name, tensor.size) for name, tensor in tensors.items())


def difference(
    before: Mapping[str, StoredTensor], after: Mapping[str, StoredTensor], names: Sequence[str]
) -> NDArray[np.floating]:
    """Subtract one checkpoint from another, tensor by tensor.

    Parameters
    ----------
    before, after : mapping of str to StoredTensor
        The same tensors, earlier and later.
    names : sequence of str
        Their order in the field.

    Returns
    -------
    numpy.ndarray
        Shape (N,), later minus earlier. Beside it, one tensor at a time is in memory.
    """
    # Either checkpoint may be the wider one, after a change of precision.
    wider = [max(before[name], after[name], key=lambda tensor: tensor.dtype == "float64") for name in names]
    out = empty_field(wider)
    start = 0
    for name in names:
        part = out[start : start + after[name].size].reshape(after[name].shape)
        part[...] = after[name].read_field()
        with np.errstate(over="ignore", invalid="ignore"):  # the probe says where an entry is not finite
            np.subtract(part, before[name].read_field(), out=part)
        start += part.size
    return out


def revision_of(files: tuple[Path, ...], reader: GradientReader | UpdateReader) -> str:
    """A short mark of local files that changes when a file is replaced or read in another way.

    Parameters
    ----------
    files : tuple of pathlib.Path
        What the field is read from.
    reader : GradientReader or UpdateReader
        How it is read.

    Returns
    -------
    str
        ``local-`` and twelve hexadecimal digits, from sizes, times of change and options; contents are not read.
    """
    order_from = (*reader.order_from[:1], *reader.recorded[:1]) if isinstance(reader, UpdateReader) else ()
    parts = [repr(reader.choice)]
    for file in (*files, *order_from):
        status = file.stat()
        parts.append(f"{file.name} {status.st_size} {status.st_mtime_ns}")
    return "local-" + hashlib.blake2b("\n".join(parts).encode(), digest_size=6).hexdigest()


def _same_model(
    tensors: Mapping[str, StoredTensor], path: Path, reference: Mapping[str, StoredTensor], other: Path
) -> None:
    for name, tensor in reference.items():
        if name not in tensors:
            raise InputError(f"{path} lacks the tensor {name}, which {other} has; write or download it again")
        if tensors[name].shape != tensor.shape:
            raise InputError(
                f"{path}: tensor {name} has shape {tensors[name].shape} and in {other} {tensor.shape}; "
                "keep the runs of different models in different folders"
            )
    for name in tensors:
        if name not in reference:
            raise InputError(f"{path} has the tensor {name}, which {other} lacks; write or download that one again")
