"""Pickled dictionaries of tensors: read as torch pickles them, and nothing in a hostile one is executed."""

import os
import pickle
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_files import MARKER, Attack

from gradcascade.errors import InputError
from gradcascade.sources import read_field, read_tensors

torch = pytest.importorskip("torch")

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
VERSION = b"\x80\x02M\xe9\x03."
MACHINE = pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}, protocol=2)
BIG_ENDIAN = pickle.dumps({"little_endian": False}, protocol=2)
KEYS = pickle.dumps(["7"], protocol=2)
NUMBERS = struct.pack("<4f", 1, 2, 3, 4)
SIZE = struct.pack("<q", 4)


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def named(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def described(kind: str = "FloatStorage", key: str = "7", size: bytes = b"K\x04", more: bytes = b"N") -> bytes:
    """The persistent identifier of a storage, as a pickle of its own."""
    line = f"ctorch\n{kind}\n".encode()
    return b"\x80\x02(" + text("storage") + line + text(key) + text("cpu") + size + more + b"tQ."


def stream(*parts: bytes) -> bytes:
    """A storage in the old format of torch.save."""
    return b"".join(parts or (MAGIC, VERSION, MACHINE, described(), KEYS, SIZE, NUMBERS))


def load(content: bytes, argument: bytes | None = None, name: str = "_load_from_bytes") -> bytes:
    blob = argument or b"B" + struct.pack("<I", len(content)) + content
    return named("torch.storage", name) + blob + b"\x85R"


def tensor(
    storage: bytes, offset: bytes = b"K\x00", shape: bytes = b"K\x04\x85", strides: bytes = b"K\x01\x85"
) -> bytes:
    rebuilt = named("torch._utils", "_rebuild_tensor_v2") + b"("
    return rebuilt + storage + offset + shape + strides + b"\x89" + named("collections", "OrderedDict") + b")RtR"


def dictionary(*values: bytes) -> bytes:
    return b"\x80\x04}(" + b"".join(text(f"t{n}") + value for n, value in enumerate(values)) + b"u."


def one(storage: bytes, **changes: bytes) -> bytes:
    return dictionary(tensor(storage, **changes))


def nested(*parts: bytes) -> bytes:
    return one(load(stream(*parts)))


def attack(function: Callable, *arguments: Any) -> bytes:
    return pickle.dumps({"a": Attack(function, *arguments)}, protocol=4)


def within(function: Callable, *arguments: Any) -> bytes:
    """A call in the place of one of the five pickles within."""
    return pickle.dumps(Attack(function, *arguments), protocol=2)


GOOD = dictionary(tensor(load(stream())))
RUN = (os.system, f"touch {MARKER}")
CASES: dict[str, tuple[bytes, str]] = {
    "call": (attack(*RUN), "asks for '(posix|nt).system'"),
    "eval": (attack(eval, f"open('{MARKER}', 'w')"), "asks for 'builtins.eval'"),
    "import": (attack(__import__, "antigravity"), "asks for 'builtins.__import__'"),
    "getattr": (attack(getattr, "a", "upper"), "asks for 'builtins.getattr'"),
    "torch.load": (dictionary(named("torch", "load") + b"X\x01\0\0\0a\x85R"), "asks for 'torch.load'"),
    "load of a file": (one(load(b"", text("a.pt"))), "uses 'torch.storage._load_from_bytes' in an unknown way"),
    "other loader": (one(load(stream(), name="_load_from_file")), "asks for 'torch.storage._load_from_file'"),
    "call in the magic": (nested(within(*RUN)), "asks for '(posix|nt).system'"),
    "call in the version": (nested(MAGIC, within(*RUN)), "asks for '(posix|nt).system'"),
    "call in the machine": (nested(MAGIC, VERSION, within(*RUN)), "asks for '(posix|nt).system'"),
    "call in the storage": (nested(MAGIC, VERSION, MACHINE, within(*RUN)), "asks for '(posix|nt).system'"),
    "call in the names": (
        nested(MAGIC, VERSION, MACHINE, described(), within(*RUN)),
        "asks for '(posix|nt).system'",
    ),
    "allowed name called within": (
        nested(MAGIC, VERSION, MACHINE, b"\x80\x02ccollections\nOrderedDict\n)R.", KEYS),
        "uses collections.OrderedDict where only a storage",
    ),
    "loader within the loader": (
        nested(MAGIC, VERSION, MACHINE, load(stream()) + b"."), "asks for 'torch.storage._load_from_bytes'"
    ),
    "module within": (
        nested(MAGIC, VERSION, MACHINE, b"\x80\x02(" + text("module") + b"NNNtQ.", KEYS), "in an unknown way"
    ),
    "unknown storage type": (nested(MAGIC, VERSION, MACHINE, described("QInt8Storage")), "asks for 'torch.QInt8"),
    "view of a storage": (
        nested(MAGIC, VERSION, MACHINE, described(more=text("v") + b"K\0K\x04\x87")), "a storage in an unknown way"
    ),
    "wrong magic": (nested(b"\x80\x02K\x01.", VERSION, MACHINE, described(), KEYS), "not a stream of torch.save"),
    "wrong version": (nested(MAGIC, b"\x80\x02K\x01.", MACHINE, described(), KEYS), "not a stream of torch.save"),
    "big endian": (nested(MAGIC, VERSION, BIG_ENDIAN, described(), KEYS), "another byte order"),
    "other name": (nested(MAGIC, VERSION, MACHINE, described(key="8"), KEYS, SIZE, NUMBERS), "not of one storage"),
    "two names": (
        nested(MAGIC, VERSION, MACHINE, described(), pickle.dumps(["7", "8"], protocol=2)), "not of one storage"
    ),
    "no storage": (nested(MAGIC, VERSION, MACHINE, b"\x80\x02K\x01.", KEYS, SIZE, NUMBERS), "not of one storage"),
    "other size": (
        nested(MAGIC, VERSION, MACHINE, described(), KEYS, struct.pack("<q", 5), NUMBERS), "4 entries and then 5"
    ),
    "negative size": (
        nested(MAGIC, VERSION, MACHINE, described(size=b"J\xff\xff\xff\xff"), KEYS, b"\xff" * 8), "-1 entries"
    ),
    "too few numbers": (
        nested(MAGIC, VERSION, MACHINE, described(), KEYS, SIZE, NUMBERS[:-1]), "then 4, in 15 bytes"
    ),
    "too many numbers": (nested(MAGIC, VERSION, MACHINE, described(), KEYS, SIZE, NUMBERS + b"\0"), "in 17 bytes"),
    "cut within": (nested(MAGIC, VERSION, MACHINE[:-5]), "is cut off"),
    "empty stream": (one(load(b"", b"C\0")), "is cut off"),
    "cut": (GOOD[:-20], "is cut off"),
    "bytes beyond the file": (one(load(b"", b"\x8e" + struct.pack("<Q", 1 << 60))), "in the middle of its bytes"),
    "goes on": (GOOD + b"\x80\x04N.", "goes on after its end"),
    "no dictionary": (b"\x80\x04" + tensor(load(stream())) + b".", "is not a dictionary"),
    "persistent identifier outside": (dictionary(text("7") + b"Q"), "refers to a storage outside of itself"),
    "persistent name": (dictionary(b"Pa\n"), "PERSID, which builds objects"),
    "instance": (dictionary(b"(ios\nsystem\n"), "INST, which builds objects"),
    "object": (dictionary(named("collections", "OrderedDict") + b")\x81"), "NEWOBJ, which builds objects"),
    "extension": (dictionary(b"\x82\x01"), "EXT1, which builds objects"),
    "buffer": (dictionary(b"\x97"), "NEXT_BUFFER, which builds objects"),
    "bytes as a storage": (one(b"C\x04abcd"), "_rebuild_tensor_v2' in an unknown way"),
    "name without an end": (b"\x80\x04c" + b"a" * 3000 + b"\nb\n.", "a name in it|is cut off"),
    "offset outside": (one(load(stream()), offset=b"K\x05"), "reaches outside its storage of 4 entries"),
    "shape outside": (one(load(stream()), shape=b"K\x05\x85"), "reaches outside its storage"),
    "overlapping entries": (
        one(load(stream()), shape=b"K\x04K\x04\x86", strides=b"K\0K\x01\x86"), "repeats the entries of its storage"
    ),
    "negative stride": (one(load(stream()), strides=b"J\xff\xff\xff\xff\x85"), "reaches outside its storage"),
    "negative shape": (one(load(stream()), shape=b"J\xff\xff\xff\xff\x85"), "negative size"),
    "name twice": (b"\x80\x04}(" + (text("a") + tensor(load(stream()))) * 2 + b"u.", "has the name 'a' twice"),
    "recursion": (b"\x80\x04}\x94(" + text("a") + b"h\0u.", "holds the same group|nests|no parameters|no tensors"),
    "deep": (b"\x80\x04}(" + text("a") + b"]" * 1000 + b"a" * 999 + b"u.", "nests its dictionaries deeper"),
    "endless description": (b"\x80\x04}(" + text("a") + b"N0" * (1 << 20) + b"Nu.", "more than a dictionary"),
    "endless description within": (nested(b"\x80\x02" + b"N0" * 4000 + b"N."), "more than a dictionary"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_pickle_is_refused_in_one_sentence_and_nothing_is_executed(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content, message = CASES[case]
    path = tmp_path / "file.pickle"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_field(path)
    sentence = str(caught.value)
    assert sentence.startswith(str(path)) and "\n" not in sentence
    assert len(sentence) < len(str(path)) + 320
    assert not (tmp_path / MARKER).exists()


def test_the_hand_made_pickle_is_good_where_nothing_is_changed(tmp_path: Path) -> None:
    (tmp_path / "a.pickle").write_bytes(GOOD)
    np.testing.assert_array_equal(read_field(tmp_path / "a.pickle"), [1, 2, 3, 4])


def test_a_stream_of_a_gigabyte_is_described_without_reading_it(tmp_path: Path) -> None:
    entries = 1 << 28
    size = b"J" + struct.pack("<i", entries)
    head = stream(MAGIC, VERSION, MACHINE, described(size=size), KEYS, struct.pack("<q", entries))
    length = struct.pack("<Q", len(head) + 4 * entries)
    begin, _, end = one(load(b"", b"\x8e" + length), shape=size + b"\x85").partition(b"\x8e" + length)
    path = tmp_path / "big.pickle"
    with path.open("wb") as file:
        file.write(begin + b"\x8e" + length + head)
        file.seek(4 * entries, os.SEEK_CUR)  # a hole: it takes no room
        file.write(end)
    tracemalloc.start()
    try:
        found = read_tensors(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert found["t0"].shape == (entries,)
    assert not found["t0"][::1_000_000].any()


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_what_torch_pickles_is_read_exactly(protocol: int, tmp_path: Path) -> None:
    made = torch.Generator().manual_seed(protocol)
    types = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
    tensors = {f"layers.{n}.dense": torch.randn(3, 4, generator=made).to(kind) for n, kind in enumerate(types)}
    tensors["view"] = torch.arange(12.0).reshape(3, 4).T[1:]
    tensors["parameter"] = torch.nn.Parameter(torch.ones(2))
    with (tmp_path / "a.pickle").open("wb") as file:
        pickle.dump(tensors, file, protocol=protocol)
    found = read_tensors(tmp_path / "a.pickle")
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(np.asarray(found[name], np.float64), tensor.detach().double().numpy())
