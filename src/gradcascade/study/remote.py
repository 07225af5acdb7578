"""Opens the family of a plan that lies on the hub."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.sources.hub_source import HubSource, discover_hub
from gradcascade.sources.trees.hub.address import Address
from gradcascade.sources.trees.hub.client import HubClient
from gradcascade.sources.trees.hub.space import Space
from gradcascade.study.plan import FamilyPlan

DOWNLOADS = "hub"
"""Folder of a study through which downloads pass."""


def open_hub(study: Path, family: FamilyPlan, watch: Callable[[str, int, int], None] | None = None) -> HubSource:
    """Find what a plan asks of the hub; nothing large is fetched yet."""
    if not family.hub:
        raise InputError(f"the family {family.name!r} is not on the hub; give it repositories")
    client = HubClient(watch=watch)
    space = Space(study / DOWNLOADS / _folder_name(family.name))
    places = {run: Address.of(text) for run, text in family.hub.places.items()}
    return discover_hub(
        client,
        space,
        family.name,
        family.hub.layout,
        places,
        steps=family.hub.steps,
        which=family.gradients,
        order=family.order,
        label=family.label,
        select=family.tensors,
        fields=family.fields,
        optimizer=family.optimizer.settings if family.optimizer else None,
    )


def _folder_name(family: str) -> str:
    """A name for a folder, whatever the family is called."""
    plain = re.sub(r"[^\w-]", "_", family, flags=re.ASCII)[:40]
    return plain if plain == family else f"{plain}-{hashlib.sha256(family.encode()).hexdigest()[:8]}"
