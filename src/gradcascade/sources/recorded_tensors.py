"""The tensors of a run as they were first read, which every later snapshot must have too."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gradcascade import families
from gradcascade.errors import InputError
from gradcascade.files import write_whole
from gradcascade.sources.base import Description
from gradcascade.sources.contents import refuse_other_kinds
from gradcascade.sources.stored import StoredTensor, shown
from gradcascade.sources.trees.base import Part
from gradcascade.tensor_names import ordered


@dataclass(frozen=True)
class RecordedTensors:
    """Names and shapes of the tensors that make up the fields of one run, in the order of the first file read.

    They are kept in `file`, so that a run that is continued keeps to them; a published `repository` must have its N,
    where the tensors are those of the family's file.
    """

    file: Path
    repository: str
    order: str
    published: bool = True
    others: tuple[tuple[str, Path], ...] = ()
    """Names and records of the family's other runs, which must hold the same kinds of tensors in the same order."""

    def names(self, tensors: Mapping[str, StoredTensor], part: Part, path: Path) -> list[str]:
        """Names of the tensors in the order of the field; refused if they are not those of the run."""
        where = part.where
        found = {name: tensor.shape for name, tensor in tensors.items()}
        known = self._known()
        if known is None:
            entries = sum(map(math.prod, found.values()))
            published = families.expected_entries(self.repository) if self.published else None
            if published is not None and entries != published:
                raise InputError(
                    f"{where} gives a field of {entries:,} entries, and that of {self.repository} has {published:,} "
                    "(see `gradcascade families`); it is another model"
                )
            self._compare(found)
            self._keep(found)
            known = found
        for name in {**known, **found}:
            if known.get(name) != found.get(name):
                raise InputError(
                    f"{where} has the tensor {shown(name)} {_described(found.get(name))}, and what was read before "
                    f"of {self.repository} has it {_described(known.get(name))}; it is another model"
                )
        return ordered(known, self.order)

    def _compare(self, found: Mapping[str, tuple[int, ...]]) -> None:
        """Refuse what no one could fit together with the runs that were read before."""
        own = _description(found, self.order)
        for name, file in self.others:
            if (known := _read(file)) is not None:
                refuse_other_kinds(self.repository, own, name, _description(known, self.order))

    def in_order(self, order: str) -> RecordedTensors:
        """The same with another of the `ORDERS`."""
        return replace(self, order=order)

    def shapes(self) -> dict[str, tuple[int, ...]] | None:
        """Shape by name of the tensors of the run's fields, in order; None if nothing was read yet."""
        known = self._known()
        return None if known is None else {name: known[name] for name in ordered(known, self.order)}

    def _known(self) -> dict[str, tuple[int, ...]] | None:
        return _read(self.file)

    def _keep(self, found: Mapping[str, tuple[int, ...]]) -> None:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.file, json.dumps(list(found.items())))
        except OSError as error:
            raise InputError(f"{self.file} cannot be written ({error.strerror}); check its folder") from None


def _read(file: Path) -> dict[str, tuple[int, ...]] | None:
    try:
        items = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): tuple(map(int, shape)) for name, shape in items}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        raise InputError(f"{file} is damaged; remove it, it is written again") from None


def _description(shapes: Mapping[str, tuple[int, ...]], order: str) -> Description:
    return Description(tuple((name, shapes[name]) for name in ordered(shapes, order)), order=order)


def _described(shape: tuple[int, ...] | None) -> str:
    return "not at all" if shape is None else f"of shape {shape}"
