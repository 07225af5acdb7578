"""Text that is everywhere: the sources of the running Python's standard library, as bytes."""

from __future__ import annotations

import hashlib
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError

HELD_OUT_EVERY = 20
"""One file in twenty is held out (of a single file, its last twentieth)."""

_SKIPPED = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}


@dataclass(frozen=True, eq=False)
class Corpus:
    """Text to learn from, and text to be tested on.

    Attributes
    ----------
    training, held_out : numpy.ndarray
        uint8: the bytes.
    name : str
        Where the text comes from.
    """

    training: NDArray[np.uint8]
    held_out: NDArray[np.uint8]
    name: str

    @property
    def content_hash(self) -> str:
        """Sixteen hexadecimal digits of SHA-256 over both parts."""
        digest = hashlib.sha256(len(self.training).to_bytes(8, "little"))
        digest.update(self.training.data)
        digest.update(self.held_out.data)
        return digest.hexdigest()[:16]

    def batch(self, seed: int, step: int, size: int, context: int) -> NDArray[np.int64]:
        """Windows of training text: a function of (seed, step) alone, so that every scale sees the same.

        Parameters
        ----------
        seed, step : int
            What the draw depends on.
        size : int
            Number of windows.
        context : int
            Tokens that are read; each window has one more.

        Returns
        -------
        numpy.ndarray
            int64, shape (size, context + 1).
        """
        stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, step])))
        starts = stream.integers(0, len(self.training) - context, size)
        return _windows(self.training, starts, context)

    def held_out_batch(self, size: int, context: int) -> NDArray[np.int64]:
        """Evenly spaced windows of the held-out text: int64, shape (size, context + 1)."""
        starts = np.linspace(0, len(self.held_out) - context - 1, size).astype(np.int64)
        return _windows(self.held_out, starts, context)


def _windows(text: NDArray[np.uint8], starts: NDArray[np.int64], context: int) -> NDArray[np.int64]:
    return text[starts[:, None] + np.arange(context + 1)].astype(np.int64)


def standard_library() -> list[Path]:
    """Source files of the running Python's standard library, without tests, in the order of their paths."""
    root = Path(sysconfig.get_path("stdlib"))
    found = [path for path in root.rglob("*.py") if _SKIPPED.isdisjoint(path.relative_to(root).parts)]
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def load_corpus(files: Sequence[Path] = (), context: int = 128) -> Corpus:
    """Read the text to train on.

    Parameters
    ----------
    files : sequence of pathlib.Path
        Text files of one's own; none means the standard library.
    context : int
        Tokens that a model reads; both parts must hold at least that many and one more.

    Returns
    -------
    Corpus

    Raises
    ------
    InputError
        If a file is missing or cannot be read, or the text is too short.
    """
    own = bool(files)
    paths = list(files) or standard_library()
    texts = [_read(path) for path in paths]
    if len(texts) == 1:
        cut = len(texts[0]) - len(texts[0]) // HELD_OUT_EVERY
        training, held_out = texts[0][:cut], texts[0][cut:]
    else:
        every = min(HELD_OUT_EVERY, len(texts))
        held_out = b"\n".join(text for i, text in enumerate(texts) if i % every == every - 1)
        training = b"\n".join(text for i, text in enumerate(texts) if i % every != every - 1)
    shorter = min(len(training), len(held_out))
    if shorter <= context:
        named = f"the text of {len(paths)} files" if own else "the standard library"
        raise InputError(
            f"{named} is too short: {len(training):,} bytes to learn from and {len(held_out):,} held out, and a "
            f"context of {context} needs more than that of each; add text or shorten the context"
        )
    name = ", ".join(path.name for path in paths[:5]) if own else "Python standard library"
    return Corpus(np.frombuffer(training, np.uint8), np.frombuffer(held_out, np.uint8), name)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"the text file {path} does not exist; give an existing file to --text") from None
    except OSError as error:
        raise InputError(f"the text file {path} cannot be read: {error.strerror}; give another to --text") from None
