"""The cache folder of graphs: written atomically with checksums, memory-mapped on use.

An entry is a folder of ``.npy`` files and a ``manifest.json`` with their lengths and checksums. It is written
under a name of its own and then renamed, so that a reader sees a whole entry or none, also when two processes
build the same one or a builder is killed. A damaged entry is noticed, reported, and removed.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.hashing import GOLDEN, mix, mix_array

Arrays = Mapping[str, NDArray[Any]]


class CacheWarning(UserWarning):
    """Something about the cache that costs time but does not change results."""


def cache_folder() -> Path:
    """Folder of the cache: ``$GRADCASCADE_CACHE``, else ``gradcascade`` below the user's cache folder."""
    if own := os.environ.get("GRADCASCADE_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "gradcascade"


@numba.njit(parallel=True, cache=True)
def _checksum(words):
    total = np.uint64(0)
    for i in numba.prange(words.shape[0]):
        total += mix(words[i] ^ (np.uint64(i) * GOLDEN))
    return total


def checksum(array: NDArray[Any]) -> int:
    """Sum of scrambled (position, content) words: any changed, moved or missing byte changes it.

    The order of the additions does not matter, so it runs on all cores at the speed of memory. It guards
    against damage, not against intent.
    """
    data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    whole = len(data) // 8 * 8
    tail = np.zeros(8, np.uint8)
    tail[: len(data) - whole] = data[whole:]
    end = mix_array(tail.view(np.uint64) ^ np.uint64(len(data)))[0]
    words = data[:whole]
    if words.ctypes.data % 8:  # a memory-mapped file starts wherever its header ends
        words = words.copy()
    return int(_checksum(words.view(np.uint64)) ^ end)


def load(name: str) -> Arrays | None:
    """Memory-map an entry, or give None if there is none (or it was damaged and has been removed)."""
    folder = cache_folder() / name
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        arrays = {key: np.load(folder / f"{key}.npy", mmap_mode="r") for key in manifest}
        if all(checksum(array) == manifest[key] for key, array in arrays.items()):
            return {key: np.asarray(array) for key, array in arrays.items()}
    except FileNotFoundError:
        if not folder.exists():
            return None
    except (OSError, ValueError, EOFError):
        pass
    warnings.warn(f"the cached graph {name} is damaged; it is built again", CacheWarning, stacklevel=2)
    shutil.rmtree(folder, ignore_errors=True)
    return None


def store(name: str, arrays: Arrays) -> None:
    """Keep an entry; a cache that cannot be written costs time, never a result."""
    root = cache_folder()
    scratch = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
        for key, array in arrays.items():
            np.save(scratch / f"{key}.npy", array)
        manifest = {key: checksum(array) for key, array in arrays.items()}
        (scratch / "manifest.json").write_text(json.dumps(manifest))
        scratch.rename(root / name)
    except OSError as error:
        if not (root / name).exists():  # another process may have stored the same entry first
            warnings.warn(f"the graph {name} could not be cached: {error}", CacheWarning, stacklevel=2)
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
