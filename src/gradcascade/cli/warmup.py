"""Compile the kernels before times are measured, and say so if that takes a while."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import typer

_PATIENCE = 1.0
"""Seconds until it is said."""

_NODES = 50_000
"""Enough for every kernel to be called, and few enough to cost no time."""


@contextmanager
def notice(text: str, patience: float = _PATIENCE) -> Iterator[None]:
    """Print a line on standard error if what is inside takes longer than ``patience`` seconds."""
    timer = threading.Timer(patience, lambda: typer.echo(text, err=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def warm_up(probe, dtype) -> None:
    """Call every kernel of a probe once; compiled kernels are kept, so this takes long on a new installation only."""
    import dataclasses

    import numpy as np

    field = np.random.default_rng(0).standard_normal(_NODES).astype(dtype)
    regular = dataclasses.replace(probe, graph="regular", m=2)  # never stored in the cache folder
    with notice("gradcascade: compiling kernels (once per installation, about half a minute) ..."):
        regular(field)
