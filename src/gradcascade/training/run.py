"""One training run: from the first step or from where it stopped, with its records."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gradcascade.errors import InputError
from gradcascade.live.recorder import PICO_PATTERNS, Recorder
from gradcascade.training.config import HELD_OUT, Training, describe
from gradcascade.training.corpus import Corpus
from gradcascade.training.state import SAVE_EVERY_SECONDS, begun, damaged, finish, load_state, save_state

if TYPE_CHECKING:
    import torch

    from gradcascade.training.decoder import Decoder

_RANDOM_STATE = threading.Lock()  # PyTorch has one state for all threads


@dataclass(frozen=True)
class StepReport:
    """How far a run is."""

    scale: str
    """Such as ``d24``, or ``d24, seed 43`` for a further run of it."""
    step: int
    """Optimizer steps made."""
    total: int
    """Optimizer steps of the whole run."""
    loss: float
    """Training loss of the latest batch, in nats per byte."""
    seconds_left: float | None
    """Expected time to the end of this run; None before there is anything to go by."""


def train_run(
    training: Training, corpus: Corpus, folder: Path, on_step: Callable[[StepReport], None] | None = None
) -> None:
    """Make one run, or continue; step t has the parameters after t updates and the unclipped gradient there."""
    import torch

    config, width, scale = training.config, training.width, training.label
    if result := begun(folder, describe(config, width, corpus, training.name)):
        if on_step:
            on_step(StepReport(scale, config.steps, config.steps, result["loss"], 0.0))
        return

    model = new_model(width, config.context, config.seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    recorder = Recorder(folder, model, PICO_PATTERNS)
    first = 0
    if state := load_state(folder):
        with damaged(folder):
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            first = int(state["step"])
    held_out = torch.from_numpy(corpus.evaluation(config.evaluation, config.context))
    recorded = frozenset(config.recorded_steps)
    started = saved = time.monotonic()
    value = math.nan
    for step in range(first, config.steps + 1):
        # Saved before this step's records: whatever the moment of a kill, the records of earlier steps are whole.
        if step > first and (step in recorded or time.monotonic() - saved > SAVE_EVERY_SECONDS):
            save_state(folder, {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()})
            saved = time.monotonic()
        windows = torch.from_numpy(corpus.batch(config.seed, step, config.batch, config.context))
        loss = model.loss(windows)
        value = loss.item()
        if not math.isfinite(value):
            raise InputError(
                f"the loss of {folder.name} is {value} at step {step}; use a learning rate below "
                f"{config.learning_rate:g} and another folder"
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if step in recorded:
            recorder.record_checkpoint(step)
            recorder.record_gradients(step)
            recorder.record_evaluation(step, {HELD_OUT: perplexity(model, held_out, config.batch)})
        if step < config.steps:
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            for group in optimizer.param_groups:
                group["lr"] = config.rate(step)
            optimizer.step()
        if on_step:
            done = step - first
            left = (time.monotonic() - started) / done * (config.steps - step) if done else None
            on_step(StepReport(scale, step, config.steps, value, left))
    seconds = round(time.monotonic() - started, 3)
    finish(folder, {"loss": value, "seconds": seconds, "resumed_at": first})


def new_model(width: int, context: int, seed: int) -> Decoder:
    """A decoder with its first weights, which width and seed decide."""
    import torch

    from gradcascade.training.decoder import Decoder, DecoderShape

    with _RANDOM_STATE, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Decoder(DecoderShape(width, context))


def held_out_loss(model: Decoder, windows: torch.Tensor, batch: int) -> float:
    """Mean cross-entropy in nats per byte of int64 windows (count, context + 1)."""
    import torch

    with torch.no_grad():
        total = sum(model.loss(part).item() * len(part) for part in windows.split(batch))
    return total / len(windows)


def perplexity(model: Decoder, windows: torch.Tensor, batch: int) -> float:
    """Exponential of the mean cross-entropy per byte of int64 windows (count, context + 1); 256 is guessing."""
    mean = held_out_loss(model, windows, batch)
    return math.exp(mean) if mean < 700 else math.inf
