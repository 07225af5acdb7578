"""Fills an imitated hub with families of tiny models, byte for byte as the libraries write their files."""

import json
from pathlib import Path

import numpy as np
from imitation import Imitation, Remote
from sample_runs import pico_parameters, recorded, save_pt, save_safetensors

PICO = {"tiny": 6, "small": 12, "medium": 18, "large": 24}
PYTHIA = {"14m": 4, "31m": 6, "70m": 8, "160m": 10, "410m": 12}
CONFIGURATION = b"""training:
  max_steps: 100000
  optimization:
    lr: 0.0006
    lr_scheduler: linear_with_warmup
    lr_warmup_steps: 500
"""


def at_once(seconds: float) -> None:
    """Wait not at all."""


def saved(tensors: dict[str, np.ndarray], name: str, folder: Path) -> bytes:
    """The bytes of a file as torch or safetensors writes it."""
    path = folder / name
    (save_safetensors if name.endswith(".safetensors") else save_pt)(tensors, path)
    return path.read_bytes()


def pico_gradient(step: int, width: int, seed: int = 1000) -> dict[str, np.ndarray]:
    """Gradient of a step, under the names of the published runs."""
    gradients = recorded(pico_parameters(seed + step, 2, width))
    return {f"_forward_module.module.{name}": values for name, values in gradients.items()}


def add_pico_run(
    remote: Remote, branch: str, width: int, steps: tuple[int, ...], folder: Path, *, seed: int = 1000
) -> None:
    """Commits as Pico's trainer makes them: every save overwrites the same paths."""
    if branch not in remote.branches:
        remote.commit(branch, "initial commit", {".gitattributes": b"*.pt filter=lfs diff=lfs merge=lfs -text\n"})
    for step in steps:
        weights = saved(pico_parameters(step, 2, width), "model.safetensors", folder)
        remote.commit(branch, f"Saving HF Model -- Step {step}", {"model.safetensors": weights, "config.json": b"{}"})
        if step == 0:
            remote.commit(branch, "Saving Training Config -- Step 0", {"training_config.yaml": CONFIGURATION})
        remote.commit(branch, f"Saving Fabric Checkpoint -- Step {step}", {"fabric_state/checkpoint.pt": b"x" * 999})
        for which, shift in (("train", 0), ("val", 500)):
            content = saved(pico_gradient(step, width, seed + shift), f"{which}_gradients.pt", folder)
            remote.commit(
                branch,
                f"Saving Learning Dynamics Data ({which}) -- Step {step}",
                {f"learning_dynamics/{which}_gradients.pt": content, f"learning_dynamics/{which}_weights.pt": b"w"},
            )
        results = json.dumps({"paloma": perplexity(step, width)}).encode()
        remote.commit(
            branch, f"Saving Evaluation Results -- Step {step}", {f"eval_results/step_{step}.json": results}
        )


def perplexity(step: int, width: int) -> float:
    return 6e4 / (step + 1) / width


def add_pico_family(hub: Imitation, steps: tuple[int, ...], folder: Path) -> None:
    for scale, width in PICO.items():
        remote = hub.repository(f"pico-lm/pico-decoder-{scale}")
        remote.commit("main", "initial commit", {"README.md": b"# pico\n"})
        add_pico_run(remote, f"pico-decoder-{scale}-1", width, steps, folder)


def pythia_tensors(width: int, step: int, blocks: int = 2) -> dict[str, np.ndarray]:
    """Parameters and buffers of a GPT-NeoX model in half precision."""
    from sample_runs import neox_shapes

    rng = np.random.default_rng([width, step])
    found = {}
    for name, shape in neox_shapes(width, blocks, 20).items():
        buffer = name.endswith(("attention.bias", "masked_bias", "inv_freq"))
        start = np.random.default_rng(width).normal(size=shape)
        found[name] = (start if buffer else start + 0.1 * rng.normal(size=shape)).astype(np.float16)
    return found


def parameters_of(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those that are trained, in alphabetic order, which is that of a safetensors file of one type."""
    buffers = ("attention.bias", "masked_bias", "inv_freq")
    return {name: values for name, values in sorted(tensors.items()) if not name.endswith(buffers)}


def add_pythia_model(remote: Remote, width: int, steps: tuple[int, ...], folder: Path, kind: str = "whole") -> None:
    """A branch per step; ``main`` is the last."""
    for step in steps:
        remote.commit(f"step{step}", "add model", checkpoint(pythia_tensors(width, step), folder, kind))
    remote.branches["main"] = list(remote.branches[f"step{steps[-1]}"])


def checkpoint(tensors: dict[str, np.ndarray], folder: Path, kind: str) -> dict[str, bytes]:
    """Files of a checkpoint: whole, a pickle, or sharded."""
    files = {"config.json": b"{}\n", ".gitattributes": b"*.bin filter=lfs\n"}
    if kind == "bin":
        return files | {"pytorch_model.bin": saved(tensors, "pytorch_model.bin", folder)}
    if kind == "both":
        return files | {
            "pytorch_model.bin": saved(tensors, "pytorch_model.bin", folder),
            "model.safetensors": saved(tensors, "model.safetensors", folder),
        }
    if kind == "shards":
        names = sorted(tensors)
        halves = (names[: len(names) // 2], names[len(names) // 2 :])
        weight_map = {}
        for number, half in enumerate(halves, 1):
            shard = f"model-{number:05}-of-00002.safetensors"
            files[shard] = saved({name: tensors[name] for name in half}, shard, folder)
            weight_map |= dict.fromkeys(half, shard)
        files["model.safetensors.index.json"] = json.dumps({"metadata": {}, "weight_map": weight_map}).encode()
        return files
    return files | {"model.safetensors": saved(tensors, "model.safetensors", folder)}


def add_pythia_family(hub: Imitation, steps: tuple[int, ...], folder: Path, ending: str = "-seed3") -> None:
    for scale, width in PYTHIA.items():
        add_pythia_model(hub.repository(f"EleutherAI/pythia-{scale}{ending}"), width, steps, folder)
