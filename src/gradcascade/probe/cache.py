"""The cache folder of graphs: checksummed arrays, renamed into place when whole, mapped on use, limited in size."""

import contextlib
import functools
import json
import math
import os
import re
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.probe.hashing import GOLDEN, mix, mix_array
from gradcascade.probe.parallel import parallel
from gradcascade.scratch import CacheWarning, can_write, home, temporary

Arrays = Mapping[str, NDArray[Any]]

DEFAULT_LIMIT = 20.0
"""Limit of the cache in GB (1e9 bytes); the graph of the largest published field takes 8.1."""

_MANIFEST = "manifest.json"
_SCRATCH = re.compile(r"\..+-[a-z0-9_]{8}")
_ABANDONED = 24 * 3600.0


def cache_folder() -> Path:
    """Folder of the cache: ``$GRADCASCADE_CACHE``, else ``gradcascade`` below the user's cache folder."""
    if own := os.environ.get("GRADCASCADE_CACHE"):
        return Path(own)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "gradcascade"
    own = home()
    if own is None and (other := temporary("graphs")) is not None:
        _say_other_folder("the home folder of this user", other)
        return other
    return (own or Path(tempfile.gettempdir())) / ".cache" / "gradcascade"


def _other_folder() -> Path | None:
    """Where entries go if the folder of the cache cannot be written; None if it can, or there is no other."""
    return None if can_write(cache_folder()) else temporary("graphs")


@functools.cache
def _say_other_folder(folder: Path | str, other: Path) -> None:
    warnings.warn(
        f"{folder} cannot be written, so graphs are kept in {other}; set GRADCASCADE_CACHE to a folder that can be",
        CacheWarning,
        stacklevel=2,
    )


def limit() -> int:
    """Bytes that the entries may take together: ``$GRADCASCADE_CACHE_LIMIT`` in GB, else :data:`DEFAULT_LIMIT`."""
    text = os.environ.get("GRADCASCADE_CACHE_LIMIT") or str(DEFAULT_LIMIT)
    with contextlib.suppress(ValueError):
        if 0 <= float(text) < math.inf:
            return int(float(text) * 1e9)
    raise InputError(f"GRADCASCADE_CACHE_LIMIT must be a number of GB of at least 0, got {text!r}")


@dataclass(frozen=True)
class Entry:
    """One entry of the cache: its folder, bytes, and when it was last stored or loaded (seconds since 1970)."""

    path: Path
    size: int
    last_used: float


@parallel()
def _checksum(words):
    total = np.uint64(0)
    for i in numba.prange(words.shape[0]):
        total += mix(words[i] ^ (np.uint64(i) * GOLDEN))
    return total


def checksum(array: NDArray[Any]) -> int:
    """Sum of scrambled (position, content) words, in any order: a guard against damage, not against intent."""
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
    found = _load(cache_folder() / name)
    other = _other_folder() if found is None else None
    return found if other is None else _load(other / name)


def _load(folder: Path) -> Arrays | None:
    name = folder.name
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
        arrays = {key: np.load(folder / f"{key}.npy", mmap_mode="r") for key in manifest}
        # The checksums cover the content of the files, not the headers that say what it is.
        numbers = bool(arrays) and all(
            array.dtype.isnative and array.dtype.kind in "iuf" for array in arrays.values()
        )
        if numbers and all(checksum(array) == manifest[key] for key, array in arrays.items()):
            _touch(folder)
            return {key: np.asarray(array) for key, array in arrays.items()}
    except PermissionError as error:
        if _exists(folder):
            warnings.warn(f"the cached graph {name} cannot be read: {error}", CacheWarning, stacklevel=3)
        return None
    except Exception:  # a damaged header can make NumPy raise nearly anything
        if not _exists(folder):
            return None
    warnings.warn(f"the cached graph {name} is damaged; it is built again", CacheWarning, stacklevel=3)
    _remove(folder)
    return None


def _exists(path: Path) -> bool:
    """Whether something is there that can be reached: false also below a folder that is closed to this user."""
    with contextlib.suppress(OSError):
        return path.exists()
    return False


def _touch(folder: Path) -> None:
    with contextlib.suppress(OSError):  # a cache that is shared and read-only
        os.utime(folder / _MANIFEST)


def _remove(folder: Path) -> None:
    """Remove a folder without showing half of it to anyone."""
    with contextlib.suppress(OSError):
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        with contextlib.suppress(OSError):  # another process may have removed it
            folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def builder(name: str) -> Iterator[None]:
    """Let one process of this machine at a time build an entry; where that cannot be had, each builds it."""
    from filelock import FileLock

    folder = temporary("locks")
    with contextlib.ExitStack() as stack:
        if folder is not None:
            with contextlib.suppress(OSError):
                stack.enter_context(FileLock(folder / f"{name}.lock"))
        yield


def store(name: str, arrays: Arrays) -> None:
    """Keep an entry and make room for it; a cache that cannot be written costs time, never a result."""
    root = cache_folder()
    room = limit()
    if other := _other_folder():
        _say_other_folder(root, other)
        root = other
    size = sum(array.nbytes for array in arrays.values())
    if size > room:
        warnings.warn(
            f"the graph {name} takes {size / 1e9:.3g} GB and the cache is limited to {room / 1e9:.3g} GB, so it is "
            "not kept; raise GRADCASCADE_CACHE_LIMIT to build it only once",
            CacheWarning,
            stacklevel=2,
        )
        return
    scratch = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
        for key, array in arrays.items():
            np.save(scratch / f"{key}.npy", array)
        manifest = {key: checksum(array) for key, array in arrays.items()}
        (scratch / _MANIFEST).write_text(json.dumps(manifest))
        scratch.rename(root / name)
    except OSError as error:
        if not _exists(root / name):  # another process may have stored the same entry first
            warnings.warn(f"the graph {name} could not be cached: {error}", CacheWarning, stacklevel=2)
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
    with contextlib.suppress(OSError):  # a cache that cannot even be listed
        _tidy(root, room, name)


def _tidy(root: Path, room: int, newest: str) -> None:
    """Remove what killed builders left, and the entries that were not used for the longest time, down to ``room``."""
    for folder in _abandoned(root):
        shutil.rmtree(folder, ignore_errors=True)
    found = _entries(root)
    total = sum(entry.size for entry in found)
    for entry in reversed(found):
        if total <= room:
            return
        if entry.path.name != newest:
            _remove(entry.path)
            total -= entry.size


def entries() -> list[Entry]:
    """List the entries of the cache, the last used first."""
    return _entries(cache_folder())


def _entries(root: Path) -> list[Entry]:
    found = []
    for folder, files in _folders(root):
        if not folder.name.startswith(".") and _MANIFEST in files:
            size = sum(status.st_size for status in files.values())
            found.append(Entry(folder, size, files[_MANIFEST].st_mtime))
    return sorted(found, key=lambda entry: (-entry.last_used, entry.path.name))


def clear() -> list[Entry]:
    """Remove every entry, and what killed builders left more than a day ago: the entries that are gone."""
    for folder in _abandoned(cache_folder()):
        shutil.rmtree(folder, ignore_errors=True)
    found = entries()
    for entry in found:
        _remove(entry.path)
    return [entry for entry in found if not entry.path.exists()]


def _abandoned(root: Path) -> list[Path]:
    """Scratch folders in which nothing was written for a day."""
    latest = time.time() - _ABANDONED
    return [
        folder
        for folder, files in _folders(root)
        if _SCRATCH.fullmatch(folder.name)
        and max([folder.stat().st_mtime, *(status.st_mtime for status in files.values())]) < latest
    ]


def _folders(root: Path) -> Iterator[tuple[Path, dict[str, os.stat_result]]]:
    """Folders with nothing in them but the files of an entry: nothing else that lies here is ever touched."""
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        with contextlib.suppress(OSError):  # another process may be removing it
            files = {path.name: path.stat() for path in folder.iterdir()}
            if all(name == _MANIFEST or name.endswith(".npy") for name in files):
                yield folder, files
