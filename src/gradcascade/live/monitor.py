"""Measures the fields of a model while it trains, in any training loop."""

from __future__ import annotations

import logging
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
from gradcascade.live.fields import FieldMaker, TakenField, live_kind, of_two_moments
from gradcascade.live.measurement import Measurement
from gradcascade.live.measuring import Measurer, Run, Taken
from gradcascade.live.parameters import some_of
from gradcascade.live.synchronisation import Synchronisation
from gradcascade.live.tensors import Tensors, tensors_for
from gradcascade.numbers import whole
from gradcascade.probe.relaxation import Probe
from gradcascade.study.plan import make_plan
from gradcascade.study.study import Study
from gradcascade.tensor_names import ordered

if TYPE_CHECKING:
    from torch import nn

_LOG = logging.getLogger(__name__)

AFTER_BACKWARD, AFTER_UNSCALING, AFTER_STEP = "after backward", "after unscaling", "after step"


class Monitor:
    """Measures a training as it goes, from any loop in PyTorch.

    >>> monitor = gc.Monitor(model, optimizer, every=100)  # doctest: +SKIP
    >>> loss.backward()  # doctest: +SKIP
    >>> monitor.after_backward(step)  # before clipping and before the optimizer's step  # doctest: +SKIP

    Parameters
    ----------
    model : torch.nn.Module
        The model that is being trained, wrapped or not.
    optimizer : torch.optim.Optimizer, optional
        Needed for ``momentum`` and ``direction``.
    every : int
        Steps that are measured: its multiples.
    fields : sequence of str
        Kinds of field: ``"gradient"``, ``"momentum"``, ``"direction"``, ``"update"``.
    nulls : sequence of str
        Nulls that are measured beside every field, such as ``("N0", "N2")``, ``replicates`` of each.
    probe : Probe, optional
        Settings of the measurement.
    patterns : sequence of str, optional
        Which parameters make up the fields, as for :class:`gradcascade.Recorder`; by default all that are trained.
    order : str
        Order of the tensors in a field.
    span : int
        Optimizer steps that an update covers.
    scaler : torch.amp.GradScaler, optional
        Its scale is taken out of gradients that were not unscaled yet.
    study : pathlib.Path or str, optional
        Folder of a study that keeps the measurements, named by ``family``, ``scale`` (by default N) and ``run``.
    on_measurement : callable, optional
        Called with every :class:`Measurement`, in order.
    strict : bool
        Whether an error in measuring ends the training. By default it is logged once and counted.
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
        run: str = "0",
        on_measurement: Callable[[Measurement], object] | None = None,
        strict: bool = False,
        tensors: Tensors | None = None,
    ) -> None:
        self.every, self.span = whole("every", every), whole("span", span)
        if self.every < 1 or not 1 <= self.span <= self.every:
            raise InputError(f"every must be at least 1 and span from 1 to every, got {every} and {span}")
        kinds = [live_kind(name) for name in fields]
        self._now = [kind for kind in kinds if not of_two_moments(kind)]
        self._spanning = [kind for kind in kinds if of_two_moments(kind)]
        self._tensors = tensors or tensors_for(model, optimizer, patterns)
        found = self._tensors.describe()
        double = any(parameter.dtype == "float64" for parameter in found.manifest.parameters if parameter.in_field)
        self._maker = FieldMaker(self._tensors, ordered(found.manifest.field, order), found.shapes, double)
        self._optimizer, self._synchronisation = optimizer, Synchronisation(model)
        self._scaler, self._strict, self._on_measurement = scaler, strict, on_measurement
        self._before: dict[int, Any] = {}
        probe = probe or Probe()
        settings = {name: value for name, value in probe.settings().items() if name != "rule"}
        plan = make_plan(
            {
                "probe": settings,
                "nulls": {"kinds": tuple(nulls), "replicates": replicates},
                "families": ({"name": family, "path": ".", "fields": tuple(fields), "order": order},),
            },
            "the monitor",
        )
        self._run = Run(plan, scale or str(self._maker.n), run, probe, None if study is None else Path(study))
        self._measurer = Measurer(self._run)
        if self._run.study is not None and self._tensors.measures:
            Study.create(self._run.study, plan).close()
        self.last: Measurement | None = None
        """The last measurement."""
        self.measured = 0
        """Steps that were measured."""
        self.skipped: Counter[str] = Counter()
        """Fields that could not be measured because they were not finite, by kind."""
        self.errors: Counter[str] = Counter()
        """Errors in measuring, by what they said."""
        self._said: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters that make up the fields, in order."""
        return self._maker.names

    def due(self, step: int) -> bool:
        """Whether `after_backward` measures at this step."""
        return step % self.every == 0

    def after_backward(
        self, step: int, *, loss_scale: float | None = None, moment: str | None = None
    ) -> Measurement | None:
        """Measure if this step is due; call it at every step, after backward and before clipping.

        ``step`` counts the optimizer steps made so far. ``loss_scale`` is a factor that is still in the gradients,
        and ``moment`` says when this is called if not after backward or unscaling.
        """
        with self._guarded():
            scale, found_moment = self._scale_and_moment()
            scale = scale if loss_scale is None else float(loss_scale)
            return self._measure(step, self._now if self.due(step) else [], scale, moment or found_moment)

    def after_step(self, step: int) -> Measurement | None:
        """Call it after the optimizer's step, for ``update``: the parameters are those after ``step + 1`` steps."""
        with self._guarded():
            return self._measure(step + 1, [], 1.0, AFTER_STEP)

    def _measure(self, step: int, kinds: Sequence[FieldKind], scale: float, moment: str) -> Measurement | None:
        begins, ends = self._spans(step)
        if not (kinds or begins or ends):
            return None
        start = time.perf_counter()
        maker = self._maker
        maker.check(self._tensors.describe())
        taken = Taken(step, moment, [], scale, maker.description)
        for kind in kinds:
            self._take(taken, kind)
        for number, kind in enumerate(self._spanning if ends else ()):
            before = self._before[step - self.span]
            last = number + 1 == len(self._spanning)
            values = maker.update(kind, before if last or before is None else before.copy())
            if values is not None:
                taken.fields.append(TakenField(kind.name, values, self.span))
        self._before = {}
        if begins:
            self._before[step] = maker.parameters()
        found = self._measurer.measure(taken) if taken.fields else None
        return self._deliver(found, time.perf_counter() - start) if found else None

    def _take(self, taken: Taken, kind: FieldKind) -> None:
        if not self._maker.there(kind):
            return  # an optimizer that has made no step has nothing to measure yet
        if self._maker.of_gradients(kind) and not self._synchronisation.averages:
            raise InputError(
                f"the gradients of step {taken.step} are this process's own: the last forward pass ran within "
                "no_sync(); call after_backward after the pass that averages them"
            )
        values, missing = self._maker.field(kind, taken.loss_scale)
        if len(missing) == len(self._maker.names):
            raise InputError(
                f"no parameter has a gradient at step {taken.step}; call after_backward after backward() and before "
                "gradients are cleared (an optimizer that steps within backward() clears them too early)"
            )
        if missing:
            self._say_once(f"missing {kind.name}", f"{some_of(missing)} had no {kind.name} and entered as zeros")
        if values is not None:
            taken.fields.append(TakenField(kind.name, values))

    def _spans(self, step: int) -> tuple[bool, bool]:
        """Whether an update begins and whether one ends at the parameters after so many steps."""
        if not self._spanning:
            return False, False
        begins = self.due(step + self.span) and step not in self._before
        return begins, self.due(step) and step - self.span in self._before

    def _scale_and_moment(self) -> tuple[float, str]:
        """The factor that is in the gradients, and when this is, by the state of the scaler."""
        scaler = self._scaler
        if scaler is None or not scaler.is_enabled():
            return 1.0, AFTER_BACKWARD
        optimizer = getattr(self._optimizer, "optimizer", self._optimizer)
        if scaler._per_optimizer_states[id(optimizer)]["stage"].value:
            return 1.0, AFTER_UNSCALING
        return float(scaler.get_scale()), AFTER_BACKWARD

    def _deliver(self, found: Measurement, seconds: float) -> Measurement | None:
        found = replace(found, waited=seconds)
        self.skipped.update(found.skipped.keys())
        for kind, reason in found.skipped.items():
            self._say_once(f"skipped {kind}", f"the {kind} of step {found.step} is left out: {reason}")
        if not found.fields:
            return None
        self.measured += 1
        self.last = found
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
            self._say_once(kind, f"measuring failed ({error}); training goes on", error)

    def _say_once(self, key: str, sentence: str, error: Exception | None = None) -> None:
        if key not in self._said:
            self._said.add(key)
            _LOG.warning("gradcascade: %s", sentence, exc_info=None if isinstance(error, InputError) else error)

    def close(self) -> None:
        """Close the study, and let go of the model."""
        self._measurer.close()
        self._synchronisation.close()
        self._before.clear()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
