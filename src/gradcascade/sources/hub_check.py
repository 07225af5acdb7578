"""Asks the hub whether the repositories of a family have what its file says."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gradcascade.errors import InputError, RepositoryRefusedError, SourceLostError
from gradcascade.families import Family
from gradcascade.sources.base import UPDATE, RunName
from gradcascade.sources.layouts import LAYOUTS
from gradcascade.sources.layouts.base import Run
from gradcascade.sources.trees.hub.address import Address
from gradcascade.sources.trees.hub.client import HubClient
from gradcascade.sources.trees.hub.remote_run import RemoteRun
from gradcascade.sources.trees.hub.space import Space

_TOKENS = re.compile(r"tokens([0-9]+(?:[.][0-9]+)?)B")


@dataclass(frozen=True)
class Difference:
    """Something that the file says of a run and the hub does not, or the other way round."""

    code: str
    """``unreadable``, ``missing-steps``, ``further-steps`` or ``tokens``."""
    sentence: str
    steps: tuple[int, ...] = ()


@dataclass(frozen=True)
class Checked:
    """What the hub has of one run."""

    scale: str
    run: str
    place: str
    steps: tuple[int, ...]
    differences: tuple[Difference, ...]


def check_family(client: HubClient, known: Family, preset: str, runs: Sequence[str]) -> Iterator[Checked]:
    """Compare the branches and commits of every run with the family's file; no weights are fetched."""
    with tempfile.TemporaryDirectory(prefix="gradcascade-") as folder:
        space = Space(Path(folder))
        for run in runs:
            for scale, place in known.repositories(run, known.variant(preset)).items():
                yield _checked(client, space, known, scale, run, place)


def _checked(client: HubClient, space: Space, known: Family, scale: str, label: str, place: str) -> Checked:
    address = Address.of(place)
    layout = LAYOUTS.find(known.layout, argument="layout")
    repository = client.repository(address.name)
    remote = RemoteRun(RunName(scale, label), address, repository, space, space.small(repository))
    try:
        if layout.on_hub is None:
            raise InputError(f"the layout {layout.name} cannot be listed without a folder; measure with --dry-run")
        run = layout.on_hub(remote, "train")
    except InputError as error:
        if isinstance(error, SourceLostError) and not isinstance(error, RepositoryRefusedError):
            raise  # the hub itself
        return Checked(scale, label, place, (), (Difference("unreadable", str(error)),))
    there = tuple(run.parts(None if UPDATE in known.fields else "train"))
    return Checked(scale, label, place, there, tuple(_differences(known, scale, run, there)))


def _differences(known: Family, scale: str, run: Run, there: tuple[int, ...]) -> Iterator[Difference]:
    if known.steps is not None:
        if missing := tuple(sorted(set(known.steps) - set(there))):
            yield Difference("missing-steps", f"{_counted(missing)} of the file are not at the hub", missing)
        if further := tuple(sorted(set(there) - set(known.steps))):
            yield Difference("further-steps", f"{_counted(further)} at the hub are not in the file", further)
    elif known.n_steps is not None and len(there) != known.n_steps:
        yield Difference("steps", f"{len(there)} steps are at the hub, {known.n_steps} in the file")
    if each := known.scales[scale].tokens:
        wrong = [step for step, part in run.parts(None).items() if _disagrees(part.source, step * each)]
        if wrong:
            yield Difference("tokens", f"{_counted(wrong)} name other tokens than {each:,} a step give", tuple(wrong))


def _disagrees(name: str, tokens: int) -> bool:
    """Whether a branch names another number of tokens, in billions rounded up or to the nearest."""
    match = _TOKENS.search(name)
    return match is not None and not -0.51 <= float(match[1]) - tokens / 1e9 <= 1


def _counted(steps: Sequence[int]) -> str:
    if len(steps) == 1:
        return f"step {steps[0]:,}"
    return f"{len(steps)} steps ({steps[0]:,} to {steps[-1]:,})"
