"""Metrics under the names that a study gives its families, scales and runs: a match is exact, or it is asked for."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from gradcascade.errors import InputError
from gradcascade.performance.metrics import METRIC_SCHEMA
from gradcascade.performance.model_names import WHOLE, FamilyNames, ScaleNames

ORDER = ["family", "scale", "run", "step", "metric"]


@dataclass(frozen=True)
class Question:
    """A scale without a name of its own in the evaluations, and the names that resemble its."""

    scale: str
    candidates: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What is asked, and how it is answered."""
        first, *others = self.candidates
        return (
            f"no evaluations are named {self.scale}, but {' and '.join(self.candidates)} "
            f"{'are' if others else 'is'} there; say which it is with --scale "
            f"{self.scale}={first}"
        )


@dataclass(frozen=True)
class Loose:
    """A name that leaves out a part of the model's, taken as no evaluations have the whole."""

    name: str
    repository: str

    @property
    def sentence(self) -> str:
        """What was taken for what."""
        return f"evaluations named {self.name} are taken for those of {self.repository}, whose whole name none has"


@dataclass(frozen=True)
class Whole:
    """A scale of several runs whose evaluations do not say which run they are of."""

    scale: str
    runs: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What the values are kept as."""
        return (
            f"evaluations named {self.scale} do not say which of its runs ({', '.join(self.runs)}) they are of; they "
            "are kept for the scale as a whole"
        )


@dataclass(frozen=True)
class Matched:
    """Metrics under a study's names, and what was not matched."""

    metrics: pl.DataFrame
    left_over: tuple[str, ...]
    """Names in the evaluations that are none of the study's."""
    questions: tuple[Question, ...]
    remarks: tuple[Loose | Whole, ...]


def match(
    metrics: pl.DataFrame, known: Iterable[FamilyNames], given: Mapping[str, Mapping[str, str]] | None = None
) -> Matched:
    """Give metrics the names of a study; ``given`` says by family which name a scale (or ``scale:run``) has."""
    if "run" not in metrics.columns:
        metrics = metrics.with_columns(run=pl.lit(WHOLE))
    parts, remarks, questions = [], list[Loose | Whole](), list[Question]()
    used = set[tuple[str, str, str]]()
    families = set[str]()
    for family in sorted(known, key=lambda one: one.family):
        families.add(family.family)
        table = metrics.filter(pl.col("family") == family.family)
        names = table["scale"].unique().sort().to_list()
        found = _found(family, names, (given or {}).get(family.family, {}))
        for one, name in found:
            rows = table.filter(pl.col("scale") == name)
            own = pl.col("run").is_in([WHOLE, *(family.runs[one.scale] if one.run == WHOLE else [])])
            rows = rows.filter(own)
            used.update((family.family, name, run) for run in rows["run"].unique())
            run = pl.when(pl.col("run") == WHOLE).then(pl.lit(one.run)).otherwise("run")
            parts.append(rows.with_columns(scale=pl.lit(one.scale), run=run))
            if name in one.loose and name not in one.names:
                remarks.append(Loose(name, one.repository))
            labels = tuple(sorted(family.runs[one.scale]))
            if one.run == WHOLE and WHOLE not in labels and rows["run"].eq(WHOLE).any():
                remarks.append(Whole(one.scale, labels))
        matched = {name for _, name in found}
        questions += _questions(family, [one for one, _ in found], [name for name in names if name not in matched])
    there = set(metrics.select("family", "scale", "run").unique().rows())
    left_over = sorted(
        (name if family in families else f"{family} {name}") + ("" if run == WHOLE else f", run {run}")
        for family, name, run in there - used
    )
    columns = ["family", "scale", "run", *(name for name in METRIC_SCHEMA if name not in ("family", "scale"))]
    empty = metrics.select(columns).clear()
    table = pl.concat([part.select(columns) for part in parts]) if parts else empty
    return Matched(table.sort(ORDER), tuple(left_over), tuple(questions), tuple(remarks))


def _found(family: FamilyNames, names: Sequence[str], given: Mapping[str, str]) -> list[tuple[ScaleNames, str]]:
    """Each scale or run that has a name in the evaluations, and that name; none stands for two."""
    labels = {one.label: one for one in family.scales}
    for label, name in given.items():
        if label not in labels:
            raise InputError(f"the family {family.family!r} has no scale {label!r}; it has {', '.join(labels)}")
        if name not in names:
            raise InputError(
                f"no evaluations of the family {family.family!r} are named {name!r}; there are "
                f"{', '.join(names) or 'none'}"
            )
    found = [(labels[label], name) for label, name in given.items()]
    left = [name for name in names if name not in given.values()]
    rest = [one for one in family.scales if one.label not in given]
    exact = [(one, name) for one in rest if (name := _first(one.names, left)) is not None]
    # A name without the ending that the family's repositories have is another model's where the ending occurs.
    if not any(one.loose for one, _ in exact):
        done = [one for one, _ in exact]
        exact += [(one, name) for one in rest if one not in done and (name := _first(one.loose, left)) is not None]
    return found + exact


def _first(wanted: Sequence[str], names: Sequence[str]) -> str | None:
    """The first of the names wanted that is there: whole, or as the one model of that name whoever its owner is."""
    for name in wanted:
        if name in names:
            return name
    for name in wanted:
        if "/" not in name and len(near := [other for other in names if other.rpartition("/")[2] == name]) == 1:
            return near[0]
    return None


def _questions(family: FamilyNames, found: Sequence[ScaleNames], left: Sequence[str]) -> list[Question]:
    scales = {one.scale for one in found}
    asked = []
    for scale in family.runs:
        near = tuple(name for name in left if _resemble(name, scale))
        if scale not in scales and near:
            asked.append(Question(scale, near))
    return asked


def _resemble(name: str, scale: str) -> bool:
    """Whether one has the other among its parts; only to ask, never to decide."""
    one, other = (f"-{re.sub('[-_./]+', '-', text.lower())}-" for text in (name, scale))
    return one in other or other in one
