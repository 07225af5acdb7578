"""Compiled kernels: on one core, or on all of them, one at a time."""

import os
import threading
import types
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeVar

import numba

from gradcascade.scratch import CacheWarning, can_write, home, temporary

_CONFIG: Any = numba.config

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


class _State:
    """What a fork changes."""

    def __init__(self) -> None:
        self.running = threading.Lock()
        """Held while a kernel runs: where Numba has neither TBB nor OpenMP, as on macOS, two at once end the
        process."""
        self.alone = False
        """Whether kernels run on one core: GNU OpenMP ends a forked process whose parent has used it."""

    def forked(self) -> None:
        """Begin anew in a forked process: no thread of the parent is here, and its locks stay as they were."""
        self.running = threading.Lock()
        with suppress(ValueError):  # Numba has not started its threads, so that this process may
            self.alone = self.alone or numba.threading_layer() == "omp"


_STATE = _State()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_STATE.forked)


def compiled(signature: str | None = None) -> Callable[[Kernel], Kernel]:
    """Compile a function for one core; it can be called from other compiled functions."""
    return lambda function: _compiled(function, signature)


def parallel(signature: str | None = None) -> Callable[[Kernel], Kernel]:
    """Compile a function with ``numba.prange`` for all cores, to be called from Python only, one call at a time."""

    def decorate(function: Kernel) -> Kernel:
        kernel = _compiled(function, signature, parallel=True)
        alone = cache(lambda: _compiled(_renamed(function, "_alone"), signature))

        @wraps(function)
        def run(*arguments: Any) -> Any:
            try:
                with _STATE.running:
                    return (alone() if _STATE.alone else kernel)(*arguments)
            except SystemError as error:  # Python's word for a compiled function during which Ctrl-C was pressed
                if isinstance(error.__cause__, KeyboardInterrupt):
                    raise error.__cause__ from None
                raise

        return run  # pyright: ignore[reportReturnType]

    return decorate


def _renamed(function: Any, end: str) -> Any:
    """The same function under another name: Numba's cache tells functions apart by name, not by how they compile."""
    twin = types.FunctionType(function.__code__, function.__globals__, function.__name__ + end)
    twin.__qualname__ = function.__qualname__ + end
    twin.__module__ = function.__module__
    return twin


def _compiled(function: Any, signature: str | None, **options: Any) -> Any:
    """Compile and keep on disk: beside the source, in the user's cache, or else in a temporary folder.

    A kernel lets other threads of Python run meanwhile, such as that of a training which is measured beside it.
    """
    given = () if signature is None else (signature,)
    njit: Any = numba.njit
    try:
        return njit(*given, cache=True, nogil=True, **options)(function)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
    keep = _use_temporary_folder()
    return njit(*given, cache=keep, nogil=True, **options)(function)


@cache
def _use_temporary_folder() -> bool:
    """Have Numba keep kernels in a temporary folder, and say so once; false if there is none."""
    folder = temporary("numba")
    where = "are compiled anew each time" if folder is None else f"are kept in {folder}"
    warnings.warn(
        f"neither the installation nor the home folder can be written, so compiled kernels {where}; "
        "set NUMBA_CACHE_DIR to a folder that can be",
        CacheWarning,
        stacklevel=2,
    )
    if folder is None:
        return False
    _CONFIG.CACHE_DIR = str(folder)
    return True


def _has_home() -> bool:
    """Whether the user has a home, or a cache folder; without one Numba would make a folder named ``~``."""
    return bool(_CONFIG.CACHE_DIR or os.environ.get("XDG_CACHE_HOME") or home())


if not _has_home() and not can_write(Path(__file__).parent / "__pycache__"):
    _use_temporary_folder()
