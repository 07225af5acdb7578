"""An unpickler that can build dictionaries, lists, numbers and descriptions of tensors, and nothing else.

It never imports or calls what a pickle names: `Global` is only a name, and the caller's `build` decides what a
name applied to arguments stands for.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


class PickleError(Exception):
    """The pickle is broken or asks for something outside dictionaries of tensors; the text completes a sentence."""


class Text(Protocol):
    """The bytes of a pickle: in memory, or mapped."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...

    def find(self, sub: bytes, start: int, /) -> int:
        """Where some bytes come first, as `bytes.find` gives it."""
        ...


@dataclass(frozen=True)
class Global:
    """A name that the pickle refers to, such as ``torch FloatStorage``; never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Record:
    """What stands for an object that a pickle would build: a name, arguments and a state, and no behaviour."""

    reference: Global
    arguments: tuple
    state: Any = None


_MARK = object()
_KEYS = (str, int, bool, type(None))
_LONGEST_KEY = 64  # bits; longer integers can be made to collide in a dictionary by the million
# What each instruction carries with it: a struct format for fixed sizes, a length's format for texts.
_FIXED = {
    b"\x80": "<B", b"\x95": "<Q", b"K": "<B", b"M": "<H", b"J": "<i", b"G": ">d",
    b"q": "<B", b"r": "<I", b"h": "<B", b"j": "<I",
}  # fmt: skip
_COUNTED = {b"X": "<I", b"\x8c": "<B", b"\x8d": "<Q", b"\x8a": "<B"}
_BYTES = {b"C": "<B", b"B": "<I", b"\x8e": "<Q"}
_CONSTANTS: dict[bytes, Any] = {b"N": None, b"\x88": True, b"\x89": False}
_FORBIDDEN = {
    b"i": "INST", b"o": "OBJ", b"\x81": "NEWOBJ", b"\x92": "NEWOBJ_EX", b"P": "PERSID",
    b"\x82": "EXT1", b"\x83": "EXT2", b"\x84": "EXT4", b"\x97": "NEXT_BUFFER", b"\x98": "READONLY_BUFFER",
}  # fmt: skip


class Unpickler:
    """Runs one pickle over a stack of harmless values.

    ``allow`` is called with each `Global` the pickle names and raises `PickleError` for all but the known ones;
    ``build`` gives the description that stands for a call, ``storage`` that of a stored array. With ``records``
    objects of the allowed names become inert :class:`Record` descriptions; without, a pickle with any is refused.
    ``blob`` is given the place and the length of bytes in the pickle, which are not read; without it they are
    refused. More than ``most`` bytes besides are refused.
    """

    def __init__(
        self,
        data: Text,
        allow: Callable[[Global], None],
        build: Callable[[Global, tuple], Any],
        storage: Callable[[Any], Any],
        *,
        records: bool = False,
        blob: Callable[[int, int], Any] | None = None,
        start: int = 0,
        most: int | None = None,
    ) -> None:
        self.position = start
        """Where the next instruction begins; after `run`, where what follows the pickle does."""
        self._data, self._records, self._blob = data, records, blob
        self._left = len(data) if most is None else most
        self._allow, self._build, self._storage = allow, build, storage
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value that the pickle describes."""
        while True:
            code = self._take(1)
            if code == b".":
                return self._pop()
            self._step(code)

    def _step(self, code: bytes) -> None:
        if code in _CONSTANTS:
            self._stack.append(_CONSTANTS[code])
        elif code in _FIXED:
            (number,) = struct.unpack(_FIXED[code], self._take(struct.calcsize(_FIXED[code])))
            self._numbered(code, number)
        elif code in _COUNTED:
            (length,) = struct.unpack(_COUNTED[code], self._take(struct.calcsize(_COUNTED[code])))
            text = self._take(length)
            self._stack.append(int.from_bytes(text, "little", signed=True) if code == b"\x8a" else _text(text))
        elif code in _BYTES and self._blob:
            (length,) = struct.unpack(_BYTES[code], self._take(struct.calcsize(_BYTES[code])))
            self._stack.append(self._blob(self.position, self._skip(length)))
        elif code in _PLAIN:
            _PLAIN[code](self)
        elif code == b"\x81" and self._records:
            self._call(Record, "builds something that is not an object")
        elif code in _FORBIDDEN:
            raise PickleError(f"uses the instruction {_FORBIDDEN[code]}, which builds objects")
        else:
            raise PickleError(f"uses the instruction {code!r}, which dictionaries of tensors do not need")

    def _numbered(self, code: bytes, number: Any) -> None:
        if code in b"KMJG":
            self._stack.append(number)
        elif code in b"qr":
            self._memo[number] = self._top()
        elif code in b"hj":
            if number not in self._memo:
                raise PickleError("is broken: it recalls a value that it never stored")
            self._stack.append(self._memo[number])
        elif code == b"\x80" and number > 5:
            raise PickleError(f"has the unknown pickle version {number}")

    def _take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self._data):
            raise PickleError("is cut off in the middle of its description")
        self._left -= count
        if self._left < 0:
            raise PickleError("describes more than a dictionary of tensors needs")
        taken, self.position = self._data[self.position : end], end
        return taken

    def _skip(self, count: int) -> int:
        if count > len(self._data) - self.position:
            raise PickleError("is cut off in the middle of its bytes")
        self.position += count
        return count

    def _line(self) -> str:
        end = self._data.find(b"\n", self.position)
        line = self._take((end if end >= 0 else len(self._data)) + 1 - self.position)
        return _text(line[:-1])

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise PickleError("is broken: an instruction lacks its value")
        return self._stack[-1]

    def _pop(self) -> Any:
        value = self._top()
        self._stack.pop()
        return value

    def _since_mark(self) -> list[Any]:
        for place in range(len(self._stack) - 1, -1, -1):
            if self._stack[place] is _MARK:
                items = self._stack[place + 1 :]
                del self._stack[place:]
                return items
        raise PickleError("is broken: a list of values has no beginning")

    def _last(self, count: int) -> list[Any]:
        return [self._pop() for _ in range(count)][::-1]

    def _refer(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise PickleError("is broken: it refers to something that is not a name")
        reference = Global(module, name)
        self._allow(reference)
        self._stack.append(reference)

    def _call(self, build: Callable[[Global, tuple], Any], fault: str) -> None:
        function, arguments = self._last(2)
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise PickleError(f"is broken: it {fault}")
        self._stack.append(build(function, arguments))

    def _set_items(self, items: list[Any]) -> None:
        table = self._top()
        if not isinstance(table, dict) or len(items) % 2:
            raise PickleError("is broken: it fills something that is not a dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if isinstance(key, Record):
                table[key] = value
                continue
            if not isinstance(key, _KEYS) or (isinstance(key, int) and key.bit_length() > _LONGEST_KEY):
                raise PickleError("has a dictionary whose keys are not names")
            if key in table:
                raise PickleError(f"has the name {ascii(key)[:80]} twice")
            table[key] = value

    def _append(self, items: list[Any]) -> None:
        values = self._top()
        if not isinstance(values, list):
            raise PickleError("is broken: it appends to something that is not a list")
        values.extend(items)

    def _set_state(self) -> None:
        # State dictionaries carry module versions as attributes of their OrderedDict; they hold no tensors.
        state, target = self._pop(), self._top()
        if isinstance(target, Record):
            target.state = state
        elif not isinstance(target, dict):
            raise PickleError("sets the state of an object")

    def _drop(self) -> None:
        if not self._stack:
            raise PickleError("is broken: an instruction lacks its value")
        self._stack.pop()


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise PickleError("is broken: a name in it is not text") from None


_PLAIN: dict[bytes, Callable[[Unpickler], Any]] = {
    b"(": lambda m: m._stack.append(_MARK),
    b"}": lambda m: m._stack.append({}),
    b"]": lambda m: m._stack.append([]),
    b")": lambda m: m._stack.append(()),
    b"t": lambda m: m._stack.append(tuple(m._since_mark())),
    b"\x85": lambda m: m._stack.append(tuple(m._last(1))),
    b"\x86": lambda m: m._stack.append(tuple(m._last(2))),
    b"\x87": lambda m: m._stack.append(tuple(m._last(3))),
    b"\x94": lambda m: m._memo.__setitem__(len(m._memo), m._top()),
    b"c": lambda m: m._refer(m._line(), m._line()),
    b"\x93": lambda m: m._refer(*m._last(2)),
    b"R": lambda m: m._call(m._build, "applies something that is not a function"),
    b"Q": lambda m: m._stack.append(m._storage(m._pop())),
    b"s": lambda m: m._set_items(m._last(2)),
    b"u": lambda m: m._set_items(m._since_mark()),
    b"a": lambda m: m._append(m._last(1)),
    b"e": lambda m: m._append(m._since_mark()),
    b"b": lambda m: m._set_state(),
    b"0": lambda m: m._drop(),
}
