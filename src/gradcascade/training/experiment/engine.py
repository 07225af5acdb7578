"""Makes an experiment: rates, runs, measurements; continues where it was interrupted, with the same result."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gradcascade.errors import InputError
from gradcascade.files import write_whole
from gradcascade.study.study import Study
from gradcascade.training.corpus import Corpus, read_corpus
from gradcascade.training.experiment import tuning
from gradcascade.training.experiment.estimate import default_workers, disk_bytes
from gradcascade.training.experiment.optimizers import OPTIMIZERS
from gradcascade.training.experiment.plan import Condition, ExperimentPlan, entries
from gradcascade.training.experiment.run import RunSpec, Trainer, metrics_of
from gradcascade.training.family import require_torch
from gradcascade.training.plan_folder import claim_folder
from gradcascade.training.records import Keeper, StepRecord
from gradcascade.training.workers import Progress, Workers

STUDY, TUNING, EXPERIMENT = "study", "tuning.json", "experiment.json"


@dataclass(frozen=True)
class Overall:
    """How far an experiment is."""

    phase: str
    done: int
    """Optimizer steps."""
    total: int
    runs: int
    """Finished."""
    latest: Progress | None
    seconds_left: float | None


@dataclass(frozen=True)
class Outcome:
    """What an experiment came to."""

    finished: bool
    """Whether everything that was asked is measured; else a signal stopped it."""
    notes: tuple[str, ...] = ()
    """What is to be said of it, a sentence each."""


def run_experiment(
    plan: ExperimentPlan,
    out: Path | str,
    workers: int | None = None,
    progress: Callable[[Overall], None] = lambda found: None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Make every run of a plan and measure it into ``<out>/study``, or continue.

    However often it was interrupted and whatever the number of workers, the table is the same bit for bit, except the
    seconds, on the same machine.

    Parameters
    ----------
    plan : ExperimentPlan
        What to run and measure.
    out : pathlib.Path or str
        Folder of the experiment.
    workers : int, optional
        Runs at once, each in a process with one thread; by default as many as there are cores.
    progress : callable, optional
        Called with :class:`Overall` now and then.
    stop : callable, optional
        Once it gives true, runs save where they are, and the outcome is not finished.

    Raises
    ------
    InputError
        If the folder holds something else, a text is too short, the disk too full, or PyTorch or the device missing.
    """
    require_torch()
    out = Path(out)
    corpus = read_corpus(tuple(Path(own) for own in plan.text))
    corpus.batch(0, 0, 1, plan.context)
    corpus.evaluation(1, plan.context)
    workers = workers or default_workers()
    _check(plan, out, workers)
    claim_folder(plan, out, "an experiment")
    build_graphs(plan)
    with Study.create(out / STUDY, plan.study()) as study:
        pool = Workers(partial(Trainer, plan, corpus), workers)
        try:
            return _Experiment(plan, out, corpus, study, pool, progress, stop).make()
        finally:
            pool.close()


def build_graphs(plan: ExperimentPlan) -> None:
    """Have the graphs of all scales on disk, so that workers find and do not build them."""
    from gradcascade.study.variants import make_probe

    probe = make_probe(plan.study())
    for width in plan.widths:
        probe.graph_for(entries(width))


def _check(plan: ExperimentPlan, out: Path, workers: int) -> None:
    """Refuse a device that is not there, or a disk that would fill up."""
    import torch

    try:
        torch.empty(0, device=plan.device)
    except (RuntimeError, AssertionError) as error:
        said = str(error).splitlines()[0]
        raise InputError(f"device = {plan.device!r} cannot be used ({said}); set it to cpu, or cuda") from None
    needed = disk_bytes(plan, workers)
    place = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    there = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) if out.is_dir() else 0
    free = shutil.disk_usage(place).free
    if free < needed - there:
        raise InputError(
            f"{out} needs {(needed - there) / 1e6:,.0f} MB more, and its disk has {free / 1e6:,.0f} MB free; choose "
            "a folder on another disk, or fewer --workers"
        )


class _Experiment:
    def __init__(
        self,
        plan: ExperimentPlan,
        out: Path,
        corpus: Corpus,
        study: Study,
        pool: Workers,
        progress: Callable[[Overall], None],
        stop: Callable[[], bool],
    ) -> None:
        self.plan, self.out, self.corpus, self.study, self.pool = plan, out, corpus, study, pool
        self.progress, self.stop = progress, stop
        self._keeper = Keeper(study, plan.spans)
        self._tuned: dict[str, dict[str, Any]] = {}
        """Of every family what tuning found, as it is written."""

    def make(self) -> Outcome:
        rates = self._tune()
        if rates is None:
            return Outcome(False)
        specs = list(self._specs(rates))
        results: dict[RunSpec, dict[str, Any]] = {}

        def done(spec: RunSpec, result: dict[str, Any]) -> tuple[()]:
            results[spec] = result
            name = (spec.family, spec.scale, str(spec.seed))
            self._keeper.metrics(*name, self.plan.steps, metrics_of(result["loss"]))
            return ()

        # Matched sets one after another, so that what is interrupted has whole ones; the last run is a short one.
        order = sorted(specs, key=lambda spec: (self.plan.seeds.index(spec.seed), -spec.width))
        if not self._run("runs", order, done, results):
            return Outcome(False)
        notes = self._notes(results)
        self._write_results(specs, results)
        return Outcome(True, notes)

    def _run(
        self,
        phase: str,
        specs: list[RunSpec],
        done: Callable[[RunSpec, dict[str, Any]], Iterable[RunSpec]],
        results: dict[RunSpec, dict[str, Any]],
    ) -> bool:
        """Make the runs that are not made yet; whether all are."""
        known, coming = Trainer(self.plan, self.corpus), list(specs)
        left = []
        while coming:
            spec = coming.pop(0)
            if result := known.finished(spec):
                coming += done(spec, result)
            else:
                left.append(spec)
        return self.pool.run(left, self._keep, done, self._watch(phase, specs, results), self.stop)

    def _specs(self, rates: dict[Condition, float]) -> Iterator[RunSpec]:
        for condition, rate in rates.items():
            for width in self.plan.widths:
                at = tuning.rate_at(self.plan, condition.optimizer, rate, width)
                for seed in self.plan.seeds:
                    folder = self.out / "runs" / condition.family / f"d{width}-seed{seed}"
                    yield RunSpec(condition, width, seed, at, self.plan.measured, folder)

    def _trial(self, condition: Condition, rate: float, width: int) -> RunSpec:
        """A run of a rate, with nothing measured but its loss at the end."""
        folder = self.out / "tuning" / condition.family / f"d{width}-rate-{rate:.9g}"
        return RunSpec(condition, width, self.plan.tuning.seed, rate, (), folder)

    def _tune(self) -> dict[Condition, float] | None:
        """The rate of every condition at the smallest scale; None if it was stopped."""
        plan = self.plan
        losses: dict[Condition, dict[float, float | None]] = {}
        first: list[RunSpec] = []
        asked: dict[Condition, int] = {}
        for condition in plan.conditions:
            if condition.optimizer not in plan.learning_rates:
                rates = tuning.grid(plan.tuning, OPTIMIZERS[condition.optimizer].middle)
                losses[condition], asked[condition] = {}, len(rates)
                first += [self._trial(condition, rate, plan.widths[0]) for rate in rates]
        results: dict[RunSpec, dict[str, Any]] = {}

        def done(spec: RunSpec, result: dict[str, Any]) -> list[RunSpec]:
            results[spec] = result
            own = losses[spec.condition]
            own[spec.rate] = result["loss"]
            if len(own) < asked[spec.condition]:
                return []
            following = tuning.next_rate(plan.tuning, own)
            if following is None:
                return []
            asked[spec.condition] += 1
            return [self._trial(spec.condition, following, plan.widths[0])]

        if not self._run("tuning", first, done, results):
            return None
        found = {condition: tuning.best(own) for condition, own in losses.items()}
        for condition, own in found.items():
            if own.rate is None:
                raise InputError(
                    f"{condition.family} diverged at every rate that was tried, down to {min(losses[condition]):g}; "
                    f"give one with learning_rates = {{{condition.optimizer} = ...}}, or a larger tuning.further"
                )
        rates = {
            condition: plan.learning_rates.get(condition.optimizer) or found[condition].rate or 0.0
            for condition in plan.conditions
        }
        self._write_tuning(rates, losses, found)
        return rates if self._check_transfer(rates) else None

    def _check_transfer(self, rates: dict[Condition, float]) -> bool:
        """Try the neighbours of each rate at the largest scale; false if it was stopped."""
        plan, width = self.plan, self.plan.widths[-1]
        if not plan.tuning.check or width == plan.widths[0]:
            return True
        trials = [
            self._trial(condition, rate, width)
            for condition in rates
            for rate in tuning.neighbours(
                plan.tuning, tuning.rate_at(plan, condition.optimizer, rates[condition], width)
            )
        ]
        results: dict[RunSpec, dict[str, Any]] = {}

        def done(spec: RunSpec, result: dict[str, Any]) -> tuple[()]:
            results[spec] = result
            return ()

        if not self._run("checking rates", trials, done, results):
            return False
        for condition in rates:
            own = [
                {"rate": spec.rate, "loss": results[spec]["loss"]} for spec in trials if spec.condition == condition
            ]
            self._tuned[condition.family]["largest"] = {"scale": f"d{width}", "tried": own}
        self._write_tuned()
        return True

    def _write_tuning(self, rates: Any, losses: Any, found: dict[Condition, tuning.Tuned]) -> None:
        plan = self.plan
        families = self._tuned
        for condition, rate in rates.items():
            tried = [{"rate": own, "loss": loss} for own, loss in sorted(losses.get(condition, {}).items())]
            at = {f"d{width}": tuning.rate_at(plan, condition.optimizer, rate, width) for width in plan.widths}
            families[condition.family] = {
                "optimizer": condition.optimizer,
                "schedule": condition.schedule,
                "tried": tried,
                "chosen": rate,
                "given": condition not in found,
                "at_end": condition in found and found[condition].at_end,
                "rates": at,
            }
        self._write_tuned()

    def _write_tuned(self) -> None:
        plan = self.plan
        told = {
            "rule": tuning.RULE,
            "transfer": plan.tuning.transfer,
            "scale": f"d{plan.widths[0]}",
            "seed": plan.tuning.seed,
            "steps": plan.steps,
            "families": self._tuned,
        }
        write_whole(self.out / TUNING, json.dumps(told, indent=1) + "\n")

    def _keep(self, spec: RunSpec, record: StepRecord) -> None:
        """Keep what was measured at a step."""
        self._keeper.keep(spec.family, spec.scale, str(spec.seed), record)

    def _watch(
        self, phase: str, specs: list[RunSpec], results: dict[RunSpec, dict[str, Any]]
    ) -> Callable[[Progress], None]:
        """Tells how far a phase is; the time left is by N times steps, from what was done in this call."""
        at: dict[RunSpec, int] = {}
        began: dict[RunSpec, int] = {}
        start = time.monotonic()

        def work(spec: RunSpec, steps: int) -> float:
            return (spec.width + 32) * steps  # small models take longer than their size says

        def show(latest: Progress) -> None:
            at[latest.spec] = latest.step
            began.setdefault(latest.spec, latest.step)
            every = {*specs, *at, *results}
            made = {spec: self.plan.steps if spec in results else at.get(spec, 0) for spec in every}
            now = sum(work(spec, steps - began[spec]) for spec, steps in made.items() if spec in began)
            left = sum(work(spec, self.plan.steps - steps) for spec, steps in made.items())
            seconds = (time.monotonic() - start) / now * left if now else None
            total = self.plan.steps * len(every)
            self.progress(Overall(phase, sum(made.values()), total, len(results), latest, seconds))

        return show

    def _notes(self, results: dict[RunSpec, dict[str, Any]]) -> tuple[str, ...]:
        notes = [
            f"{spec.label} diverged at step {result['diverged_at']}: what was measured before is kept"
            for spec, result in results.items()
            if result["diverged_at"] is not None
        ]
        for optimizer in self.plan.optimizers:
            if missing := sorted(set(self.plan.kinds) - set(self.plan.fields_of(optimizer))):
                notes.append(f"{optimizer} has no {' and no '.join(missing)}: left out")
        notes += [
            f"{family}: the best rate, {own['chosen']:g}, is the lowest or highest that was tried, so a better one "
            "may lie beyond; raise tuning.further"
            for family, own in self._tuned.items()
            if own["at_end"]
        ]
        notes += tuning.rule_note(self.plan)
        for family, own in self._tuned.items():
            notes += tuning.transfer_note(family, own["rates"], own.get("largest"))
        if refused := self.study.refusals().height:
            notes.append(f"{refused} fields could not be measured; the study's refusals say why")
        return tuple(notes)

    def _write_results(self, specs: list[RunSpec], results: dict[RunSpec, dict[str, Any]]) -> None:
        plan = self.plan
        runs = [
            {
                "family": spec.family,
                "optimizer": spec.condition.optimizer,
                "schedule": spec.condition.schedule,
                "scale": spec.scale,
                "width": spec.width,
                "run": str(spec.seed),
                "rate": spec.rate,
                **{key: results[spec][key] for key in ("loss", "diverged_at", "seconds", "cpu_seconds")},
            }
            for spec in specs
        ]
        trials = [json.loads(path.read_bytes()) for path in sorted((self.out / "tuning").rglob("finished.json"))]
        left_out = {own: sorted(set(plan.kinds) - set(plan.fields_of(own))) for own in plan.optimizers}
        told = {
            "left_out": {own: kinds for own, kinds in left_out.items() if kinds},
            "cpu_seconds": {
                "tuning": round(sum(own["cpu_seconds"] for own in trials), 1),
                "runs": round(sum(own["cpu_seconds"] for own in runs), 1),
            },
            "runs": runs,
        }
        write_whole(self.out / EXPERIMENT, json.dumps(told, indent=1) + "\n")
