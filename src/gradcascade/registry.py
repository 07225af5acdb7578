"""Finds what the modules of a package declare: one module, one object, and nothing else to edit.

``NULLS = Registry("gradcascade.fields.nulls", Null, "null")`` holds the object called ``NULL`` of every module of
that package; ``base``, and modules whose name begins with an underscore, hold what the others share.
"""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar

from gradcascade.errors import InputError


class Entry(Protocol):
    """What a registry needs of an object: a name, and its place among the others (then by name)."""

    @property
    def name(self) -> str:
        """Name that users choose it by."""
        ...

    @property
    def order(self) -> float:
        """Entries are listed by ascending order; equal ones by name."""
        ...


T = TypeVar("T", bound=Entry)


class Registry(Mapping[str, T], Generic[T]):
    """The objects that the modules of a package declare, in their order, found when first asked for."""

    def __init__(
        self, package: str, kind: type[T], noun: str, attribute: str | None = None, *, subclasses: bool = False
    ) -> None:
        self.package, self.kind, self.noun, self.subclasses = package, kind, noun, subclasses
        self.attribute = attribute or kind.__name__.upper()
        self._registered: list[T] = []
        self._found: tuple[tuple[str, ...], list[T]] = (), []
        self._entries: dict[str, T] = {}

    def _all(self) -> dict[str, T]:
        package = import_module(self.package)
        places = tuple(package.__path__)
        if places != self._found[0]:
            self._entries = self._ordered(found := self._discover(places))
            self._found = places, found
        return self._entries

    def _discover(self, places: tuple[str, ...]) -> list[T]:
        names = sorted({module.name for module in pkgutil.iter_modules(places)})
        return [self._declared(name) for name in names if name != "base" and not name.startswith("_")]

    def _declared(self, name: str) -> T:
        module = import_module(f"{self.package}.{name}")
        entry: Any = getattr(module, self.attribute, None)
        what = f"{self.attribute} of class {self.kind.__name__}"
        if self.subclasses:
            kinds = [it for it in vars(module).values() if isinstance(it, type) and issubclass(it, self.kind)]
            entry = next((kind for kind in kinds if kind.__module__ == module.__name__), None)
            what = f"subclass of {self.kind.__name__}"
        elif not isinstance(entry, self.kind):
            entry = None
        if entry is None:
            raise TypeError(
                f"{module.__name__} declares no {what}; declare one, or begin the module's name with an underscore "
                "if it only holds what others share"
            )
        return entry

    def _ordered(self, found: list[T]) -> dict[str, T]:
        result: dict[str, T] = {}
        for entry in sorted([*found, *self._registered], key=lambda entry: (entry.order, entry.name)):
            if entry.name in result:
                raise ValueError(f"two {self.noun}s are named {entry.name!r}; rename one of them")
            result[entry.name] = entry
        return result

    def register(self, entry: T) -> T:
        """Add an object that no module of the package declares; a name that is taken is refused."""
        if entry.name in self._all():
            raise ValueError(f"two {self.noun}s are named {entry.name!r}; rename one of them")
        self._registered.append(entry)
        self._entries = self._ordered(self._found[1])
        return entry

    @contextmanager
    def added(self, entry: T) -> Iterator[T]:
        """Have an object in the registry for as long as the block runs."""
        self.register(entry)
        try:
            yield entry
        finally:
            self._registered.remove(entry)
            self._entries = self._ordered(self._found[1])

    def __getitem__(self, name: str) -> T:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    @property
    def names(self) -> tuple[str, ...]:
        """Names in their order."""
        return tuple(self._all())

    def find(self, name: str, *, argument: str | None = None) -> T:
        """Entry of a name that a user gave; an unknown one is an :class:`InputError` that says which there are."""
        entries = self._all()
        if isinstance(name, str) and name in entries:
            return entries[name]
        near = difflib.get_close_matches(str(name), entries, 1, 0.6)
        hint = f"did you mean {near[0]!r}? There are " if near else "choose one of "
        raise InputError(f"{argument or self.noun} {name!r} is unknown; {hint}{', '.join(entries)}")
