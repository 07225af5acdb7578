"""Trains the nano family: the same decoder at several widths, with gradients, checkpoints and perplexity recorded."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.training.config import FamilyConfig, run_name
from gradcascade.training.corpus import read_corpus
from gradcascade.training.run import StepReport, train_run

__all__ = ["FamilyConfig", "StepReport", "train_family"]

_MARGIN = 20_000_000


def train_family(
    config: FamilyConfig, out: Path | str, on_step: Callable[[StepReport], None] | None = None
) -> list[Path]:
    """Train each scale in turn, or continue where an earlier call was interrupted.

    On the same machine, with the same number of threads, an interrupted and continued training gives the same files
    as an uninterrupted one, bit for bit.

    Parameters
    ----------
    config : FamilyConfig
        What to train.
    out : pathlib.Path or str
        Folder of the family; runs are written to ``<out>/runs/nano-d<width>``.
    on_step : callable, optional
        Called with a :class:`StepReport` after every step, and once for a run that was finished before.

    Returns
    -------
    list of pathlib.Path
        Folders of the runs, by width.

    Raises
    ------
    InputError
        If PyTorch is not installed, the text cannot be used, a run of other settings is in the way, or the disk has
        no room.
    """
    require_torch()
    corpus = read_corpus(config.text)
    corpus.batch(config.seed, 0, 1, config.context)
    corpus.evaluation(1, config.context)
    folders = [Path(out) / "runs" / run_name(width) for width in config.widths]
    _check_room(config, Path(out), folders)
    with all_threads():
        for width, folder in zip(config.widths, folders, strict=True):
            train_run(config, corpus, width, folder, on_step)
    return folders


def require_torch() -> None:
    """Check that PyTorch is there, before it is imported, and keep its idle threads from spinning.

    Raises
    ------
    InputError
        If PyTorch is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise InputError("training needs PyTorch, which is not installed; run pip install 'gradcascade[train]'")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@contextmanager
def all_threads() -> Iterator[None]:
    """Let PyTorch use every CPU this process may use, within the block."""
    import torch

    before = torch.get_num_threads()
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(cpus)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def expected_bytes(config: FamilyConfig) -> int:
    """Disk space of a family's records and of what is kept while it trains.

    Parameters
    ----------
    config : FamilyConfig
        What to train.

    Returns
    -------
    int
        Bytes.
    """
    from gradcascade.training.decoder import DecoderShape

    shapes = [DecoderShape(width, config.context) for width in config.widths]
    record = sum(4 * (shape.parameters + shape.recorded_entries) for shape in shapes)
    resume = 2 * 3 * 4 * max(shape.parameters for shape in shapes)  # the old one stays until the new one is whole
    return len(config.recorded_steps) * record + resume + _MARGIN


def _check_room(config: FamilyConfig, out: Path, folders: list[Path]) -> None:
    there = sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
    place = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    needed, free = expected_bytes(config) - there, shutil.disk_usage(place).free
    if free < needed:
        raise InputError(
            f"{out} needs {needed / 1e6:,.0f} MB more, and its disk has {free / 1e6:,.0f} MB free; "
            "choose a folder on another disk, or record fewer steps"
        )
