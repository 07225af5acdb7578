"""Writes small runs as trainers lay them out, for the tests of the sources."""

import json
from pathlib import Path

import numpy as np

KINDS = {"attention.v_proj": (2, 6), "attention.o_proj": (6, 6), "swiglu.w_2": (6, 24)}


def pico_parameters(seed: int, blocks: int = 12, width: int = 6) -> dict[str, np.ndarray]:
    """Pico's 36 tensors (and some others) under the names of the model, block by block; N = 192 blocks (d/6)^2."""
    rng = np.random.default_rng(seed)
    scale = width // 6
    found = {"embedding_proj.weight": rng.normal(size=(4, width)).astype(np.float32)}
    for block in range(blocks):
        for kind, (rows, columns) in KINDS.items():
            values = rng.normal(size=(rows * scale, columns * scale)).astype(np.float32)
            found[f"layers.{block}.{kind}.weight"] = values
        found[f"layers.{block}.attention.q_proj.weight"] = rng.normal(size=(width, width)).astype(np.float32)
        found[f"layers.{block}.attention_norm.weight"] = np.ones(width, np.float32)
    return found


def recorded(parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The 36 recorded tensors, by their names in the model without ``.weight``."""
    endings = tuple(f"{kind}.weight" for kind in KINDS)
    return {name.removesuffix(".weight"): values for name, values in parameters.items() if name.endswith(endings)}


def save_pt(tensors: dict[str, np.ndarray], path: Path) -> None:
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({name: torch.from_numpy(values.copy()) for name, values in tensors.items()}, path)


def save_safetensors(tensors: dict[str, np.ndarray], path: Path) -> None:
    import safetensors.numpy

    path.parent.mkdir(parents=True, exist_ok=True)
    safetensors.numpy.save_file({name: np.ascontiguousarray(values) for name, values in tensors.items()}, path)


def write_pico_run(
    run: Path, steps: tuple[int, ...], width: int = 6, prefix: str = "_forward_module.", blocks: int = 12
) -> None:
    """A run in Pico's layout; the gradient of step t has seed 1000 + t, the checkpoint seed t."""
    for step in steps:
        folder = run / "checkpoints" / f"step_{step}"
        gradients = recorded(pico_parameters(1000 + step, blocks, width))
        named = {prefix + name: values for name, values in gradients.items()}
        save_pt(named, folder / "learning_dynamics" / "train_gradients.pt")
        save_safetensors(pico_parameters(step, blocks, width), folder / "model.safetensors")
        results = run / "eval_results"
        results.mkdir(exist_ok=True)
        (results / f"step_{step}.json").write_text(json.dumps({"paloma": 100.0 / (step + 1)}))
    (run / "training_config.yaml").write_text("training: {}\n")
