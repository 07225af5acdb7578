"""The kinds of field, one file each."""

from __future__ import annotations

from collections.abc import Iterable

from gradcascade.fields.kinds.base import FieldKind, Groups, Optimizer, Parts
from gradcascade.registry import Registry

FIELD_KINDS = Registry("gradcascade.fields.kinds", FieldKind, "kind of field", "FIELD_KIND")

__all__ = ["FIELD_KINDS", "FieldKind", "Groups", "Optimizer", "Parts", "field_plural", "in_field_order"]


def field_plural(name: str) -> str:
    """Plural of a kind of field, also of one that no file declares."""
    return FIELD_KINDS[name].plural if name in FIELD_KINDS else f"{name} fields"


def in_field_order(names: Iterable[str]) -> list[str]:
    """Kinds of field in their order; those that no file declares come last, by name."""
    known = FIELD_KINDS.names
    return sorted(set(names), key=lambda name: (known.index(name) if name in known else len(known), name))
