"""The nano family: decoders of Pico's shape and several widths, trained on the same batches and recorded."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gradcascade.errors import InputError
from gradcascade.training.corpus import Corpus, load_corpus
from gradcascade.training.recorder import Recorder, replace_file

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from gradcascade.training.decoder import Decoder

FAMILY = "nano"
CONFIG_FILE = "training_config.yaml"
STATE_FILE = "training_state.pt"
METRIC = "perplexity"


class FamilyConfig(BaseModel):
    """How a family is trained and recorded.

    Attributes
    ----------
    widths : tuple of int
        d_model of each scale, multiples of 24; the recorded field has N = 64 d_model^2 entries.
    steps : int
        Optimizer steps.
    record_every : int
        Steps between two records; step 0 and the last step are recorded too.
    batch, context : int
        Windows of a batch, and tokens of a window.
    learning_rate : float
        Peak of the schedule: linear warm-up, then a cosine to a tenth of the peak.
    warmup : int
        Steps of warm-up.
    weight_decay, clip : float
        Of AdamW, and the largest norm of the whole gradient.
    held_out : int
        Windows of held-out text in every evaluation.
    seed : int
        Seed of the initial weights and of the batches.
    text : tuple of pathlib.Path
        Text files of one's own; none means the standard library's sources.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    widths: tuple[int, ...] = (24, 48, 96, 192)
    steps: int = Field(default=200, ge=1)
    record_every: int = Field(default=20, ge=1)
    batch: int = Field(default=8, ge=1)
    context: int = Field(default=128, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    warmup: int = Field(default=20, ge=0)
    weight_decay: float = Field(default=0.1, ge=0)
    clip: float = Field(default=1.0, gt=0)
    held_out: int = Field(default=32, ge=1)
    seed: int = Field(default=42, ge=0)
    text: tuple[Path, ...] = ()

    @classmethod
    def make(cls, **settings: Any) -> FamilyConfig:
        """Make a configuration, with an :class:`InputError` for what is out of range."""
        try:
            return cls(**settings)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(f"{where}: {first['msg']} (got {first['input']!r})") from None

    @classmethod
    def quick(cls) -> FamilyConfig:
        """A family that is trained in seconds, to try the whole way out."""
        return cls(widths=(24, 48, 96), steps=40, record_every=10, batch=4, context=64, warmup=10, held_out=8)

    def recorded_steps(self) -> list[int]:
        """Steps that are recorded, ascending."""
        return sorted({*range(0, self.steps, self.record_every), self.steps})

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * progress)))


@dataclass(frozen=True)
class StepReport:
    """Where training is.

    Attributes
    ----------
    scale : str
        The model, such as ``d24``.
    step, total : int
        Steps done, and to do in all.
    loss : float
        Cross-entropy of the last batch, in nats per byte.
    """

    scale: str
    step: int
    total: int
    loss: float


def train_family(
    config: FamilyConfig, out: str | Path, on_step: Callable[[StepReport], None] | None = None
) -> list[Path]:
    """Train every scale in turn and record it; an interrupted training continues where it stopped.

    Parameters
    ----------
    config : FamilyConfig
        What to train.
    out : str or pathlib.Path
        Folder; the runs are written to ``out/runs/nano-d<width>``.
    on_step : callable, optional
        Called with a :class:`StepReport` after every step.

    Returns
    -------
    list of pathlib.Path
        Folders of the runs.

    Raises
    ------
    InputError
        If torch is not installed, the text is too short, a width does not fit, or a run is there that was trained
        with other settings.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # Numba and torch threads would spin against each other
    try:
        from gradcascade.training.decoder import DecoderShape
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise InputError("training needs torch; install it with `pip install 'gradcascade[train]'`") from None
    shapes = [DecoderShape(width, config.context) for width in config.widths]
    corpus = load_corpus(config.text, config.context)
    folders = [Path(out) / "runs" / f"{FAMILY}-d{shape.width}" for shape in shapes]
    descriptions = [_description(config, shape.width, corpus) for shape in shapes]
    for folder, description in zip(folders, descriptions, strict=True):
        _check_same(folder / CONFIG_FILE, description)
    for shape, folder, description in zip(shapes, folders, descriptions, strict=True):
        replace_file(folder / CONFIG_FILE, lambda path, text=description: path.write_text(text, encoding="utf-8"))
        if not _finished(folder, config):
            _train(shape, config, corpus, folder, on_step)
    return folders


def _finished(folder: Path, config: FamilyConfig) -> bool:
    return (folder / "eval_results" / f"step_{config.steps}.json").exists() and not (folder / STATE_FILE).exists()


def _train(
    shape: Any, config: FamilyConfig, corpus: Corpus, folder: Path, on_step: Callable[[StepReport], None] | None
) -> None:
    import torch

    from gradcascade.training.decoder import Decoder

    torch.manual_seed(config.seed)
    model = Decoder(shape)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=(0.9, 0.95), weight_decay=config.weight_decay
    )
    start = _load_state(folder / STATE_FILE, model, optimizer)
    recorder = Recorder(folder, model)
    records = set(config.recorded_steps())
    unseen = torch.from_numpy(corpus.held_out_batch(config.held_out, config.context))
    for step in range(start, config.steps + 1):
        if step in records and step > start:
            _save_state(folder / STATE_FILE, model, optimizer, step)
        optimizer.zero_grad(set_to_none=True)
        loss = model.loss(torch.from_numpy(corpus.batch(config.seed, step, config.batch, config.context)))
        loss.backward()
        if step in records:
            recorder.record_gradients(step)
            recorder.record_checkpoint(step)
            recorder.record_evaluation(step, {METRIC: perplexity(model, unseen, config.batch)})
        if on_step:
            on_step(StepReport(f"d{shape.width}", step, config.steps, loss.item()))
        if step == config.steps:
            break
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        for group in optimizer.param_groups:
            group["lr"] = config.rate(step)
        optimizer.step()
    (folder / STATE_FILE).unlink(missing_ok=True)


def perplexity(model: Decoder, windows: Any, batch: int) -> float:
    """Exponential of the mean cross-entropy per byte.

    Parameters
    ----------
    model : Decoder
        The model.
    windows : torch.Tensor
        int64, shape (count, time + 1).
    batch : int
        Windows that are read at once.

    Returns
    -------
    float
    """
    import torch

    with torch.no_grad():
        total = sum(model.loss(part).item() * len(part) for part in windows.split(batch))
    return math.exp(total / len(windows))


def _save_state(path: Path, model: Decoder, optimizer: Optimizer, step: int) -> None:
    import torch

    state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
    replace_file(path, lambda scratch: torch.save(state, scratch))


def _load_state(path: Path, model: Decoder, optimizer: Optimizer) -> int:
    """Continue from a saved state: the step it was saved before, or 0."""
    import torch

    if not path.exists():
        return 0
    try:
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])
    except Exception as error:  # torch raises many kinds; all mean that the file is not a state of this run
        raise InputError(
            f"{path} is no state of this training ({type(error).__name__}); remove it to begin anew"
        ) from None


def _description(config: FamilyConfig, width: int, corpus: Corpus) -> str:
    """Settings of one run as YAML, in the sections of Pico's own ``training_config.yaml``."""
    lines = [
        "model:",
        "  model_type: pico_decoder",
        f"  d_model: {width}",
        "  n_layers: 12",
        "  vocab_size: 256",
        f"  max_seq_len: {config.context}",
        "  attention_n_heads: 12",
        "  attention_n_kv_heads: 4",
        f"  activation_hidden_dim: {4 * width}",
        "training:",
        "  optimization:",
        "    optimizer: adamw",
        f"    lr: {config.learning_rate}",
        "    lr_scheduler: cosine_to_a_tenth",
        f"    lr_warmup_steps: {config.warmup}",
        f"    weight_decay: {config.weight_decay}",
        f"    gradient_clipping: {config.clip}",
        f"  max_steps: {config.steps}",
        f"  batch_size: {config.batch}",
        f"  seed: {config.seed}",
        "checkpointing:",
        f"  save_every_n_steps: {config.record_every}",
        "evaluation:",
        f"  held_out_windows: {config.held_out}",
        "data:",
        f"  text: {_quoted(corpus.name)}",
        f"  content_hash: {_quoted(corpus.content_hash)}",
        f"  training_bytes: {len(corpus.training)}",
        f"  held_out_bytes: {len(corpus.held_out)}",
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    import json

    return json.dumps(text)  # a JSON string is a YAML string


def _check_same(path: Path, description: str) -> None:
    if not path.exists():
        return
    there, asked = path.read_text(encoding="utf-8").splitlines(), description.splitlines()
    if there == asked:
        return
    pairs = zip(there, asked, strict=False)
    old, new = next(((a, b) for a, b in pairs if a != b), ("another number of settings", "these"))
    raise InputError(
        f"{path.parent} was trained with `{old.strip()}`, not `{new.strip()}`; "
        "repeat its settings to continue it, or give --out another folder"
    )
