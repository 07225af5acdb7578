"""Tensors of one file, and the field that they make up; no file is ever executed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.sources.base import Description
from gradcascade.sources.containers import TRAINER, model_part
from gradcascade.sources.formats import FORMATS
from gradcascade.sources.formats.base import Format
from gradcascade.sources.formats.npy import read_npy
from gradcascade.sources.parameters import Evidence, contents_of, model_type
from gradcascade.sources.stored import StoredTensor, mapped, shown
from gradcascade.tensor_names import plain_names

_FOREIGN = {
    b"version https://git-lfs": "a Git LFS pointer instead of the file it stands for; fetch it with 'git lfs pull'",
    b"<!DOCTYPE": "a web page; download the file itself",
    b"<html": "a web page; download the file itself",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"\x89HDF": "an HDF5 file; save the tensors as .safetensors or .npy",
    b"\x80": "a bare pickle, as torch before 1.6 wrote it; nothing in it was run; load and save it again with torch",
}


def open_tensors(path: Path | str) -> dict[str, StoredTensor]:
    """Describe the tensors of a file in file order, without reading their values; a file in doubt is refused."""
    path = Path(path)
    return format_of(path).open(path)


def read_tensors(path: Path | str, names: Callable[[str], bool] | None = None) -> dict[str, NDArray]:
    """Read the tensors of a file that `names` wants, by default all, in file order.

    Each has its own shape and type, memory-mapped and read-only; bfloat16 is copied to float32. The array of a
    ``.npy`` file is named ``"array"``.
    """
    return {name: tensor.read() for name, tensor in open_tensors(path).items() if names is None or names(name)}


def whole(tensors: Mapping[str, StoredTensor], path: Path) -> tuple[list[StoredTensor], Description]:
    """The tensors of a file that make up a field, in file order, and what is in it.

    Of a trainer's state that is the model. What is not the whole of a model is refused: quantised, partitioned or
    empty tensors, or several dictionaries of which each could be the model.
    """
    if not tensors:
        raise InputError(f"{path} holds no tensors; name a file that does")
    part, state = model_part(tensors, str(path))
    plain = plain_names(part)
    named = {plain[name]: tensor for name, tensor in part.items()}
    found = contents_of(named, path, Evidence(model_type=model_type(path)))
    left_out = {why: len(names) for why, names in found.left_out.items()} | ({TRAINER: len(state)} if state else {})
    shapes = tuple((name, named[name].shape) for name in found.names)
    stored = tuple(dict.fromkeys(named[name].dtype for name in found.names))
    return [named[name] for name in found.names], Description(
        shapes, tuple(left_out.items()), found.rule, stored=stored
    )


def read_field(path: Path | str, key: str | None = None) -> NDArray:
    """Read one field from one file: the tensor `key`, or all that :func:`whole` takes, flattened in file order.

    The array of a ``.npy`` file comes as it is; else the shape is (N,), float32, or float64 where the file has it.
    """
    path = Path(path)
    if format_of(path).name == ".npy":
        if key is not None:
            raise InputError(f"{path} holds one array without a name; leave the key {shown(key)} out")
        return read_npy(path)
    tensors = open_tensors(path)
    if key is not None:
        if key not in tensors:
            raise InputError(f"{path} holds no tensor {shown(key)}; {nearest(key, tensors)}")
        return assembled([tensors[key]])
    return assembled(whole(tensors, path)[0])


def flatten(tensors: Mapping[str, NDArray]) -> NDArray[np.floating]:
    """Lay tensors end to end in row-major order: shape (N,), float32, or float64 if one of them is."""
    if not tensors:
        raise InputError("there are no tensors to make a field from; choose at least one")
    for name, values in tensors.items():
        if values.dtype.kind != "f":
            raise InputError(f"tensor {shown(name)} holds {values.dtype}, and a field needs floating-point numbers")
    double = any(values.dtype.itemsize > 4 for values in tensors.values())
    dtype = np.float64 if double else np.float32
    return np.concatenate([np.asarray(values, dtype).reshape(-1) for values in tensors.values()])


def assembled(tensors: Sequence[StoredTensor]) -> NDArray[np.floating]:
    """As `flatten`, from stored tensors, with one of them in memory at a time."""
    out = empty_field(tensors)
    start = 0
    for tensor in tensors:
        out[start : start + tensor.size].reshape(tensor.shape)[...] = tensor.read_field()
        start += tensor.size
    return out


def empty_field(tensors: Sequence[StoredTensor]) -> NDArray[np.floating]:
    """Room for the tensors' entries, shape (N,): float64 if one of them is float64, else float32.

    Refused if they claim more than twice the bytes of the files they lie in, which tied weights never do.
    """
    files = {(part.path, part.file.ctypes.data): part.file.size for tensor in tensors for part in tensor.stored}
    widths = {"float64": 8, "float32": 4}
    if sum(tensor.size * widths.get(tensor.dtype, 2) for tensor in tensors) > 2 * sum(files.values()):
        raise InputError(f"{tensors[0].path}: its tensors share their entries many times over; save them one by one")
    double = any(tensor.dtype == "float64" for tensor in tensors)
    return np.empty(sum(tensor.size for tensor in tensors), np.float64 if double else np.float32)


def nearest(name: str, known: Iterable[str]) -> str:
    """Advice that names the known names nearest to a mistyped one."""
    known = list(known)
    ending = [other for other in known if other.endswith((name, f"{name}.weight"))]
    close = (ending + difflib.get_close_matches(name, known, n=3, cutoff=0.4))[:3] or known[:3]
    if not close:
        return "it holds none at all"
    return f"the nearest of its {len(known)} names: {', '.join(dict.fromkeys(shown(other) for other in close))}"


def format_of(path: Path) -> Format:
    """The format that a file's first bytes say, checked against its name."""
    raw = mapped(path)
    start = raw[:64].tobytes()
    found = next((known for known in FORMATS.values() if known.matches(start, raw.size)), None)
    claimed = next((known for known in FORMATS.values() if path.suffix.lower() in known.suffixes), None)
    if found is None:
        for magic, what in _FOREIGN.items():
            if start.startswith(magic) and (magic != b"\x80" or claimed is None or claimed.name == "torch.save"):
                raise InputError(f"{path} is {what}")
        if claimed:
            raise InputError(
                f"{path} is not a {claimed.name} file as its name says, or is cut off; write or download it again"
            )
        raise InputError(f"{path} is of an unknown kind; give a .npy, .safetensors, .pt or .bin file")
    if claimed not in (None, found):
        raise InputError(f"{path} is named as a {claimed.name} file and is a {found.name} file; rename it")
    return found
