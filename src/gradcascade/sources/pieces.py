"""Tensors that lie in several pieces: shards of one tensor over files or within one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.sources.stored import CODES, StoredTensor, row_major_strides, shown

_MOST_PIECES = 4096


@dataclass(frozen=True)
class Piece:
    """One part of a tensor and where it begins in the whole."""

    start: tuple[int, ...]
    tensor: StoredTensor

    @property
    def place(self) -> tuple[slice, ...]:
        """Its entries in the whole."""
        return tuple(slice(a, a + n) for a, n in zip(self.start, self.tensor.shape, strict=True))


@dataclass(frozen=True, eq=False)
class JoinedTensor(StoredTensor):
    """A tensor put together from pieces when it is read."""

    pieces: tuple[Piece, ...] = ()
    whole: tuple[int, ...] | None = None
    """Shape that the pieces have their places in, if it is another than the tensor's."""

    @property
    def stored(self) -> tuple[StoredTensor, ...]:
        """Its pieces."""
        return tuple(piece.tensor for piece in self.pieces)

    def read(self) -> NDArray:
        """A copy of the values in the tensor's own type; bfloat16 as float32, exactly."""
        kind = "<f4" if self.dtype == "bfloat16" else CODES[self.dtype]
        out = np.empty(self.whole or self.shape, kind)
        for piece in self.pieces:
            out[piece.place] = piece.tensor.read()
        return out.reshape(self.shape)


def joined(name: str, shape: tuple[int, ...], pieces: Sequence[Piece], where: Path, group: str = "") -> StoredTensor:
    """One tensor of pieces that cover it exactly once and have one type; anything else is refused."""
    problem = _problem(shape, pieces)
    if problem:
        raise InputError(f"{where}: tensor {shown(name)} {problem}; write the checkpoint again, with all its files")
    first = pieces[0].tensor
    if len(pieces) == 1:
        return replace(first, name=name, shape=shape, group=group)
    # The whole has the place of its first piece, which no other tensor has.
    return JoinedTensor(
        name, first.dtype, shape, first.strides, first.offset, first.file, first.path, group, pieces=tuple(pieces)
    )


def _problem(shape: tuple[int, ...], pieces: Sequence[Piece]) -> str | None:
    if not pieces:
        return "has no pieces"
    if len(pieces) > _MOST_PIECES:
        return f"lies in {len(pieces)} pieces, more than this reader takes ({_MOST_PIECES})"
    if len({piece.tensor.dtype for piece in pieces}) > 1:
        return "has pieces of different types"
    for piece in pieces:
        ends = [a + n for a, n in zip(piece.start, piece.tensor.shape, strict=False)]
        if len(piece.start) != len(shape) or len(piece.tensor.shape) != len(shape):
            return "has a piece of another number of dimensions"
        if any(a < 0 for a in piece.start) or any(end > most for end, most in zip(ends, shape, strict=True)):
            return "has a piece that reaches beyond it"
    covered = sum(piece.tensor.size for piece in pieces)
    if covered < math.prod(shape):
        return f"is not whole: {covered} of its {math.prod(shape)} entries are there"
    if covered > math.prod(shape) or any(_overlap(one, two) for i, one in enumerate(pieces) for two in pieces[:i]):
        return "has entries that are stored twice"
    return None


def _overlap(one: Piece, two: Piece) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(one.place, two.place, strict=True))


def flat_joined(name: str, shape: tuple[int, ...], pieces: Sequence[Piece], where: Path) -> StoredTensor:
    """A tensor whose entries, in row-major order, are those of flat pieces end to end."""
    flat = joined(name, (math.prod(shape),), pieces, where)
    strides = row_major_strides(shape, np.dtype(CODES[flat.dtype]).itemsize)
    if isinstance(flat, JoinedTensor):
        return replace(flat, shape=shape, strides=strides, whole=flat.shape)
    return replace(flat, shape=shape, strides=strides)
