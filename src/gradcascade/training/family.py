"""Trains the nano family: the same decoder at several widths, with gradients, checkpoints and perplexity recorded."""

import importlib.util
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.training.config import FamilyConfig
from gradcascade.training.corpus import read_corpus
from gradcascade.training.run import StepReport, train_run

__all__ = ["FamilyConfig", "StepReport", "train_family"]

_MARGIN = 20_000_000


def train_family(
    config: FamilyConfig, out: Path | str, on_step: Callable[[StepReport], None] | None = None
) -> list[Path]:
    """Train every run, as many at once as there are CPUs, or continue where an earlier call was interrupted.

    Interrupted and continued, it gives the same files bit for bit as uninterrupted, on the same machine, whatever the
    number of CPUs. Runs are written to ``<out>/runs/nano-d<width>``, further ones of a scale to
    ``nano-d<width>-seed<seed>``; the result lists these folders by width and seed.
    ``on_step`` is called after every step, from one of several threads at a time, and once for a finished run.
    """
    require_torch()
    corpus = read_corpus(config.text)
    corpus.batch(config.seed, 0, 1, config.context)
    corpus.evaluation(1, config.context)
    folders = {training: Path(out) / "runs" / training.name for training in config.trainings}
    _check_room(config, Path(out), list(folders.values()))

    stop, one_at_a_time = threading.Event(), threading.Lock()

    def report(step: StepReport) -> None:
        if stop.is_set():
            raise _StoppedError
        if on_step:
            with one_at_a_time:
                on_step(step)

    with _workers(config.threads) as pool:
        # The last to finish is then a short one.
        largest_first = sorted(folders, key=lambda training: training.width, reverse=True)
        runs = [pool.submit(train_run, training, corpus, folders[training], report) for training in largest_first]
        try:
            for run in as_completed(runs):
                run.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return list(folders.values())


class _StoppedError(Exception):
    """Ends a run because another one failed or was interrupted."""


def require_torch() -> None:
    """Check that PyTorch is there, before it is imported, and keep its idle threads from spinning."""
    if importlib.util.find_spec("torch") is None:
        raise InputError("training needs PyTorch, which is not installed; run pip install 'gradcascade[train]'")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@contextmanager
def _workers(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that together use every CPU: two small runs at once are faster than one with two threads each."""
    import torch

    before = torch.get_num_threads()
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        with ThreadPoolExecutor(
            max(1, cpus // threads), "training", initializer=torch.set_num_threads, initargs=(threads,)
        ) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


def expected_bytes(config: FamilyConfig) -> int:
    """Bytes on disk of a family's records and of what is kept while it trains."""
    from gradcascade.training.decoder import DecoderShape

    shapes = [DecoderShape(training.width, config.context) for training in config.trainings]
    record = sum(4 * (shape.parameters + shape.recorded_entries) for shape in shapes)
    resume = 2 * 3 * 4 * sum(shape.parameters for shape in shapes)  # the old one stays until the new one is whole
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
