"""Files that are broken or hostile, by name: the suffix, how each is written, and what its refusal says."""

import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sample_files import (
    PICKLE_PROTOCOL,
    dictionary,
    integer,
    reference,
    sizes,
    storage,
    tensor,
    text,
    write_npy,
    write_safetensors,
    write_zip,
)

MARKER = "executed"
Writer = Callable[[Path], None]


def pt(pickled: bytes, members: dict[str, bytes] | None = None, **options: Any) -> Writer:
    return lambda path: write_zip(path, pickled, members, **options)


def one(value: bytes) -> Writer:
    return pt(dictionary(a=value))


def raw(content: bytes) -> Writer:
    return lambda path: _write(path, content)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def patched(position: int, content: bytes) -> Writer:
    """A good torch.save file with some bytes replaced; a negative position counts from the end."""

    def write(path: Path) -> None:
        write_zip(path, dictionary(a=tensor()))
        data = bytearray(path.read_bytes())
        at = position % len(data)
        data[at : at + len(content)] = content
        path.write_bytes(data)

    return write


def cut(fraction: float, suffix: str) -> Writer:
    def write(path: Path) -> None:
        if suffix == ".pt":
            write_zip(path, dictionary(a=tensor()))
        elif suffix == ".npy":
            np.save(path, np.ones(100, np.float32))
        else:
            write_safetensors(path, {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}})
        path.write_bytes(path.read_bytes()[: int(fraction * path.stat().st_size)])

    return write


class Attack:
    """Pickles to a call."""

    def __init__(self, function: Callable, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


def attack(function: Callable, *arguments: Any) -> bytes:
    return pickle.dumps({"a": Attack(function, *arguments)}, protocol=2)


def overlapping(path: Path) -> None:
    """Two members whose table entries point at the same bytes, as zip bombs without compression do."""
    write_zip(path, dictionary(a=tensor()), {"data/1": b"\0" * 16})
    data = path.read_bytes()
    place = struct.pack("<I", data.index(b"model/data/0") - 30)
    directory = data.index(b"PK\x01\x02")
    entry = data.index(b"model/data/1", directory)
    local = data.index(b"model/data/1")
    renamed = data.replace(data[local : local + 12], b"model/data/0", 1)
    path.write_bytes(renamed[: entry - 4] + place + renamed[entry:])


def doubled(path: Path) -> None:
    write_zip(path, dictionary(a=tensor()), {"data/1": b"\0" * 16})
    path.write_bytes(path.read_bytes().replace(b"model/data/1", b"model/data/0"))


def encrypted(path: Path) -> None:
    write_zip(path, dictionary(a=tensor()))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)


def lying_size(path: Path) -> None:
    """The table claims a storage of 4 GB."""
    write_zip(path, dictionary(a=tensor(stored=storage(entries=2**30 - 1))))
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    while data[directory + 46 : directory + 58] != b"model/data/0":
        directory = data.index(b"PK\x01\x02", directory + 1)
    data[directory + 20 : directory + 28] = struct.pack("<II", 2**32 - 4, 2**32 - 4)
    path.write_bytes(data)


def shared_groups(levels: int) -> bytes:
    """Each level holds the level below twice: two to the power of `levels` tensors, if one walks them all."""
    inner = b"}(" + text("a") + tensor() + b"uq\x00"
    for level in range(levels):
        place = bytes([level])
        inner += b"0}(" + text("l") + b"h" + place + text("r") + b"h" + place + b"uq" + bytes([level + 1])
    return PICKLE_PROTOCOL + inner + b"."


def entry(dtype: str = "F32", shape: Any = (4,), offsets: Any = (0, 16)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def st(header: Any, data: bytes = b"\0" * 16, length: int | None = None) -> Writer:
    return lambda path: write_safetensors(path, header, data, length)


def npy(header: str, data: bytes = b"\0" * 16, version: bytes = b"\1\0") -> Writer:
    return lambda path: write_npy(path, header, data, version)


def npz(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.ones(3))


def npy_header(descr: str = "'<f4'", order: str = "False", shape: str = "(4,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def _whole_module(path: Path) -> None:
    import torch

    torch.save(torch.nn.Linear(2, 2), path)


GOOD = dictionary(a=tensor())
MANY_VIEWS = dictionary(**{f"a{i}": tensor((3900 + i,), stored=storage(entries=4000)) for i in range(90)})
TOUCH = f"touch {MARKER}"
V3 = reference("torch._utils", "_rebuild_tensor_v3")

CASES: dict[str, tuple[str, Writer, str]] = {
    # files that are not what their names say
    "empty": (".pt", raw(b""), "is empty"),
    "empty-npy": (".npy", raw(b""), "is empty"),
    "text": (".pt", raw(b"hello, world\n" * 5), "not a torch.save file as its name says"),
    "zeros": (".safetensors", raw(b"\0" * 64), "not a safetensors file as its name says"),
    "unknown-suffix": (".dat", raw(b"hello, world\n"), "of an unknown kind"),
    "lfs-pointer": (".bin", raw(b"version https://git-lfs.github.com/spec/v1\noid"), "Git LFS pointer"),
    "web-page": (".safetensors", raw(b"<!DOCTYPE html><html>Not found</html>"), "is a web page"),
    "gzip": (".pt", raw(b"\x1f\x8b\x08" + b"\0" * 30), "compressed with gzip"),
    "hdf5": (".bin", raw(b"\x89HDF\r\n\x1a\n" + b"\0" * 30), "HDF5"),
    "npy-named-pt": (".pt", npy(npy_header()), "is a .npy file; rename it"),
    "pt-named-safetensors": (".safetensors", pt(GOOD), "is a torch.save file; rename it"),
    "safetensors-named-bin": (".bin", st({"a": entry()}), "is a safetensors file; rename it"),
    "npz": (".pt", npz, "npz archive"),
    "other-zip": (".pt", lambda path: zipfile.ZipFile(path, "w").writestr("a.txt", "hello"), "zip of something else"),
    "torchscript": (".pt", pt(GOOD, {"constants.pkl": b"\x80\x02)."}), "TorchScript"),
    # pickles that would run something
    "bare-pickle": (".pt", raw(attack(os.system, TOUCH)), "bare pickle"),
    "os-system": (".pt", pt(attack(os.system, TOUCH)), r"asks for '(posix|nt)\.system'"),
    "eval": (".pt", pt(attack(eval, f"open('{MARKER}', 'w')")), "asks for '__builtin__.eval'"),
    "exec": (".pt", pt(attack(exec, f"open('{MARKER}', 'w')")), "asks for '__builtin__.exec'"),
    "open": (".pt", pt(attack(open, MARKER, "w")), "asks for 'io.open'"),
    "getattr": (".pt", pt(attack(getattr, "", "join")), "asks for '__builtin__.getattr'"),
    "torch-load": (".pt", one(reference("torch", "load") + text(MARKER) + b"\x85R"), "'torch.load'"),
    "dotted-name": (".pt", one(reference("collections", "OrderedDict.pop")), "'collections.OrderedDict.pop'"),
    "stack-global": (".pt", one(text("os") + text("system") + b"\x93" + text(TOUCH) + b"\x85R"), "'os.system'"),
    "inst": (".pt", pt(b"(" + text(TOUCH) + b"ios\nsystem\n."), "instruction INST"),
    "obj": (".pt", pt(b"(cos\nsystem\n" + text(TOUCH) + b"o."), "'os.system'"),
    "newobj": (".pt", pt(dictionary(a=reference("collections", "OrderedDict") + b")\x81")), "instruction NEWOBJ"),
    "extension": (".pt", pt(b"\x80\x02\x82\x01."), "instruction EXT1"),
    "build-state": (".pt", one(tensor() + b"}b"), "sets the state of an object"),
    "call-arguments": (".pt", one(reference("collections", "OrderedDict") + text("x") + b"\x85R"), "unknown way"),
    "call-a-tensor": (".pt", pt(dictionary(a=tensor() + b")R")), "not a function"),
    "whole-module": (".pt", _whole_module, "asks for 'torch.nn.modules"),
    # pickles that are broken
    "pickle-cut": (".pt", pt(GOOD[:-10]), "cut off in the middle"),
    "pickle-empty": (".pt", pt(b""), "cut off in the middle"),
    "pickle-long-text": (".pt", pt(b"\x80\x02X\xff\xff\xff\x7fabc"), "cut off in the middle"),
    "pickle-endless-text": (".pt", pt(b"\x80\x04\x8d" + b"\xff" * 8), "cut off in the middle"),
    "pickle-bad-text": (".pt", pt(b"\x80\x02X\x02\x00\x00\x00\xff\xfe."), "not text"),
    "pickle-stack-underflow": (".pt", pt(b"\x80\x02R."), "lacks its value"),
    "pickle-no-mark": (".pt", pt(b"\x80\x02}u."), "no beginning"),
    "pickle-bad-memo": (".pt", pt(b"\x80\x02h\x07."), "never stored"),
    "pickle-unknown-instruction": (".pt", pt(b"\x80\x02\xee."), "instruction"),
    "pickle-unknown-version": (".pt", pt(b"\x80\x63}."), "unknown pickle version 99"),
    "pickle-list-as-key": (".pt", pt(PICKLE_PROTOCOL + b"}(])u."), "keys are not names"),
    "pickle-colliding-keys": (".pt", pt(PICKLE_PROTOCOL + b"}(" + integer((2**61 - 1) * 2**9) + b"Nu."), "not names"),
    "pickle-doubled-name": (
        ".pt",
        pt(PICKLE_PROTOCOL + b"}(" + (text("a") + tensor()) * 2 + b"u."),
        "name 'a' twice",
    ),
    "pickle-joined-names": (
        ".pt",
        pt(PICKLE_PROTOCOL + b"}(" + text("a.b") + tensor() + text("a") + b"}(" + text("b") + tensor() + b"uu."),
        r"name 'a\.b' twice",
    ),
    "pickle-in-itself": (".pt", pt(b"\x80\x02}q\x00(" + text("a") + b"h\x00u."), "same group of tensors twice"),
    "pickle-laughs": (".pt", pt(shared_groups(20)), "same group of tensors twice"),
    "pickle-deep": (".pt", pt(b"\x80\x02" + b"](" * 100_000 + b"e" * 100_000 + b"."), "deeper than"),
    "pickle-huge": (
        ".pt",
        lambda path: write_zip(path, PICKLE_PROTOCOL + b"0" * (1 << 24)),
        "more than a dictionary of tensors",
    ),
    # zips that are broken
    "zip-cut-early": (".pt", cut(0.3, ".pt"), "cut off or broken"),
    "zip-cut-late": (".pt", cut(0.95, ".pt"), "cut off or broken"),
    "zip-wrong-magic": (".pt", patched(0, b"KP"), "not a torch.save file"),
    "zip-directory-astray": (".pt", patched(-6, b"\xff\xff\xff\x7f"), "zip|not where"),
    "zip-compressed": (".pt", pt(GOOD, compression=zipfile.ZIP_DEFLATED), "is compressed"),
    "zip-bomb": (".pt", pt(GOOD, {"data/1": b"\0" * 10**7}, compression=zipfile.ZIP_LZMA), "is compressed"),
    "zip-overlap": (".pt", overlapping, "overlap|twice"),
    "zip-doubled-member": (".pt", doubled, "twice"),
    "zip-encrypted": (".pt", encrypted, "encrypted"),
    "zip-lying-size": (".pt", lying_size, "beyond the end of the file"),
    "big-endian": (".pt", pt(GOOD, {"byteorder": b"big"}), "another byte order"),
    # tensors that do not fit their storage
    "storage-missing": (".pt", one(tensor(stored=storage(key="7"))), "storage '7', which is missing"),
    "storage-path": (".pt", one(tensor(stored=storage(key="../../etc/passwd"))), "which is missing"),
    "storage-longer": (".pt", one(tensor(stored=storage(entries=400))), "claims a storage of 400"),
    "storage-shorter": (".pt", one(tensor(stored=storage(entries=3))), "claims a storage of 3"),
    "storage-negative": (".pt", one(tensor(stored=storage(entries=-4))), "claims a storage of -4"),
    "storage-unknown-type": (".pt", one(tensor(stored=storage("QInt8Storage"))), "asks for 'torch.QInt8Storage'"),
    "storage-malformed": (".pt", one(tensor(stored=text("0") + b"Q")), "storage in an unknown way"),
    "shape-too-large": (".pt", one(tensor((5,))), "outside its storage"),
    "shape-negative": (".pt", one(tensor((-4,))), "negative size"),
    "shape-astronomical": (".pt", one(tensor((2**62, 2**62), (0, 0))), "larger than any file"),
    "strides-too-many": (".pt", one(tensor((4,), (1, 1))), "strides that do not fit"),
    "shape-of-text": (".pt", pt(GOOD.replace(sizes((4,)), text("4") + b"\x85")), "not a list of integers"),
    "too-many-dimensions": (".pt", one(tensor((1,) * 65, (1,) * 65)), "65 dimensions"),
    "offset-negative": (".pt", one(tensor((2,), (1,), -1)), "outside its storage"),
    "offset-beyond": (".pt", one(tensor((2,), (1,), 3)), "outside its storage"),
    "offset-astronomical": (".pt", one(tensor((2,), (1,), 2**80)), "outside its storage"),
    "stride-beyond": (".pt", one(tensor((2, 2), (3, 1))), "outside its storage"),
    "stride-negative": (".pt", one(tensor((4,), (-1,), 3)), "outside its storage"),
    "stride-zero": (".pt", one(tensor((10**9,), (0,))), "repeats the entries"),
    "many-views": (".pt", pt(MANY_VIEWS, {"data/0": b"\0" * 16_000}), "share their entries"),
    "integers": (".pt", one(tensor((2,), stored=storage("LongStorage", entries=2))), "holds 'int64'"),
    "float8": (
        ".pt",
        pt(
            dictionary(
                a=V3
                + b"("
                + storage("UntypedStorage", "0", 16, "torch.storage")
                + integer(0)
                + sizes((16,))
                + sizes((1,))
                + b"\x89}"
                + reference("torch", "float8_e5m2")
                + b"tR"
            )
        ),
        "is quantised: float8_e5m2 in 'a'",
    ),
    "no-tensors": (".pt", one(integer(3)), "holds no tensors"),
    # safetensors
    "st-cut-header": (".safetensors", cut(0.3, ".safetensors"), "not a safetensors file|cut off"),
    "st-cut-data": (".safetensors", cut(0.95, ".safetensors"), "outside the file"),
    "st-header-too-long": (".safetensors", st(b"{}", length=2**40), "not a safetensors file"),
    "st-header-huge": (
        ".safetensors",
        lambda path: write_safetensors(path, b"{}" + b" " * (1 << 24), b""),
        "more than any model needs",
    ),
    "st-not-json": (".safetensors", st(b"{'a': 1}"), "not JSON"),
    "st-not-text": (".safetensors", st(b'{"\xff\xfe": 1}'), "not JSON"),
    "st-deep-json": (".safetensors", st(b'{"a":' + b"[" * 200_000), "not JSON"),
    "st-doubled-name": (".safetensors", st(b'{"a": {}, "a": {}}'), "'a' twice"),
    "st-entry-list": (".safetensors", st({"a": [1]}), "not described by"),
    "st-entry-lacks": (".safetensors", st({"a": {"dtype": "F32", "shape": [4]}}), "not described by"),
    "st-unknown-type": (".safetensors", st({"a": entry("F33")}), "unknown type 'F33'"),
    "st-type-list": (".safetensors", st({"a": entry(["F32"])}), "unknown type"),  # type: ignore[arg-type]
    "st-shape-negative": (".safetensors", st({"a": entry(shape=[-2, -2])}), "negative size"),
    "st-shape-float": (".safetensors", st({"a": entry(shape=[4.0])}), "not a list of integers"),
    "st-shape-true": (".safetensors", st({"a": entry(shape=[True])}), "not a list of integers"),
    "st-shape-lies": (".safetensors", st({"a": entry(shape=[5])}), "does not fit its shape"),
    "st-shape-overflow": (".safetensors", st({"a": entry(shape=[2**40, 2**40])}), "larger than any file"),
    "st-shape-zero-huge": (
        ".safetensors",
        st({"a": entry(shape=[0, 2**62, 2**62], offsets=[0, 0])}, b""),
        "larger than any",
    ),
    "st-offsets-outside": (".safetensors", st({"a": entry(offsets=[16, 32])}), "outside the file"),
    "st-offsets-negative": (".safetensors", st({"a": entry(offsets=[-16, 0])}), "outside the file"),
    "st-offsets-reversed": (".safetensors", st({"a": entry(offsets=[16, 0])}), "outside the file"),
    "st-offsets-text": (".safetensors", st({"a": entry(offsets=["0", "16"])}), "not two integers"),
    "st-overlap": (".safetensors", st({"a": entry(), "b": entry(shape=[2], offsets=[8, 16])}), "overlaps another"),
    "st-same-place": (".safetensors", st({"a": entry(), "b": entry()}), "overlaps another"),
    "st-gap": (".safetensors", st({"a": entry(shape=[2], offsets=[8, 16])}), "leaves a gap"),
    "st-trailing": (".safetensors", st({"a": entry(shape=[2], offsets=[0, 8])}), "should have"),
    "st-complex": (".safetensors", st({"a": entry("C64", [2])}), "holds 'C64'"),
    "st-integers": (".safetensors", st({"a": entry("I64", [2])}), "holds 'int64'"),
    "st-empty": (".safetensors", st({}, b""), "holds no tensors"),
    # npy
    "npy-cut-header": (".npy", cut(0.1, ".npy"), "cannot be"),
    "npy-cut-magic": (".npy", raw(b"\x93NUMPY\1\0"), "cut off"),
    "npy-cut-data": (".npy", cut(0.9, ".npy"), "and holds"),
    "npy-trailing": (".npy", npy(npy_header(), b"\0" * 20), "should hold 16 bytes"),
    "npy-object": (".npy", lambda path: np.save(path, np.array([Attack(os.system, TOUCH)])), r"holds '\|O'"),
    "npy-complex": (".npy", npy(npy_header("'<c8'"), b"\0" * 32), "instead of real numbers"),
    "npy-structured": (".npy", npy(npy_header("[('a', '<f4')]")), "instead of real numbers"),
    "npy-text": (".npy", npy(npy_header("'<U4'")), "instead of real numbers"),
    "npy-negative": (".npy", npy(npy_header(shape="(-4,)")), "negative size"),
    "npy-huge": (".npy", npy(npy_header(shape=f"({2**62}, {2**62})")), "larger than any file"),
    "npy-shape-list": (".npy", npy(npy_header(shape="[4]")), "broken .npy header"),
    "npy-shape-text": (".npy", npy(npy_header(shape="('4',)")), "not a list of integers"),
    "npy-order-number": (".npy", npy(npy_header(order="1")), "broken .npy header"),
    "npy-code-in-header": (".npy", npy(f"__import__('os').system('{TOUCH}')\n"), "broken .npy header"),
    "npy-brackets": (".npy", npy("(" * 9000), "broken .npy header"),
    "npy-odd-escape": (".npy", npy("{'\\d': 1}"), "broken .npy header"),
    "npy-missing-key": (".npy", npy("{'descr': '<f4', 'shape': (4,)}"), "broken .npy header"),
    "npy-long-header": (".npy", npy(npy_header() + " " * 20_000), "cannot be"),
    "npy-unknown-version": (".npy", npy(npy_header(), version=b"\7\0"), "unknown version 7"),
}
