"""Which tensors of a file are Pico's: v_proj, o_proj and swiglu.w_2 of every block, matched by their ending."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from gradcascade.errors import InputError
from gradcascade.sources.stored import shown
from gradcascade.tensor_names import PICO_ENDING, short_name

KINDS = ("attention.v_proj", "attention.o_proj", "swiglu.w_2")

Tensor = TypeVar("Tensor")


def pico_tensors(tensors: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """Pick Pico's tensors out of a gradient file or a checkpoint, by the names they share in every file.

    Such a name is ``layers.0.attention.v_proj``; the file's own may have a wrapper's prefix and end in ``.weight``.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if PICO_ENDING.fullmatch(name):
            short = short_name(name)
            if short in found:
                raise InputError(f"{where} holds {short} twice, again as {shown(name)}; keep one of them")
            found[short] = tensor
    if not found:
        raise InputError(
            f"{where} holds none of Pico's tensors (layers.<i>.{', '.join(KINDS)}); "
            "choose tensors by pattern if this is another model"
        )
    blocks = 1 + max(int(name.split(".")[1]) for name in found)
    if len(found) != blocks * len(KINDS):
        missing = next(name for name in model_order(blocks) if name not in found)
        raise InputError(f"{where} lacks the tensor {missing}; write or download the file again")
    return found


def model_order(blocks: int) -> Iterable[str]:
    """The names of Pico's tensors in the order of the model's modules: block by block, as `KINDS` lists them."""
    return (f"layers.{block}.{kind}" for block in range(blocks) for kind in KINDS)
