"""Measures a training by the Trainer of transformers."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from gradcascade.live.measurement import Measurement
from gradcascade.live.monitor import Monitor

AFTER_CLIPPING, BEFORE_CLIPPING, BEFORE_STEP = "after clipping", "before clipping", "before the optimizer's step"


class TransportCallback(TrainerCallback):
    """Measures every so many steps; ``trainer.add_callback(TransportCallback(trainer, every=100))``.

    The Trainer's own callback fires after clipping. Given the trainer, gradients are taken before it, where the
    Trainer calls accelerate's ``clip_grad_norm_``; without it (``Trainer(callbacks=[TransportCallback()])``) as they
    are after clipping. The measurement's ``moment`` says which. Clipping by the global norm moves tau, and neither
    size nor duration.

    Parameters
    ----------
    trainer : transformers.Trainer, optional
        Takes every measurement to its log history and all its loggers, under the step measured. Without it they are
        in the log history, under that step too, but its loggers do not get them: a callback cannot reach them, and
        only callbacks that were added after this one see the last of them with the Trainer's next log.
    prefix : str
        Beginning of the names of the logged scalars.
    **options
        Those of :class:`gradcascade.Monitor`.
    """

    def __init__(self, trainer: Any = None, *, prefix: str = "gradcascade", **options: Any) -> None:
        self._trainer, self._prefix, self._options = trainer, prefix, options
        self.monitor: Monitor | None = None
        """The monitor, once training has begun."""
        self._waiting: dict[str, float] = {}
        self._state: Any = None
        self._taken: int | None = None
        self._unwrap: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Make the monitor for the model as it is trained."""
        trainer = self._trainer
        model = kwargs["model"] if trainer is None else trainer.model_wrapped
        scaler = getattr(getattr(trainer, "accelerator", None), "scaler", None)
        options = {"scaler": scaler, **self._options, "on_measurement": self._log}
        self.monitor, self._state, self._taken = Monitor(model, kwargs.get("optimizer"), **options), state, None
        if trainer is None or self._unwrap is not None:
            return
        accelerator, clip = trainer.accelerator, trainer.accelerator.clip_grad_norm_

        def measured(*arguments: Any, **named: Any) -> Any:
            accelerator.unscale_gradients()
            self._measure(state, BEFORE_CLIPPING)
            return clip(*arguments, **named)

        accelerator.clip_grad_norm_ = measured
        self._unwrap = lambda: setattr(accelerator, "clip_grad_norm_", clip)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Measure, if nothing was measured before clipping."""
        self._measure(state, AFTER_CLIPPING if args.max_grad_norm > 0 else BEFORE_STEP)

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Measure updates."""
        if self.monitor is not None:
            self.monitor.after_step(state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Give callbacks that come later the last measurement, if there is no trainer to log it."""
        if logs is not None:
            logs.update(self._waiting)
            self._waiting = {}

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Finish measuring."""
        if self.monitor is not None:
            self.monitor.close()
        if self._unwrap is not None:
            self._unwrap()
            self._unwrap = None

    def _measure(self, state: Any, moment: str) -> None:
        if self.monitor is None or self._taken == state.global_step:
            return
        self._taken = state.global_step
        self.monitor.after_backward(state.global_step, moment=moment)

    def _log(self, found: Measurement) -> None:
        """Called with every measurement, also of those that are finished later or when training ends."""
        scalars = found.scalars(self._prefix)
        if self._trainer is None:
            self._state.log_history.append({**scalars, "step": found.step})
            self._waiting = scalars
        else:
            now, self._state.global_step = self._state.global_step, found.step  # where the Trainer's log reads it
            try:
                self._trainer.log(scalars)
            finally:
                self._state.global_step = now
        if own := self._options.get("on_measurement"):
            own(found)
