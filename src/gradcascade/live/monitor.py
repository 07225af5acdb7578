"""Measures the fields of a model while it trains, in any training loop."""

from __future__ import annotations

import logging
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradcascade.errors import InputError
from gradcascade.fields.kinds import FieldKind
from gradcascade.live.arriving import ArrivingGradients
from gradcascade.live.fields import FieldMaker, TakenField, live_kind, of_gradients, of_two_moments
from gradcascade.live.measurement import MeasuredField, Measurement
from gradcascade.live.measuring import LiveRun, Taken
from gradcascade.live.parameters import some_of
from gradcascade.live.recorder import Recorder
from gradcascade.live.same_tensors import keep_tensors
from gradcascade.live.scaling import AFTER_BACKWARD, LossScale, factor_of
from gradcascade.live.sharded import tensors_for
from gradcascade.live.synchronisation import Synchronisation
from gradcascade.live.tensors import Tensors, optimizers_of
from gradcascade.live.worker import Worker
from gradcascade.numbers import whole
from gradcascade.probe.relaxation import Probe
from gradcascade.sources.base import ALONE
from gradcascade.study.plan import Plan, make_plan
from gradcascade.study.study import Study

if TYPE_CHECKING:
    from torch import nn

_LOG = logging.getLogger(__name__)

WITHIN_BACKWARD, AFTER_STEP = "within backward", "after step"


class Monitor:
    """Measures gradients, the optimizer's moments and updates of a model while it trains, in any loop of PyTorch.

    The numbers are those that measuring recorded files gives, bit for bit. Three lines in a loop::

        monitor = gc.Monitor(model, optimizer, every=100)
        for step, batch in enumerate(batches):
            loss(model, batch).backward()
            if found := monitor.after_backward(step):    # before clipping and before the optimizer's step
                logger.log(found.scalars(), step)
            optimizer.step()
            ...

    An error in measuring does not end the training: it is logged once and counted in `errors`.

    Parameters
    ----------
    model : torch.nn.Module
        The model that is being trained; wrappers are taken off the names, and tied parameters count once.
    optimizer : torch.optim.Optimizer or sequence of them, optional
        Needed for ``momentum``, ``direction`` and ``scaler``.
    every : int
        Multiples of it are the steps that are measured.
    fields : sequence of str
        Kinds of field: ``"gradient"``; ``"momentum"`` and ``"direction"`` of the optimizer; ``"update"``, the change
        of the parameters over the last ``span`` steps, for which 4 bytes a parameter are kept that long.
    nulls : sequence of str
        Nulls that are measured beside every field, such as ``("N0", "N2")``, ``replicates`` of each.
    probe : Probe, optional
        Settings of the measurement.
    patterns : sequence of str, optional
        Which parameters make up the fields, as for :class:`gradcascade.Recorder`; by default all that are trained.
        The fields keep to the parameters found now, so that N is the same at every step.
    order : str
        Order of the tensors in a field.
    span : int
        Optimizer steps that an update covers, at most ``every``.
    scaler : torch.amp.GradScaler, optional
        Its scale is taken out of gradients that it has not unscaled yet.
    study : pathlib.Path or str, optional
        Folder of a study that keeps every measurement under the names ``family``, ``scale`` (by default N) and
        ``run``, for `gradcascade fit`, `report`, `view` and `merge`. A training that is resumed continues it.
    record : pathlib.Path or str, optional
        Folder of a run into which gradients, and for updates checkpoints, are written too, as by a Recorder.
    on_measurement : callable, optional
        Called with every :class:`Measurement`, in order and in the thread of the training.
    background : bool
        Measure in a thread of its own, with one thread of the processor unless the probe has another number, while
        training goes on. The copies that are measured take 4 bytes a parameter and kind of field until then. At a
        step that is due, training waits until the last one is measured.
    strict : bool
        Whether an error in measuring ends the training.
    tensors : optional
        Where tensors come from, if not from this process alone.

    Raises
    ------
    InputError
        If there is no such kind of field, null or parameter, this process holds only a part of the model, or the
        study or folder is of other settings.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Any = None,
        *,
        every: int = 100,
        fields: Sequence[str] = ("gradient",),
        nulls: Sequence[str] = (),
        replicates: int = 1,
        probe: Probe | None = None,
        patterns: Sequence[str] | None = None,
        order: str = "canonical",
        span: int = 1,
        scaler: Any = None,
        study: Path | str | None = None,
        family: str = "live",
        scale: str | None = None,
        run: str = ALONE,
        record: Path | str | None = None,
        on_measurement: Callable[[Measurement], object] | None = None,
        background: bool = False,
        strict: bool = False,
        tensors: Tensors | None = None,
    ) -> None:
        self.every, self.span = whole("every", every), whole("span", span)
        if self.every < 1 or not 1 <= self.span <= self.every:
            raise InputError(f"every must be at least 1, and span from 1 to every, got {every} and {span}")
        kinds = [live_kind(name) for name in dict.fromkeys([fields] if isinstance(fields, str) else fields)]
        self._kinds = [kind for kind in kinds if not of_two_moments(kind)]
        self._spanning = [kind for kind in kinds if of_two_moments(kind)]
        self._tensors = tensors or tensors_for(model, optimizer, patterns)
        now = self._tensors.describe()
        self._maker = FieldMaker(self._tensors, now.description(order))
        self._scale = LossScale(scaler, optimizers_of(optimizer))
        self._synchronisation = Synchronisation(model)
        self._recorder = None if record is None else Recorder(record, model, patterns)
        self._on_measurement, self._strict = on_measurement, strict
        self._before: dict[int, Any] = {}
        probe = probe or Probe()
        if background and probe.threads is None:
            probe = replace(probe, threads=1)
        named = {"name": family, "fields": tuple(kind.name for kind in kinds), "order": order}
        plan = _plan(probe, tuple(nulls), replicates, {**named, "path": _place(study, record)})
        scale = scale or (str(self._maker.n) if record is None else Path(record).resolve().name)
        own_study = None if study is None or not self._tensors.measures else Path(study)
        if own_study is not None:
            Study.create(own_study, plan).close()
            keep_tensors(own_study, family, scale, run, self._maker.description)
        self._worker = Worker(LiveRun(plan, scale, run, probe, own_study), background=background)
        self.last: Measurement | None = None
        """The last measurement."""
        self.measured = 0
        """Number of measurements so far."""
        self.skipped: Counter[str] = Counter()
        """Fields that could not be measured, such as those with infinite entries, by kind."""
        self.errors: Counter[str] = Counter()
        """Errors in measuring by what they said, with ``#`` for numbers."""
        self._last: dict[str, MeasuredField] = {}
        self._step: int | None = None
        self._said: set[str] = set()
        self._closed = False
        self._process = os.getpid()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters that make up the fields, in order."""
        return self._maker.names

    @property
    def n(self) -> int:
        """Number of entries of every field."""
        return self._maker.n

    def due(self, step: int) -> bool:
        """Whether `after_backward` measures at this step."""
        return step % self.every == 0

    def after_backward(
        self, step: int, *, loss_scale: float | None = None, moment: str | None = None
    ) -> Measurement | None:
        """Measure if this step is due; to be called at every step, when gradients are complete and before clipping.

        ``step`` counts the optimizer steps made so far. With gradients accumulated over several batches, call it
        after the last. ``loss_scale`` is a factor that is still in the gradients, if no scaler was given, and
        ``moment`` says in which moment this is called, if it is another than after backward or unscaling.

        Returns
        -------
        Measurement or None
            What was measured, if anything was. In the background, the last that is finished since the last call.
        """
        with self._guarded():
            due = self._kinds if self.due(step) else []
            scale, found = self._scale.now() if due else (1.0, AFTER_BACKWARD)
            scale = scale if loss_scale is None else factor_of(loss_scale)
            return self._measure(step, due, scale, moment or found)

    def after_step(self, step: int) -> Measurement | None:
        """Measure updates that end with the optimizer's step of this step, so that they need not wait for the next.

        Only for ``update``: to be called after ``optimizer.step()``, where the parameters are those after
        ``step + 1`` steps. Without it, an update is measured by the next `after_backward`.
        """
        with self._guarded():
            return self._measure(step + 1, [], 1.0, AFTER_STEP)

    @contextmanager
    def within_backward(self, step: int, *, loss_scale: float = 1.0) -> Iterator[None]:
        """Measure gradients as they arrive, for optimizers that step within backward and clear them.

        In place of `after_backward`: ``with monitor.within_backward(step): loss.backward()``. The hooks are there
        within this block alone, and the result is `last`. Gradients that are averaged over processes later are
        refused.
        """
        arriving = None
        with self._guarded():
            arriving = self._arriving(step, factor_of(loss_scale))
        try:
            yield
        finally:
            if arriving is not None:
                arriving[1].remove()
        with self._guarded():
            if arriving is not None:
                taken, hooks = arriving
                for kind, values, missing in hooks.fields(taken.loss_scale):
                    self._say_missing(kind, missing, step)
                    if self._recorder:
                        self._recorder.write_gradients(step, self._maker.parts(values, missing))
                    taken.fields.append(TakenField(kind.name, values))
                self._put(taken)

    def flush(self) -> None:
        """Wait until everything taken is measured and delivered."""
        with self._guarded():
            self._finished(wait=True)

    def close(self) -> None:
        """Finish what is being measured, close the study, and let go of the hooks and of what updates keep."""
        if self._closed or os.getpid() != self._process:
            return
        self.flush()
        self._closed = True
        self._before.clear()
        self._synchronisation.close()
        with self._guarded():
            self._worker.close()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _measure(self, step: int, kinds: Sequence[FieldKind], scale: float, moment: str) -> Measurement | None:
        begins, ends = self._spans(step)
        due = bool(kinds) or begins or ends
        earlier = self._finished(wait=due)  # before more is taken, so that the copies of one step are held at most
        if not due:
            return earlier
        taken = self._begin(step, scale, moment, begins, ends)
        if kinds and step == self._step:
            self._say_once(
                "again",
                f"step {step} was measured before; with gradients accumulated over batches, call after_backward "
                "after the last of them (the last measurement counts)",
            )
        self._step = step if kinds else self._step
        for kind in kinds:
            with self._guarded():
                taken.fields += self._take(taken, kind)
        return self._put(taken) or earlier

    def _finished(self, *, wait: bool) -> Measurement | None:
        """Deliver what is measured by now; what went wrong there does not keep the next from being measured."""
        if self._closed:
            raise InputError("the monitor is closed; make another")
        with self._guarded():
            return self._deliver(self._worker.finished(wait=wait))

    def _spans(self, step: int) -> tuple[bool, bool]:
        """Whether an update begins, and whether one ends, at the parameters after so many steps."""
        begins = bool(self._spanning) and self.due(step + self.span) and step not in self._before
        return begins, bool(self._spanning) and self.due(step) and step - self.span in self._before

    def _begin(self, step: int, scale: float, moment: str, begins: bool, ends: bool) -> Taken:
        """Begin to take what is measured at this step, with its updates."""
        taken = Taken(step, moment, scale, self._maker.description, [], time.perf_counter())
        if later := self._maker.check(self._tensors.describe()):
            self._say_once(f"later {later}", f"{some_of(later)} are trained since and stay out of the fields")
        if self._recorder and (begins or ends):
            self._recorder.record_checkpoint(step)
        before = self._before.pop(step - self.span) if ends else None
        for number, kind in enumerate(self._spanning if ends else ()):
            own = before if before is None or number + 1 == len(self._spanning) else before.copy()
            values = self._maker.update(kind, own)
            if values is not None:
                taken.fields.append(TakenField(kind.name, values, self.span))
        if begins or ends:
            self._before = {step: self._maker.parameters()} if begins else {}
        return taken

    def _take(self, taken: Taken, kind: FieldKind) -> list[TakenField]:
        if not of_gradients(kind) and not self._tensors.state_keys():
            return []  # an optimizer that has made no step has nothing to measure yet
        if of_gradients(kind):
            self._refuse_own(taken.step)
        values, missing = self._maker.field(kind, taken.loss_scale)
        if self._recorder and of_gradients(kind):  # on all processes, so before one of them may complain
            self._recorder.record_gradients(taken.step, loss_scale=taken.loss_scale)
        self._say_missing(kind, missing, taken.step)
        return [] if values is None else [TakenField(kind.name, values)]

    def _refuse_own(self, step: int) -> None:
        if not self._synchronisation.averages:
            raise InputError(
                f"the gradients of step {step} are this process's own: the last forward pass ran within no_sync(); "
                "call after_backward after the pass that averages them"
            )

    def _say_missing(self, kind: FieldKind, missing: Sequence[str], step: int) -> None:
        if len(missing) == len(self.names):
            raise InputError(
                f"no parameter has a {kind.name} at step {step}; call after_backward after backward() and before "
                "gradients are cleared (for an optimizer that steps within backward(), use within_backward)"
            )
        if missing:
            self._say_once(
                f"missing {kind.name}", f"{some_of(missing)} had no {kind.name} at step {step} and entered as zeros"
            )

    def _arriving(self, step: int, scale: float) -> tuple[Taken, ArrivingGradients] | None:
        """Take what is there before backward, and wait for gradients."""
        kinds = self._kinds if self.due(step) else []
        begins, ends = self._spans(step)
        due = bool(kinds) or begins or ends
        self._finished(wait=due)
        if not due:
            return None
        taken = self._begin(step, scale, WITHIN_BACKWARD, begins, ends)
        for kind in kinds:
            if not of_gradients(kind):
                with self._guarded():
                    taken.fields += self._take(taken, kind)
        return taken, ArrivingGradients(self._maker, [kind for kind in kinds if of_gradients(kind)])

    def _put(self, taken: Taken) -> Measurement | None:
        """Have what was taken measured; gives what is measured by now."""
        if taken.fields:
            self._worker.put(taken)
        return self._finished(wait=False)

    def _deliver(self, found: Measurement | None) -> Measurement | None:
        if found is None:
            return None
        self.skipped.update(found.skipped.keys())
        for kind, reason in found.skipped.items():
            self._say_once(f"skipped {kind}", f"the {kind} of step {found.step} is left out: {reason}")
        if not found.fields:
            return None
        for kind, own in found.fields.items():
            if not own.size:
                self._say_once(f"zero {kind}", f"the {kind} of step {found.step} is zero everywhere")
            elif of_gradients(live_kind(kind)) and kind in self._last and own.same_as(self._last[kind]):
                self._say_once(f"same {kind}", f"the {kind} of step {found.step} is the last one again")
        self._last.update(found.fields)
        self.last = found
        self.measured += 1
        if self._on_measurement:
            self._on_measurement(found)
        return found

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Log and count what goes wrong in measuring, so that training goes on; raise it if strict."""
        try:
            yield
        except Exception as error:
            if self._strict:
                raise
            kind = f"{type(error).__name__}: {re.sub('[0-9]+', '#', str(error))}"
            self.errors[kind] += 1
            self._say_once(kind, f"measuring failed, and training goes on: {error}", error)

    def _say_once(self, key: str, sentence: str, error: Exception | None = None) -> None:
        if key not in self._said:
            self._said.add(key)
            _LOG.warning("gradcascade: %s", sentence, exc_info=None if isinstance(error, InputError) else error)


def _place(study: Path | str | None, record: Path | str | None) -> str:
    """Where the family's files lie, as seen from the study; those of a family that was only measured lie nowhere."""
    if record is None or study is None:
        return "."
    return os.path.relpath(Path(record).resolve().parent, Path(study).resolve())


def _plan(probe: Probe, nulls: tuple[str, ...], replicates: int, family: dict[str, Any]) -> Plan:
    settings = {name: value for name, value in probe.settings().items() if name != "rule"}
    data = {"probe": settings, "nulls": {"kinds": nulls, "replicates": replicates}, "families": (family,)}
    return make_plan(data, "the monitor")
