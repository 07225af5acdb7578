"""What a live model's parameters are, and whether this process holds them in full."""

from __future__ import annotations

import difflib
import fnmatch
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from gradcascade import __version__
from gradcascade.errors import InputError
from gradcascade.probe.tensor import refuse_part
from gradcascade.sources.base import Description
from gradcascade.sources.manifest import Manifest, Parameter
from gradcascade.tensor_names import ordered, plain_names

if TYPE_CHECKING:
    from torch import nn

    ShapeOf = Callable[[str, nn.Parameter], tuple[int, ...]]

_WEIGHT = ".weight"


@dataclass(frozen=True)
class ModelParameters:
    """The parameters of a model by their plain names, tied ones once."""

    stored: dict[str, nn.Parameter]
    """Every parameter, in the order of the model."""
    field: dict[str, nn.Parameter]
    """Those that make up the fields."""
    frozen: tuple[str, ...]
    """Those that the patterns name and that are not trained."""
    manifest: Manifest

    def description(self, order: str) -> Description:
        """What the fields hold, with the tensors in an order by its name."""
        every = self.manifest.parameters
        in_field = [own for own in every if own.in_field]
        reasons = Counter(
            "tied" if own.tied_to else "chosen otherwise" if own.trainable else "frozen"
            for own in every
            if not own.in_field
        )
        chosen = "that the patterns name" if self.manifest.patterns else "that were trained when measuring began"
        return Description(
            tuple((name, self.shapes[name]) for name in ordered([own.name for own in in_field], order)),
            tuple(reasons.items()),
            f"the parameters {chosen}",
            order,
            tuple(sorted({own.dtype for own in in_field})),
        )

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Whole shapes by name."""
        return {parameter.name: parameter.shape for parameter in self.manifest.parameters}


def parameters_of(
    model: nn.Module, patterns: Sequence[str] | None, shape_of: ShapeOf | None = None
) -> ModelParameters:
    """Describe a model; ``patterns`` as :class:`gradcascade.Recorder` takes them, None for all that is trainable.

    Where parts of tensors are gathered, ``shape_of`` gives their whole shapes; else they are refused.
    """
    every = dict(model.named_parameters(remove_duplicate=False))
    plain = plain_names(every)
    first: dict[int, str] = {}
    for name, parameter in every.items():
        first.setdefault(id(parameter), plain[name])
    stored = {first[id(parameter)]: parameter for parameter in every.values()}
    for name, parameter in stored.items():
        if shape_of is None:
            refuse_part(name, parameter)
    chosen = {plain[name] for name in _matching(plain, patterns)} if patterns is not None else set(plain.values())
    chosen = {first[id(parameter)] for name, parameter in every.items() if plain[name] in chosen}
    frozen = tuple(name for name, parameter in stored.items() if name in chosen and not parameter.requires_grad)
    field = {name: parameter for name, parameter in stored.items() if name in chosen and parameter.requires_grad}
    if not field:
        what = "of its parameters" if patterns is None else f"of those that match {', '.join(patterns)}"
        raise InputError(f"the model trains none {what}; record one that is being trained, or other parameters")
    described = tuple(
        Parameter(
            name=plain[name],
            shape=shape_of(plain[name], parameter) if shape_of else tuple(parameter.shape),
            dtype=str(parameter.dtype).removeprefix("torch."),
            trainable=parameter.requires_grad,
            tied_to=None if first[id(parameter)] == plain[name] else first[id(parameter)],
            in_field=plain[name] in field,
        )
        for name, parameter in every.items()
    )
    taken_off = {part for name in every for part in name.split(".")} - {
        part for name in plain.values() for part in name.split(".")
    }
    manifest = Manifest(
        written_by=f"gradcascade {__version__}",
        patterns=tuple(patterns or ()),
        parameters=described,
        wrappers=tuple(sorted(taken_off)),
    )
    return ModelParameters(stored, field, frozen, manifest)


def some_of(names: Sequence[str]) -> str:
    """Names in words: the first, and how many more."""
    return f"{names[0]} and {len(names) - 1} more parameters" if len(names) > 1 else names[0]


def _matching(plain: dict[str, str], patterns: Sequence[str]) -> list[str]:
    """Names that end like a pattern, with or without a final ``.weight``."""
    short = {name: own.removesuffix(_WEIGHT) for name, own in plain.items()}
    found: dict[str, None] = {}
    for pattern in patterns:
        hits = [
            name
            for name in plain
            if fnmatch.fnmatchcase(short[name], f"*{pattern}") or fnmatch.fnmatchcase(plain[name], f"*{pattern}")
        ]
        if not hits:
            near = difflib.get_close_matches(pattern, short.values(), 1, 0.0)
            hint = f"its names look like {near[0]!r}" if near else "it has none"
            raise InputError(f"no parameter of the model has a name that ends like {pattern!r}; {hint}")
        found |= dict.fromkeys(hits)
    return list(found)
