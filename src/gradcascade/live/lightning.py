"""Measures a training by the Trainer of Lightning."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback

from gradcascade.live.measurement import Measurement
from gradcascade.live.monitor import Monitor

BEFORE_CLIPPING = "before clipping"


class TransportCallback(Callback):
    """Measures every so many steps: ``Trainer(callbacks=[TransportCallback(every=100)])``.

    At ``on_before_optimizer_step``: gradients are accumulated and unscaled there and not clipped, while
    ``on_after_backward`` fires at every batch of an accumulation and before unscaling. Numbers go to all loggers of
    the trainer under the step measured.

    Parameters
    ----------
    prefix : str
        Beginning of the names of the logged scalars.
    **options
        Those of :class:`gradcascade.Monitor`.
    """

    def __init__(self, *, prefix: str = "gradcascade", **options: Any) -> None:
        self._prefix, self._options = prefix, options
        self.monitor: Monitor | None = None
        """The monitor, once training has begun; closed when it has ended."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Make the monitor for the model as the strategy trains it."""
        own = self._options.get("on_measurement")

        def log(found: Measurement) -> None:
            for logger in trainer.loggers:  # log_dict would show them at the step of the next flush
                logger.log_metrics(found.scalars(self._prefix), step=found.step)
            if own:
                own(found)

        options = {**self._options, "on_measurement": log}
        self.monitor = Monitor(trainer.strategy.model, list(trainer.optimizers), **options)

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Measure gradients and moments."""
        if self.monitor is not None:
            self.monitor.after_backward(trainer.global_step, loss_scale=1.0, moment=BEFORE_CLIPPING)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Measure updates: ``global_step`` counts the step that was just made."""
        if self.monitor is not None and trainer.global_step:
            self.monitor.after_step(trainer.global_step - 1)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Wait for what is measured in the background, while loggers are open."""
        if self.monitor is not None:
            self.monitor.flush()

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Finish measuring."""
        if self.monitor is not None:
            self.monitor.close()
