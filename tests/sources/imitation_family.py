"""Imitation families for the audit: small models whose weights walk at random while the learning rate decays."""

import json
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sample_runs import save_pt, save_safetensors

Tensors = dict[str, np.ndarray]

STEPS = (0, 1, 2, 4, 8, 16, 100, 200, 300, 400, 500, 600, 700, 800)
"""Powers of two, then a grid, as Pythia's; 14 checkpoints."""

WIDTHS = (8, 12, 16)


def weights(rng: np.random.Generator, width: int) -> Tensors:
    """A transformer of two blocks at its start: matrices of deviation 0.02, gains of one, biases of zero."""
    found: Tensors = {"embed.weight": rng.normal(0, 0.02, (160, width))}
    for block in range(2):
        for name, shape in {"attention": (4 * width, 4 * width), "mlp": (4 * width, 8 * width)}.items():
            found[f"layers.{block}.{name}.weight"] = rng.normal(0, 0.02, shape)
            found[f"layers.{block}.{name}.bias"] = np.zeros(shape[0])
        found[f"layers.{block}.norm.weight"] = np.ones(width)
    found["head.weight"] = rng.normal(0, 0.02, (160, width))
    return found


def learning_rate(step: float, last: float, warmup: float = 50.0) -> float:
    """A cosine to a tenth, after warm-up from two fifths; in units of its peak."""
    if step < warmup:
        return 0.4 + 0.6 * step / warmup
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - warmup) / max(last - warmup, 1)))


def training(
    seed: int, width: int, steps: Sequence[int] = STEPS, *, drift: float = 0.5, pull: float = 0.0, peak: float = 4e-4
) -> dict[int, Tensors]:
    """Weights at every step of a run.

    Between two checkpoints every entry moves by its own drift (a share `drift` of a step's motion, always in the
    same direction), by noise that grows with the root of the time, and back towards where it started by `pull` per
    unit of learning rate and step. With a pull it comes to rest `peak * drift / (20 * pull)` from its start and
    fluctuates there; without one it walks on.
    """
    rng = np.random.default_rng(seed)
    now = weights(rng, width)
    start = {name: values.copy() for name, values in now.items()}
    slope = {name: rng.normal(0, 1, values.shape) for name, values in now.items()}
    found = {}
    for number, step in enumerate(steps):
        if number:
            rates = np.array([learning_rate(s, steps[-1]) for s in range(steps[number - 1], step)])
            left = np.exp(-pull * (rates.sum() - np.cumsum(rates)))  # of the motion of each training step
            along, across = peak * drift * (rates * left).sum() / 20, peak * math.sqrt(((rates * left) ** 2).sum())
            keep = math.exp(-pull * rates.sum())
            for name, values in now.items():
                noise = across * rng.normal(0, 1, values.shape)
                now[name] = start[name] + keep * (values - start[name]) + along * slope[name] + noise
        found[step] = {name: values.copy() for name, values in now.items()}
    return found


def write_checkpoint(tensors: Tensors, folder: Path, kind: str = "safetensors", dtype: str = "float16") -> None:
    """As one safetensors file, or as two shards of pickles with an index, in half precision by default."""
    stored = {name: values.astype(dtype) for name, values in tensors.items()}
    if kind == "safetensors":
        save_safetensors(stored, folder / "model.safetensors")
        return
    names = list(stored)
    halves = (names[: len(names) // 2], names[len(names) // 2 :])
    shard_of = {}
    for number, half in enumerate(halves, 1):
        file = f"pytorch_model-{number:05}-of-00002.bin"
        save_pt({name: stored[name] for name in half}, folder / file)
        shard_of |= dict.fromkeys(half, file)
    index = {"metadata": {"total_size": 1}, "weight_map": shard_of}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def write_family(
    root: Path, seed: int = 0, kind: str = "safetensors", steps: Sequence[int] = STEPS, **options: float
) -> None:
    """Three runs, ``imitation-w8`` to ``imitation-w16``, one folder for each step."""
    for width in WIDTHS:
        for step, tensors in training(1000 * seed + width, width, steps, **options).items():
            write_checkpoint(tensors, root / f"imitation-w{width}" / f"step{step}", kind)


def gradient(rng: np.random.Generator, width: int, step: int) -> Tensors:
    """Pico's tensors of two blocks; the norm falls with training and varies by a factor of about two."""
    size = 3.0 / math.sqrt(1 + step / 100) * math.exp(rng.normal(0, 0.3))
    kinds = {"attention.v_proj": (width, 3 * width), "attention.o_proj": (3 * width, 3 * width)}
    kinds |= {"swiglu.w_2": (3 * width, 12 * width)}
    return {
        f"_forward_module.layers.{block}.{kind}": (size * rng.standard_t(3, shape)).astype(np.float32)
        for block in range(2)
        for kind, shape in kinds.items()
    }


def gradient_path(root: Path, width: int, step: int, which: str = "train") -> Path:
    folder = root / "runs" / f"imitation-w{width}" / "checkpoints" / f"step_{step}" / "learning_dynamics"
    return folder / f"{which}_gradients.pt"


GRADIENT_STEPS = tuple(range(0, 1200, 100))


def write_gradient_family(root: Path, seed: int = 0) -> None:
    """Three runs in Pico's layout with gradients at twelve steps."""
    for width in WIDTHS:
        rng = np.random.default_rng([seed, width])
        for step in GRADIENT_STEPS:
            save_pt(gradient(rng, width, step), gradient_path(root, width, step))


def changed_file(path: Path, change: Callable[[Tensors], Tensors]) -> None:
    """Write the tensors of a safetensors or gradient file again, changed."""
    if path.suffix == ".safetensors":
        import safetensors.numpy

        save_safetensors(change(safetensors.numpy.load_file(path)), path)
        return
    import torch

    loaded = {name: values.numpy() for name, values in torch.load(path, weights_only=True).items()}
    save_pt(change(loaded), path)


def copied(source: Path, target: Path) -> None:
    """Put a file or a folder in place of another."""
    if source.is_dir():
        shutil.rmtree(target)
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
