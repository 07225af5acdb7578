"""Names of tensors: without what wrappers put into them, and the orders in which tensors make up a field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from gradcascade.errors import InputError

# `module` alone is a name that models use themselves, so it counts only where every wrapper puts it: in front.
_ANYWHERE = frozenset(
    {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module", "_ddp_module"}
)
_IN_FRONT = _ANYWHERE | {"module"}

PICO_ENDING = re.compile(
    r"(?:.*\.)?layers\.([0-9]{1,6})\.(attention\.v_proj|attention\.o_proj|swiglu\.w_2)(?:\.weight)?"
)
"""How the names of Pico's tensors end, in gradient files and in checkpoints."""


def without_wrappers(name: str) -> str:
    """The name as the bare model has it: ``_forward_module.module.layers.0._orig_mod.w`` is ``layers.0.w``."""
    parts = name.split(".")
    start = 0
    while start < len(parts) - 1 and parts[start] in _IN_FRONT:
        start += 1
    return ".".join(part for part in parts[start:] if part not in _ANYWHERE) or name


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Every name with its plain one; all stay as they are if two of them would become one."""
    names = list(names)
    plain = {name: without_wrappers(name) for name in names}
    return plain if len(set(plain.values())) == len(plain) else {name: name for name in names}


def natural(text: str) -> list[tuple[int, str]]:
    """Sorting key that puts d24 before d192."""
    return [
        (int(part), "") if part.isdigit() and part.isascii() else (-1, part) for part in re.split("([0-9]+)", text)
    ]


def short_name(name: str) -> str:
    """The name that a tensor shares in gradient files and checkpoints: no wrapper prefix, no ``.weight``."""
    if match := PICO_ENDING.fullmatch(name):
        return f"layers.{int(match[1])}.{match[2]}"
    return without_wrappers(name).removesuffix(".weight")


def grouped(names: Sequence[str]) -> list[str]:
    """Tensors together whose names differ in numbers only; groups and members keep their order."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(re.sub(r"(?<![^.])[0-9]+(?![^.])", "#", name), []).append(name)
    return [name for group in groups.values() for name in group]


def canonical_order(names: Iterable[str]) -> list[str]:
    """Put names of tensors into the order in which fields are measured, which depends on the names alone.

    It is the same for every file format, trainer and scale, and for live fields: names are compared without what
    wrappers put into them and without an ending ``.weight``, numbers in them by value.

    Parameters
    ----------
    names : iterable of str
        Such as the keys of ``dict(model.named_parameters())``.

    Returns
    -------
    list of str

    Examples
    --------
    >>> import gradcascade as gc
    >>> gc.canonical_order(["h.10.w.weight", "h.2.w.weight", "module.emb.weight"])
    ['module.emb.weight', 'h.2.w.weight', 'h.10.w.weight']
    """
    return sorted(names, key=lambda name: (natural(short_name(name)), name))


ORDERS: dict[str, Callable[[Sequence[str]], list[str]]] = {
    "canonical": canonical_order,
    "file": list,
    "sorted": sorted,
    "grouped": grouped,
    "model": list,
}
"""Orders of a field's tensors: each puts the names, given in file order, into its own.

``model`` is that of the model's modules; only a manifest knows it, which then gives the names in it.
"""


def ordered(names: Iterable[str], order: str) -> list[str]:
    """Put tensor names, given in file order, into one of the `ORDERS`."""
    if order not in ORDERS:
        raise InputError(f"there is no tensor order {order!r}; choose from {', '.join(ORDERS)}")
    return ORDERS[order](list(names))
