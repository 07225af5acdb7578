"""One training run: from the first step or from where it stopped, with its records."""

from __future__ import annotations

import json
import math
import platform
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradcascade.errors import InputError
from gradcascade.files import staged, sweep
from gradcascade.live.recorder import PICO_PATTERNS, Recorder
from gradcascade.training.config import HELD_OUT, Training, describe, first_difference
from gradcascade.training.corpus import Corpus

if TYPE_CHECKING:
    import torch

    from gradcascade.training.decoder import Decoder

_RANDOM_STATE = threading.Lock()  # PyTorch has one state for all threads

SAVE_EVERY_SECONDS = 60.0
"""A run that records rarely saves where it is at least this often."""


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

    from gradcascade.training.decoder import Decoder, DecoderShape

    config, width, scale = training.config, training.width, training.label
    claim(folder, describe(config, width, corpus, training.name))
    finished = folder / "finished.json"
    if finished.exists():
        if on_step:
            on_step(StepReport(scale, config.steps, config.steps, json.loads(finished.read_bytes())["loss"], 0.0))
        return

    with _RANDOM_STATE, torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = Decoder(DecoderShape(width, config.context))
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    recorder = Recorder(folder, model, PICO_PATTERNS)
    first = _restore(folder, model, optimizer)
    held_out = torch.from_numpy(corpus.evaluation(config.evaluation, config.context))
    recorded = frozenset(config.recorded_steps)
    started = saved = time.monotonic()
    value = math.nan
    for step in range(first, config.steps + 1):
        # Saved before this step's records: whatever the moment of a kill, the records of earlier steps are whole.
        if step > first and (step in recorded or time.monotonic() - saved > SAVE_EVERY_SECONDS):
            _save(folder, step, model, optimizer)
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
    _finish(finished, {"loss": value, "seconds": round(time.monotonic() - started, 3), "resumed_at": first})


def perplexity(model: Decoder, windows: torch.Tensor, batch: int) -> float:
    """Exponential of the mean cross-entropy per byte of int64 windows (count, context + 1); 256 is guessing."""
    import torch

    with torch.no_grad():
        total = sum(model.loss(part).item() * len(part) for part in windows.split(batch))
    mean = total / len(windows)
    return math.exp(mean) if mean < 700 else math.inf


def claim(folder: Path, description: Mapping[str, Any]) -> None:
    """Make a run's folder and write its ``training_config.yaml``, or check that it is this run's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}); choose a folder where you may write") from None
    sweep(folder)
    import yaml

    path = folder / "training_config.yaml"
    if not path.exists():
        if any(folder.iterdir()):
            raise InputError(f"{folder} holds something other than a run; choose another folder or empty it")
        with staged(path, folder) as target:
            target.write_text(yaml.safe_dump(dict(description), sort_keys=False), encoding="utf-8")
        return
    try:
        old = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        old = None
    if not isinstance(old, dict):
        raise InputError(f"{path} is damaged; choose another folder or delete {folder}")
    if difference := first_difference(old, description):
        name, was, now = difference
        raise InputError(
            f"{folder} was trained with {name} = {was}, now {now} is asked for; choose another folder or delete it"
        )


def _save(folder: Path, step: int, model: Decoder, optimizer: torch.optim.Optimizer) -> None:
    import torch

    state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
    with staged(folder / "resume.pt", folder) as target:
        torch.save(state, target)


def _restore(folder: Path, model: Decoder, optimizer: torch.optim.Optimizer) -> int:
    """Load where the run stopped; the step to continue with, 0 if there is nothing to load."""
    import torch

    path = folder / "resume.pt"
    if not path.exists():
        return 0
    try:
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except Exception as error:  # torch raises many kinds for a damaged file
        raise InputError(
            f"{path} is damaged ({type(error).__name__}); delete it to train {folder.name} again"
        ) from None
    return int(state["step"])


def _finish(path: Path, content: Mapping[str, Any]) -> None:
    import torch

    machine = {"torch": torch.__version__, "python": platform.python_version()}
    with staged(path, path.parent) as target:
        target.write_text(json.dumps({**content, **machine}, indent=1), encoding="utf-8")
    (path.parent / "resume.pt").unlink(missing_ok=True)
