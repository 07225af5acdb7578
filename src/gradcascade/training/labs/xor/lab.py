"""All trainings of the XOR lab, each kept in a file of its own, so that a stopped lab goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gradcascade.errors import InputError
from gradcascade.files import staged, sweep, write_whole
from gradcascade.probe.threads import one_thread
from gradcascade.training.labs.xor.config import XorConfig
from gradcascade.training.labs.xor.run import Found, draw_gaussian, train

SETTINGS = "lab.json"


class Progress(NamedTuple):
    """How far the lab is."""

    done: int
    total: int
    name: str


@dataclass(frozen=True)
class XorTables:
    """Everything that was measured; columns as in :mod:`gradcascade.training.labs.xor.run`."""

    config: XorConfig
    cascades: pl.DataFrame
    series: pl.DataFrame
    gaussian: pl.DataFrame


def run_lab(
    config: XorConfig,
    out: Path,
    progress: Callable[[Progress], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> XorTables | None:
    """Train what is not in the folder yet and give all tables; None where ``stop`` asked to end before.

    Raises
    ------
    InputError
        If the folder holds trainings with other settings, or cannot be written.
    """
    _claim(config, out)
    tasks = [*_tasks(config, out / "runs")]
    parts = []
    with one_thread():
        for done, task in enumerate(tasks):
            if stop():
                return None
            progress(Progress(done, len(tasks), task.name))
            parts.append(task.found())
    progress(Progress(len(tasks), len(tasks), ""))
    trained = [part for part in parts if isinstance(part, Found)]
    return XorTables(
        config,
        pl.concat([part.cascades for part in trained]),
        pl.concat([part.series for part in trained]),
        pl.concat([part for part in parts if isinstance(part, pl.DataFrame)]),
    )


@dataclass(frozen=True)
class _Task:
    """One file and what makes it."""

    name: str
    folder: Path
    make: Callable[[], Found | pl.DataFrame]

    def found(self) -> Found | pl.DataFrame:
        """The tables, read where they are there, else made and kept."""
        if (self.folder / "cascades.parquet").exists():
            cascades = pl.read_parquet(self.folder / "cascades.parquet")
            series = self.folder / "series.parquet"
            return Found(cascades, pl.read_parquet(series)) if series.exists() else cascades
        found = self.make()
        if isinstance(found, Found):
            self._keep(found.series, "series")
            self._keep(found.cascades, "cascades")  # last: a folder with it is whole
        else:
            self._keep(found, "cascades")
        return found

    def _keep(self, table: pl.DataFrame, name: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with staged(self.folder / f"{name}.parquet", self.folder) as path:
            table.write_parquet(path)


def _tasks(config: XorConfig, folder: Path) -> Iterator[_Task]:
    for each in config.trainings:
        name = f"{each.variant.name}/{each.scale}-run{each.seed}"
        yield _Task(name, folder / name, lambda each=each: train(each, config))
    for width in config.widths:
        for seed in range(config.seed, config.seed + config.runs):
            name = f"gaussian/h{width}-run{seed}"
            yield _Task(name, folder / name, lambda width=width, seed=seed: draw_gaussian(width, seed, config))


def _claim(config: XorConfig, out: Path) -> None:
    """Write down the settings, or refuse a folder whose trainings had others."""
    mine = json.loads(json.dumps(config.identity()))
    path = out / SETTINGS
    try:
        out.mkdir(parents=True, exist_ok=True)
        for folder in out.glob("runs/*/*"):
            sweep(folder)
        if not path.exists():
            if any(out.iterdir()):
                raise InputError(f"{out} holds other files and no {SETTINGS}; choose a new folder with --out")
            write_whole(path, json.dumps(mine, indent=1) + "\n")
        there = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{out} cannot be used ({error.strerror}); choose a folder where you may write") from None
    except json.JSONDecodeError:
        raise InputError(f"{path} is not a file of this lab; choose a new folder with --out") from None
    differ = sorted(name for name in {*mine, *there} if mine.get(name) != there.get(name))
    if differ:
        words = ", ".join(f"{name} {there.get(name)}" for name in differ)
        raise InputError(
            f"{out} holds trainings with other settings ({words}); give the same ones to continue, or a new folder"
        )
