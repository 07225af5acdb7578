"""Which tensors of a file make up a field, and in which order: named rules of choosing and named orders."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gradcascade.errors import InputError
from gradcascade.sources.pico_tensors import pico_tensors, short_name
from gradcascade.sources.stored import FLOATS, StoredTensor, shown
from gradcascade.sources.tensors import nearest

Tensors = Mapping[str, StoredTensor]

# Masks and rotary tables that GPT-NeoX and GPT-2 checkpoints carry beside the parameters. `attention.bias` is such
# a mask, while `attention.dense.bias` is a parameter.
_BUFFER = re.compile(
    r"(?:.*\.)?(?:layers\.[0-9]+\.attention\.(?:masked_)?bias|h\.[0-9]+\.attn\.(?:masked_)?bias|rotary_emb\.inv_freq)"
)


def grouped(names: Sequence[str]) -> list[str]:
    """Tensors together whose names differ in numbers only; groups and members keep their order."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(re.sub(r"(?<![^.])[0-9]+(?![^.])", "#", name), []).append(name)
    return [name for group in groups.values() for name in group]


ORDERS: dict[str, Callable[[Sequence[str]], list[str]]] = {"file": list, "sorted": sorted, "grouped": grouped}
"""Orders of a field's tensors: each puts the names, given in file order, into its own."""


def ordered(names: Iterable[str], order: str) -> list[str]:
    """Put tensor names, given in file order, into one of the `ORDERS`."""
    if order not in ORDERS:
        raise InputError(f"there is no tensor order {order!r}; choose from {', '.join(ORDERS)}")
    return ORDERS[order](list(names))


def arranged(names: Sequence[str], reference: Sequence[str], key: Callable[[str], str]) -> list[str]:
    """Names in the order of a reference that may lack some of them; those keep the places they had.

    `key` gives what a name and its counterpart in the reference have in common.
    """
    place: dict[str, int] = {}
    for number, name in enumerate(reference):
        place.setdefault(key(name), number)
    known = iter(sorted((name for name in names if key(name) in place), key=lambda name: place[key(name)]))
    return [next(known) if key(name) in place else name for name in names]


def selected(names: Sequence[str], patterns: Sequence[str], where: str) -> list[str]:
    """The names that one of the shell patterns (``*``, ``?``, ``[...]``) matches; one without any is refused."""
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            raise InputError(f"{where}: no tensor matches {shown(pattern)}; {nearest(pattern, names)}")
    return [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


@dataclass
class Chosen:
    """What a rule takes of a file, by the names of the field, and why it leaves the rest out."""

    tensors: dict[str, StoredTensor]
    left_out: dict[str, str] = field(default_factory=dict)
    """Reason by name in the file."""


def parameters(tensors: Tensors) -> dict[str, StoredTensor]:
    """The trainable parameters of a checkpoint: no masks, no tables, no integers; tied weights once."""
    return _parameters(tensors, "").tensors


def _parameters(tensors: Tensors, where: str) -> Chosen:
    found = Chosen({})
    places = set()
    for name, tensor in tensors.items():
        place = (tensor.path, tensor.offset, tensor.shape, tensor.strides)
        if tensor.dtype not in FLOATS:
            found.left_out[name] = "not of floating-point numbers"
        elif _BUFFER.fullmatch(name):
            found.left_out[name] = "a mask or a table"
        elif place in places and tensor.size:
            found.left_out[name] = "tied to another"
        else:
            found.tensors[name] = tensor
            places.add(place)
    return found


def _pico(tensors: Tensors, where: str) -> Chosen:
    chosen = pico_tensors(tensors, where)
    kept = set(map(id, chosen.values()))
    return Chosen(chosen, {name: "not one of Pico's" for name, tensor in tensors.items() if id(tensor) not in kept})


RULES: dict[str, Callable[[Tensors, str], Chosen]] = {"pico": _pico, "parameters": _parameters}
"""Rules of choosing a file's tensors: each takes them, and the file's name for messages."""


@dataclass(frozen=True)
class Choice:
    """Which tensors make up a field: those that patterns match on the file's own names, else those of a rule."""

    rule: str = "parameters"
    select: tuple[str, ...] = ()
    order: str = "file"

    def of(self, tensors: Tensors, where: str) -> dict[str, StoredTensor]:
        """The chosen tensors of a file, in order."""
        return self.in_order(self.described(tensors, where))

    def in_order(self, chosen: Chosen) -> dict[str, StoredTensor]:
        """The chosen tensors, in order."""
        return {name: chosen.tensors[name] for name in ordered(chosen.tensors, self.order)}

    def described(self, tensors: Tensors, where: str) -> Chosen:
        """The chosen tensors of a file, as they lie in it, and why the others are left out."""
        if self.select:
            names = selected(list(tensors), self.select, where)
            found = Chosen({name: tensors[name] for name in names})
            found.left_out = {name: "no pattern matches it" for name in tensors if name not in found.tensors}
        else:
            found = RULES[self.rule](tensors, where)
        if not any(tensor.size for tensor in found.tensors.values()):
            raise InputError(f"{where} holds no parameters of floating-point numbers; name a checkpoint that does")
        return found

    @property
    def by_short_name(self) -> bool:
        """Whether the names are those that gradient files and checkpoints share."""
        return self.rule == "pico" and not self.select

    @property
    def mark(self) -> str:
        """Stands for the choice in the revision of files on disk; its form is that of the first studies."""
        return f"Choice(pico={self.rule == 'pico'}, select={self.select!r}, order={self.order!r})"


__all__ = ["ORDERS", "RULES", "Choice", "Chosen", "arranged", "ordered", "parameters", "selected", "short_name"]
