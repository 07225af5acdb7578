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


def neox_shapes(width: int, blocks: int, vocabulary: int = 50304) -> dict[str, tuple[int, ...]]:
    """Parameters and buffers of a GPT-NeoX model (Pythia), by the names of its checkpoints, in the model's order."""
    shapes: dict[str, tuple[int, ...]] = {"gpt_neox.embed_in.weight": (vocabulary, width)}
    for block in range(blocks):
        layer = f"gpt_neox.layers.{block}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            shapes |= {f"{layer}{norm}.weight": (width,), f"{layer}{norm}.bias": (width,)}
        shapes |= {
            f"{layer}attention.bias": (1, 1, 8, 8),
            f"{layer}attention.masked_bias": (),
            f"{layer}attention.rotary_emb.inv_freq": (4,),
        }
        for name, (rows, columns) in {
            "attention.query_key_value": (3 * width, width),
            "attention.dense": (width, width),
            "mlp.dense_h_to_4h": (4 * width, width),
            "mlp.dense_4h_to_h": (width, 4 * width),
        }.items():
            shapes |= {f"{layer}{name}.weight": (rows, columns), f"{layer}{name}.bias": (rows,)}
    shapes |= {"gpt_neox.final_layer_norm.weight": (width,), "gpt_neox.final_layer_norm.bias": (width,)}
    return shapes | {"embed_out.weight": (vocabulary, width)}


def write_hollow_safetensors(shapes: dict[str, tuple[int, ...]], path: Path) -> None:
    """A float16 safetensors file whose data is one hole on disk."""
    header, position = {}, 0
    for name, shape in shapes.items():
        end = position + 2 * int(np.prod(shape))
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + position)
