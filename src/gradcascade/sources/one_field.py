"""The field of one file, or of one checkpoint, with what is in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.sources.base import Description
from gradcascade.sources.checkpoint import described, opening_file
from gradcascade.sources.layouts.step_folders import files_of_step
from gradcascade.sources.tensors import assembled, format_of, open_tensors, read_field, whole
from gradcascade.sources.trees.local import LocalTree
from gradcascade.tensor_names import ordered


@dataclass(frozen=True)
class OneField:
    """A field that was read, the sizes of its tensors in order, and what is in it."""

    values: NDArray[np.floating]
    layout: tuple[tuple[str, int], ...]
    description: Description | None = None
    """None for one tensor, and for an array without names."""


def open_field(
    path: Path, key: str | None = None, order: str = "canonical", check: Callable[[int], object] = id
) -> OneField:
    """Read the tensor `key` of a file, or the model in a file, in the folder of a checkpoint, or of an index.

    ``check`` is given the number of entries before they are put together in memory.
    """
    if order == "model":
        raise InputError("the order of the model is not known of a file by itself; choose another order")
    if path.is_dir():
        tree = LocalTree(path)
        opening = opening_file(files_of_step(tree, "")) or opening_file(files_of_step(tree, "", within=True))
        if opening is None:
            raise InputError(f"{path} is a folder without a checkpoint that is read; name a file in it")
        path = path / opening
    single = path.suffix != ".json" and path.name != ".metadata" and path.suffix != ".distcp"
    if key is not None or (single and format_of(path).name == ".npy"):
        values = read_field(path, key)
        return OneField(values, ((key or "array", values.size),))
    adapters = path.name.startswith("adapter_model.")  # no model, and asked for by name here
    tensors, description = whole(open_tensors(path) if adapters else described(path), path)
    by_name = {name: (tensor, shape) for tensor, (name, shape) in zip(tensors, description.tensors, strict=True)}
    names = ordered(by_name, order)
    description = replace(description, tensors=tuple((name, by_name[name][1]) for name in names), order=order)
    check(description.entries)
    return OneField(assembled([by_name[name][0] for name in names]), description.sizes, description)
