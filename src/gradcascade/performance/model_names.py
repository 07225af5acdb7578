"""What evaluations may call the scales and runs of a family: exact names, never a part of one."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from gradcascade import families

WHOLE = "0"
"""Label of a scale's only run, and of values that are of the scale as a whole."""

_MARKS = "-_."
_SEED_WORDS = ("seed", "run", "rep", "trial")


@dataclass(frozen=True)
class ScaleNames:
    """The names of one run of a scale, or of the scale as a whole."""

    scale: str
    run: str
    names: tuple[str, ...]
    """The preferred first."""
    loose: tuple[str, ...] = ()
    """Names that leave out what the repository's has behind the scale (``70m`` of ``pythia-70m-deduped``)."""
    repository: str = ""

    @property
    def label(self) -> str:
        """What messages call it, and how an option names it."""
        return self.scale if self.run == WHOLE else f"{self.scale}:{self.run}"


@dataclass(frozen=True)
class FamilyNames:
    """The names of all scales and runs of a family."""

    family: str
    scales: tuple[ScaleNames, ...]
    runs: Mapping[str, Collection[str]]
    """The labels of each scale's runs."""


def family_names(
    family: str,
    runs: Mapping[str, Collection[str]],
    folders: Mapping[tuple[str, str], Collection[str]] | None = None,
    repositories: Mapping[tuple[str, str], str] | None = None,
) -> FamilyNames:
    """Every name of each run: its own, with the family's, its folders', its repository's; none claimed twice."""
    published = families.presets().get(family)
    places = repositories or (_of_preset(published[0], published[1], family) if published else {})
    found = []
    for scale, labels in runs.items():
        size, place = (
            (scale, places[scale, WHOLE])
            if (scale, WHOLE) in places
            else _of_a_run(published and published[0], scale)
        )
        exact, loose = _of_scale(family, scale, size, place)
        own = tuple((folders or {}).get((scale, WHOLE), ()))
        found.append(ScaleNames(scale, WHOLE, (*exact, *own), loose, place))
        for run in sorted(set(labels) - {WHOLE}):
            seeds = [f"{name}-{word}{mark}{run}" for name in exact for word in _SEED_WORDS for mark in ("", "-", "_")]
            place = places.get((scale, run), "")
            of_place = _of_scale(family, scale, scale, place)[0] if place else []
            names = [
                name for name in (*of_place, *(folders or {}).get((scale, run), ()), *seeds) if name not in exact
            ]
            found.append(ScaleNames(scale, run, tuple(names), (), place))
    claims = Counter(name for one in found for name in {*one.names, *one.loose})
    scales = [
        ScaleNames(
            one.scale,
            one.run,
            tuple(dict.fromkeys(n for n in one.names if claims[n] == 1 or n == one.scale)),
            one.loose,
            one.repository,
        )
        for one in found
    ]
    return FamilyNames(family, tuple(scales), {scale: set(labels) for scale, labels in runs.items()})


def _of_preset(published: families.Family, runs: Sequence[str], name: str) -> dict[tuple[str, str], str]:
    """Repositories by scale and run, of a preset's one run by scale alone."""
    by_run = {run: published.repositories(run, published.variant(name)) for run in runs}
    return {
        (scale, run if len(runs) > 1 else WHOLE): place for run, own in by_run.items() for scale, place in own.items()
    }


def _of_a_run(published: families.Family | None, scale: str) -> tuple[str, str]:
    """Size and repository of a scale that is named as a published run is: ``70m-seed3`` of Pythia."""
    if published:
        for run in published.runs:
            for size, place in published.repositories(run).items():
                short = place.partition("@")[0].rpartition("/")[2]
                if size != scale and short[max(short.find(size), 0) :] == scale:
                    return size, place
    return scale, ""


def _of_scale(family: str, scale: str, size: str, place: str) -> tuple[list[str], tuple[str, ...]]:
    """Exact and loose names of a scale that lies in a repository ``owner/name@branch:folder``, or in none."""
    with_family = [f"{family}{mark}{scale}" for mark in _MARKS]
    if not place:
        return [scale, *with_family], ()
    whole, _, folder = place.partition(":")
    repository = whole.partition("@")[0]
    short = repository.rpartition("/")[2]
    inside = [folder.rpartition("/")[2]] if folder else []
    found = re.fullmatch(rf"(?:.*[{_MARKS}])?({re.escape(size)}([{_MARKS}].*)?)", short)
    if found is None or not found[2]:
        return [scale, repository, short, *inside, *with_family], ()
    return [repository, short, found[1], *inside, *with_family], (size,)
