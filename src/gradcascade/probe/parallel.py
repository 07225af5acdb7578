"""Kernels on all cores, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_running = threading.Lock()
"""Held while a kernel runs: where Numba has neither TBB nor OpenMP, as on macOS, two at once end the process."""


def parallel(signature: str | None = None) -> Callable[[Kernel], Kernel]:
    """Compile a function with ``numba.prange`` for all cores; calls from several threads wait for each other.

    The compiled function can be called from Python only, not from another compiled function.
    """
    types = () if signature is None else (signature,)
    njit: Any = numba.njit

    def decorate(function: Kernel) -> Kernel:
        kernel = njit(*types, parallel=True, cache=True)(function)

        @wraps(function)
        def run(*arguments: Any) -> Any:
            try:
                with _running:
                    return kernel(*arguments)
            except SystemError as error:  # Python's word for a compiled function during which Ctrl-C was pressed
                if isinstance(error.__cause__, KeyboardInterrupt):
                    raise error.__cause__ from None
                raise

        return run  # pyright: ignore[reportReturnType]

    return decorate
