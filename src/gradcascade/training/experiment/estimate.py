"""What an experiment takes: runs, cascades, time by a few steps and fields of every scale here, disk and memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gradcascade.training.corpus import Corpus, read_corpus
from gradcascade.training.experiment.fields import most_kept
from gradcascade.training.experiment.optimizers import OPTIMIZERS
from gradcascade.training.experiment.plan import MEAN_GRADIENT, UPDATE, ExperimentPlan, entries
from gradcascade.training.experiment.tuning import neighbours

_TIMED = 3
"""Steps that are timed, of which the middle one counts."""

_ROW = 400
"""Bytes of a cascade in a store, as measured in the default experiment."""

_MARGIN = 5_000_000

_PROCESS = 680_000_000
"""Bytes of a process with PyTorch and Numba's kernels, without model and fields: 950 MB were measured at d144."""


@dataclass(frozen=True)
class Estimate:
    """What an experiment takes."""

    runs: int
    trials: int
    """Of rates, before the search is extended."""
    steps: int
    """Optimizer steps of all of them."""
    fields: int
    cascades: int
    workers: int
    cpu_seconds: float
    """Of one core, from steps and fields of every scale that were timed in this process."""
    seconds: float
    """With every worker on a core of its own."""
    disk: int
    """Bytes at the peak: the study, and the states of runs under way."""
    memory: int
    """Bytes at the peak, of all workers."""


def estimate(plan: ExperimentPlan, workers: int | None = None) -> Estimate:
    """Time some steps and fields of every scale, and count."""
    from gradcascade.training.family import require_torch

    require_torch()
    corpus = read_corpus(tuple(Path(own) for own in plan.text))
    workers = workers or default_workers()
    drawn = 1 + sum(kind != "N0" for kind in plan.nulls.kinds) * plan.nulls.replicates
    each = len(plan.seeds) * len(plan.schedules)
    fields = trials = 0
    seconds = 0.0
    largest = 0.0
    step_times: dict[int, float] = {}
    for width in plan.widths:
        with _one_thread():
            step, field = _times(plan, width, corpus)
        step_times[width] = step
        for optimizer in plan.optimizers:
            own = _fields_at_a_step(plan, optimizer)
            more = plan.batches - 1 if MEAN_GRADIENT in plan.kinds else 0
            run = step * (plan.steps + 1 + more * len(plan.measured))
            run += len(plan.measured) * (own * drawn * field + _evaluation(plan, step))
            seconds += each * run
            largest = max(largest, run)
            fields += each * own * len(plan.measured)
    for optimizer in plan.optimizers:
        if optimizer not in plan.learning_rates:
            trials += plan.tuning.rates * len(plan.schedules)
    seconds += trials * plan.steps * step_times[plan.widths[0]]
    if plan.tuning.check and len(plan.widths) > 1:
        trials += (more := len(neighbours(plan.tuning, 1.0)) * len(plan.conditions))
        seconds += more * plan.steps * step_times[plan.widths[-1]]
    return Estimate(
        runs=(runs := len(plan.conditions) * len(plan.widths) * len(plan.seeds)),
        trials=trials,
        steps=(runs + trials) * plan.steps,
        fields=fields,
        cascades=fields * variants_of_a_field(plan),
        workers=workers,
        cpu_seconds=seconds,
        seconds=max(seconds / workers, largest),
        disk=disk_bytes(plan, workers),
        memory=workers * _memory(plan),
    )


def default_workers() -> int:
    """A run for each core."""
    from gradcascade.probe.threads import thread_count

    return thread_count()


def disk_bytes(plan: ExperimentPlan, workers: int) -> int:
    """Bytes on disk at the peak: every cascade, and of each run under way the state before and the one written."""
    from gradcascade.training.decoder import DecoderShape

    fields = sum(
        _fields_at_a_step(plan, own.optimizer) * len(plan.measured) * len(plan.widths) * len(plan.seeds)
        for own in plan.conditions
    )
    state = 12 * DecoderShape(plan.widths[-1], plan.context).parameters + _kept(plan)
    return fields * variants_of_a_field(plan) * _ROW + 2 * workers * state + _MARGIN


def variants_of_a_field(plan: ExperimentPlan) -> int:
    """Cascades of a field, with its nulls."""
    return 1 + len(plan.nulls.kinds) * plan.nulls.replicates


def _kept(plan: ExperimentPlan) -> int:
    """Bytes of the parameters that updates begin with, in memory and in a state."""
    spans = plan.spans if UPDATE in plan.kinds else ()
    return 4 * most_kept(plan.measured, spans) * entries(plan.widths[-1])


def _memory(plan: ExperimentPlan) -> int:
    """Bytes of a worker at the largest scale: weights, gradients, two moments, activations, fields, the probe."""
    from gradcascade.training.decoder import BLOCKS, HEADS, VOCABULARY, DecoderShape

    shape = DecoderShape(plan.widths[-1], plan.context)
    tokens = plan.batch * plan.context
    activations = 4 * tokens * (BLOCKS * (30 * shape.width + HEADS * plan.context) + 3 * VOCABULARY)
    return _PROCESS + 16 * shape.parameters + _kept(plan) + activations + 60 * entries(plan.widths[-1])


def told(found: Estimate) -> list[str]:
    """The estimate in sentences."""
    return [
        f"{found.trials} trials of rates at least, {found.runs} runs, {found.steps:,} optimizer steps",
        f"{found.fields:,} fields, {found.cascades:,} cascades with their nulls",
        f"about {found.cpu_seconds / 60:.1f} min of one core, from steps and fields of every scale timed here; "
        f"{found.seconds / 60:.1f} min with {found.workers} at once, each on a core of its own",
        f"{found.disk / 1e6:,.0f} MB of disk at the peak, {found.memory / 1e9:.1f} GB of memory",
    ]


def _fields_at_a_step(plan: ExperimentPlan, optimizer: str) -> int:
    return sum(len(plan.spans) if kind == UPDATE else 1 for kind in plan.fields_of(optimizer))


def _evaluation(plan: ExperimentPlan, step: float) -> float:
    """A pass forward takes about a third of a step."""
    return step / 3 * plan.evaluation / plan.batch


def _times(plan: ExperimentPlan, width: int, corpus: Corpus) -> tuple[float, float]:
    """Seconds of one core for an optimizer step and for the cascade of a field of a scale."""
    import torch

    from gradcascade.study.estimate import cascade_seconds
    from gradcascade.training.run import new_model

    model = new_model(width, plan.context, 0)
    optimizers = OPTIMIZERS[plan.optimizers[0]].make(model, 1e-4, 0.0)
    times = []
    for step in range(_TIMED):
        start = time.thread_time()
        model.zero_grad(set_to_none=True)
        model.loss(torch.from_numpy(corpus.batch(0, step, plan.batch, plan.context))).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
        for own in optimizers:
            own.step()
        times.append(time.thread_time() - start)
    return sorted(times)[_TIMED // 2], cascade_seconds(plan.study(), entries(width))


@contextmanager
def _one_thread() -> Iterator[None]:
    """As workers compute: threads of PyTorch and Numba that wait for each other would be timed too."""
    import numba
    import torch

    from gradcascade.live.worker import use_threads

    before = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(1)
    use_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        use_threads(before[1])
