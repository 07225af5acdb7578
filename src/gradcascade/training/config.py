"""What to train: the settings of a nano family, and how they are written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gradcascade.errors import InputError
from gradcascade.live.recorder import PICO_PATTERNS
from gradcascade.numbers import check_least, check_positive
from gradcascade.training.corpus import Corpus

FAMILY = "nano"
HELD_OUT = "perplexity"
"""Key of the held-out perplexity in ``eval_results``, the name of the metric."""


@dataclass(frozen=True)
class FamilyConfig:
    """Settings of a family; every scale is trained with the same ones, and runs of one seed on the same batches."""

    widths: tuple[int, ...] = (24, 48, 96, 192)
    """d_model of each scale, multiples of 24, ascending."""
    steps: int = 200
    record_every: int = 20
    """Optimizer steps between records; the first and the last are recorded too."""
    batch: int = 16
    context: int = 64
    """Bytes to predict in a sequence."""
    learning_rate: float = 2e-3
    """Peak rate of AdamW; constant after the linear warm-up."""
    warmup: int = 20
    clip: float = 1.0
    """Largest norm of the whole gradient. Records hold the gradient before clipping."""
    weight_decay: float = 0.01
    seed: int = 42
    evaluation: int = 64
    """Held-out sequences that perplexity is measured on."""
    threads: int = 1
    """CPU threads of each run; results agree bit for bit only for equal numbers."""
    text: tuple[Path, ...] = ()
    """Files to learn from; none means the sources of Python's standard library."""
    runs: tuple[int, ...] = ()
    """Trainings of each scale, by width; none means one of each. Further ones have the next seeds."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))
        object.__setattr__(self, "runs", tuple(self.runs) or (1,) * len(self.widths))
        object.__setattr__(self, "text", tuple(Path(path) for path in self.text))
        if not self.widths or list(self.widths) != sorted(set(self.widths)):
            raise InputError(f"widths must be different and ascending, got {list(self.widths)}; try 24, 48, 96, 192")
        for width in self.widths:
            if width < 24 or width % 24:
                raise InputError(f"model width {width} is not a multiple of 24; choose such as 24, 48, 96 or 192")
        if len(self.runs) != len(self.widths) or min(self.runs) < 1:
            raise InputError(
                f"runs must be one number of at least 1 for each of the {len(self.widths)} widths, got "
                f"{', '.join(map(str, self.runs))}"
            )
        check_least(self, {"steps": 1, "record_every": 1, "batch": 1, "context": 2, "evaluation": 1, "threads": 1})
        for name in ("warmup", "seed", "weight_decay"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} must not be negative, got {getattr(self, name)}")
        check_positive(self, "learning_rate", "clip")

    @classmethod
    def quick(cls, text: tuple[Path, ...] = ()) -> FamilyConfig:
        """Three small scales and few steps: a test of the whole way in seconds, not a measurement."""
        return cls((24, 48, 96), steps=40, record_every=8, batch=8, context=32, warmup=8, evaluation=32, text=text)

    @classmethod
    def demo(cls, runs: int = 3) -> FamilyConfig:
        """Six scales; the smallest have most runs, since a run's time grows with the square of its width."""
        fewer = max(1, runs - 1)
        return cls((24, 48, 72, 96, 144, 192), runs=(runs, runs, fewer, fewer, 1, 1))

    @property
    def trainings(self) -> tuple[Training, ...]:
        """Every run, by width and then by seed."""
        return tuple(
            Training(width, run_name(width, self.seed + more if more else None), replace(self, seed=self.seed + more))
            for width, count in zip(self.widths, self.runs, strict=True)
            for more in range(count)
        )

    @property
    def recorded_steps(self) -> tuple[int, ...]:
        """Steps at which gradient, checkpoint and perplexity are recorded, ascending."""
        return (*range(0, self.steps, self.record_every), self.steps)

    def rate(self, step: int) -> float:
        """Learning rate of the update that follows ``step`` updates."""
        return self.learning_rate * min(1.0, (step + 1) / self.warmup) if self.warmup else self.learning_rate


@dataclass(frozen=True)
class Training:
    """One run: its width, the name of its folder, and the settings with its seed."""

    width: int
    name: str
    config: FamilyConfig

    @property
    def label(self) -> str:
        """Such as ``d24``, or ``d24, seed 43`` for a further run of the scale."""
        return self.name.removeprefix(f"{FAMILY}-").replace("-seed", ", seed ")


def describe(config: FamilyConfig, width: int, corpus: Corpus, name: str | None = None) -> dict[str, Any]:
    """Everything that determines a run, under the names of Pico's ``training_config.yaml`` where it has one."""
    from gradcascade.training import decoder

    return {
        "model": {
            "model_type": "pico_decoder",
            "d_model": width,
            "n_layers": decoder.BLOCKS,
            "vocab_size": decoder.VOCABULARY,
            "max_seq_len": config.context,
            "attention_n_heads": decoder.HEADS,
            "attention_n_kv_heads": decoder.KV_HEADS,
            "activation_hidden_dim": 4 * width,
            "norm_eps": decoder.NORM_EPS,
            "position_emb_theta": decoder.ROPE_THETA,
        },
        "data": {
            "dataset": {"name": corpus.name, "sha256": corpus.sha256, "bytes": len(corpus.training)},
            "dataloader": {"batch_size": config.batch},
            "tokenizer": {"name": "bytes", "vocab_size": decoder.VOCABULARY},
        },
        "training": {
            "fabric": {"accelerator": "cpu", "precision": "32-true", "threads": config.threads},
            "optimization": {
                "optimizer": "adamw",
                "lr": config.learning_rate,
                "lr_scheduler": "constant_with_warmup",
                "lr_warmup_steps": config.warmup,
                "weight_decay": config.weight_decay,
                "gradient_clip_norm": config.clip,
                "gradient_accumulation_steps": 1,
            },
            "max_steps": config.steps,
            "seed": config.seed,
        },
        "evaluation": {"metrics": [HELD_OUT], "sequences": config.evaluation, "bytes": len(corpus.held_out)},
        "checkpointing": {
            "run_name": name or run_name(width),
            "save_every_n_steps": config.record_every,
            "learning_dynamics": {"layer_suffixes": [pattern.split("*.")[1] for pattern in PICO_PATTERNS]},
        },
    }


def run_name(width: int, seed: int | None = None) -> str:
    """Folder name of a run: ``nano-d24`` for the first one of a scale, ``nano-d24-seed43`` for a further one."""
    return f"{FAMILY}-d{width}" + ("" if seed is None else f"-seed{seed}")


def first_difference(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = ""
) -> tuple[str, object, object] | None:
    """First setting in which two descriptions differ: dotted name, old and new value; None if none does."""
    for key in [*new, *(key for key in old if key not in new)]:
        was, now = old.get(key), new.get(key)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            if inner := first_difference(was, now, f"{prefix}{key}."):
                return inner
        elif was != now:
            return f"{prefix}{key}", was, now
    return None
