"""The lab of modular addition: every run trained and measured, or continued, into one study."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gradcascade.files import write_whole
from gradcascade.study.study import Study
from gradcascade.study.variants import make_probe
from gradcascade.training.family import require_torch
from gradcascade.training.labs.modular_plan import CONTROLS, GROKKING, ModularPlan, run_folder
from gradcascade.training.labs.modular_run import ModularRun, ModularTrainer
from gradcascade.training.plan_folder import claim_folder
from gradcascade.training.records import Keeper, StepRecord
from gradcascade.training.workers import Progress, Workers

STUDY, LAB = "study", "lab.json"


@dataclass(frozen=True)
class Overall:
    """How far a lab is."""

    done: int
    """Runs that are finished."""
    total: int
    latest: Progress | None


def run_modular_addition(
    plan: ModularPlan,
    out: Path | str,
    workers: int | None = None,
    progress: Callable[[Overall], None] = lambda found: None,
    stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Make every run of the lab and measure it into ``<out>/study``, or continue; whether all is there.

    A run that groks makes as many steps as it takes, and its controls as many as it made. Interrupted and continued,
    the table is the same bit for bit, except the seconds, on the same machine, whatever the number of workers.

    Parameters
    ----------
    plan : ModularPlan
        What to train and measure.
    out : pathlib.Path or str
        Folder of the lab.
    workers : int, optional
        Runs at once, each in a process with one thread; by default as many as there are cores.
    progress : callable, optional
        Called with :class:`Overall` now and then.
    stop : callable, optional
        Once it gives true, runs save where they are.

    Raises
    ------
    InputError
        If the folder holds something else, or PyTorch is missing.
    """
    require_torch()
    from gradcascade.probe.threads import thread_count
    from gradcascade.training.labs.modular_transformer import entries

    out = Path(out)
    claim_folder(plan, out, "a lab")
    probe = make_probe(plan.study())
    for width in plan.widths:  # so that workers find the graphs and do not build them
        probe.graph_for(entries(plan.prime, width))
    with Study.create(out / STUDY, plan.study()) as study:
        pool = Workers(partial(ModularTrainer, plan), workers or thread_count())
        try:
            return _Lab(plan, out, Keeper(study), progress).make(pool, stop)
        finally:
            pool.close()


class _Lab:
    def __init__(self, plan: ModularPlan, out: Path, keeper: Keeper, progress: Callable[[Overall], None]) -> None:
        self.plan, self.out, self.keeper, self.progress = plan, out, keeper, progress
        self.results: dict[ModularRun, dict[str, Any]] = {}
        self.total = len(plan.widths) * len(plan.seeds) * (1 + len(CONTROLS))

    def make(self, pool: Workers, stop: Callable[[], bool]) -> bool:
        largest_first = [
            self._run(GROKKING, width, seed, self.plan.steps)
            for width in sorted(self.plan.widths, reverse=True)
            for seed in self.plan.seeds
        ]
        whole = pool.run(largest_first, self._keep, self._done, self._watch, stop)
        if whole:
            self._write()
        return whole

    def _run(self, family: str, width: int, seed: int, steps: int) -> ModularRun:
        return ModularRun(family, width, seed, steps, run_folder(self.out, family, width, seed))

    def _keep(self, spec: ModularRun, record: StepRecord) -> None:
        self.keeper.keep(spec.family, spec.scale, str(spec.seed), record)

    def _done(self, spec: ModularRun, result: dict[str, Any]) -> Iterable[ModularRun]:
        self.results[spec] = result
        self._watch(None)
        if spec.family != GROKKING:
            return ()
        return [self._run(family, spec.width, spec.seed, result["last"]) for family in CONTROLS]

    def _watch(self, latest: Progress | None) -> None:
        self.progress(Overall(len(self.results), self.total, latest))

    def _write(self) -> None:
        runs = [
            {"family": spec.family, "scale": spec.scale, "run": str(spec.seed), **result}
            for spec, result in sorted(
                self.results.items(), key=lambda own: (own[0].family, own[0].width, own[0].seed)
            )
        ]
        told = {"cpu_seconds": round(sum(own["cpu_seconds"] for own in runs), 1), "runs": runs}
        write_whole(self.out / LAB, json.dumps(told, indent=1) + "\n")
