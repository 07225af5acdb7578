"""Text as bytes: what the nano family learns from, and the same batches for every model."""

import hashlib
import os
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError

LIMIT = 20_000_000
"""Bytes read at most; what comes later is left out."""

HELD_OUT_EVERY = 20
"""One file in this many is held out, or the last such share of the bytes where there are fewer files."""

_LEFT_OUT = frozenset({"site-packages", "dist-packages", "test", "tests", "__pycache__"})


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text, split into a part to learn from and a held-out part."""

    name: str
    """What it is, for the record."""
    training: NDArray[np.uint8]
    """uint8, 1-D: the bytes to learn from."""
    held_out: NDArray[np.uint8]
    """uint8, 1-D: the bytes to measure perplexity on."""

    @property
    def sha256(self) -> str:
        """Hash of both parts: equal hashes mean equal batches and equal perplexities."""
        digest = hashlib.sha256(len(self.training).to_bytes(8, "little"))
        digest.update(self.training.tobytes())
        digest.update(self.held_out.tobytes())
        return digest.hexdigest()

    def batch(self, seed: int, step: int, size: int, context: int) -> NDArray[np.int64]:
        """Random windows of the training part, int64 (size, context + 1); the arguments alone determine them."""
        self._check(self.training, "training", context)
        starts = np.random.default_rng((seed, step)).integers(0, len(self.training) - context, size)
        return _windows(self.training, starts, context)

    def evaluation(self, count: int, context: int) -> NDArray[np.int64]:
        """Evenly spaced windows of the held-out part, int64 (count, context + 1)."""
        self._check(self.held_out, "held-out", context)
        starts = np.linspace(0, len(self.held_out) - context - 1, count).astype(np.int64)
        return _windows(self.held_out, starts, context)

    def _check(self, part: NDArray[np.uint8], which: str, context: int) -> None:
        if len(part) <= context:
            raise InputError(
                f"{self.name} is too short: its {which} part has {len(part)} bytes, a context of {context} needs "
                f"{context + 1}; give more text or a shorter context"
            )


def read_corpus(text: Sequence[Path] = ()) -> Corpus:
    """Read at most `LIMIT` bytes of text: files in their order, or the sources of Python's standard library."""
    if text:
        return _split(", ".join(path.name for path in text), _contents(text))
    root = Path(sysconfig.get_path("stdlib"))
    files = [root / name for name in _library_files(root)]
    if not files:
        raise InputError(
            f"Python's standard library has no source files in {root}; give a text of your own with --text FILE"
        )
    version = sysconfig.get_python_version()
    return _split(f"standard library of Python {version}", _contents(files, may_be_empty=True))


def _library_files(root: Path) -> list[str]:
    """Paths relative to ``root``, sorted; files generated for one machine are left out."""
    found: list[str] = []
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if name not in _LEFT_OUT]  # site-packages alone can take seconds to list
        found += [Path(folder, name).relative_to(root).as_posix() for name in names if name.endswith(".py")]
    return sorted(name for name in found if not name.startswith("_sysconfigdata"))


def _contents(files: Iterable[Path], may_be_empty: bool = False) -> list[bytes]:
    contents: list[bytes] = []
    room = LIMIT
    for path in files:
        if room <= 0:
            break
        try:
            with path.open("rb") as stream:
                data = stream.read(room)
        except FileNotFoundError:
            raise InputError(f"text file {path} does not exist; check its path") from None
        except OSError as error:
            raise InputError(
                f"text file {path} cannot be read ({error.strerror}); check what it is and its permissions"
            ) from None
        if not data and not may_be_empty:
            raise InputError(f"text file {path} is empty; leave it out or give another")
        contents.append(data)
        room -= len(data)
    return contents


def _split(name: str, contents: list[bytes]) -> Corpus:
    if len(contents) >= HELD_OUT_EVERY:
        held_out = b"".join(contents[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY])
        training = b"".join(data for index, data in enumerate(contents, 1) if index % HELD_OUT_EVERY)
    else:
        whole = b"".join(contents)
        edge = len(whole) - len(whole) // HELD_OUT_EVERY
        training, held_out = whole[:edge], whole[edge:]
    return Corpus(name, np.frombuffer(training, np.uint8), np.frombuffer(held_out, np.uint8))


def _windows(data: NDArray[np.uint8], starts: NDArray[np.int64], context: int) -> NDArray[np.int64]:
    return data[starts[:, None] + np.arange(context + 1)].astype(np.int64)
