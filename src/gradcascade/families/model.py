"""What a family file may hold; unknown keys are refused."""

from __future__ import annotations

import fnmatch
import string
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_PARTS = ("scale", "run", "variant", "step", "tokens")
"""Parts that a pattern of repositories and branches may have."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def expand_steps(parts: Any) -> Any:
    """Steps as numbers, from numbers and texts ``"first:last:every"`` (last included)."""
    if not isinstance(parts, Iterable) or isinstance(parts, str | bytes):
        return parts
    steps: list[Any] = []
    for part in parts:
        if not isinstance(part, str):
            steps.append(part)
            continue
        try:
            first, last, every = map(int, part.split(":"))
            steps += range(first, last + 1, every)
        except ValueError:
            raise ValueError(
                f'{part!r} is not a range of steps; write "first:last:every", such as "1000:9000:1000"'
            ) from None
    return tuple(steps)


class Scale(_Strict):
    """One model size: how many entries its field has, and repositories that do not follow the family's pattern."""

    entries: int | None = Field(default=None, ge=1)
    repositories: dict[str, str] = {}
    """By run, ``owner/name``, ``owner/name@branch`` or ``owner/name@branch:folder``."""
    tokens: int | None = Field(default=None, ge=1)
    """Tokens of a step, where every step has as many."""
    runs: tuple[str, ...] | None = None
    """Runs that the scale has, where it has not all of the family's."""


class ScheduleFacts(_Strict):
    """The learning rate along training; see :class:`gradcascade.performance.schedules.LearningRate`."""

    kind: Literal["linear", "cosine", "constant"]
    peak: float = Field(gt=0, allow_inf_nan=False)
    warmup: int = Field(ge=0)
    total: int
    final: float = Field(default=0.0, ge=0, le=1)
    """Last rate as a share of the peak, of a cosine."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.warmup >= self.total:
            raise ValueError(f"the warm-up of {self.warmup} steps is not shorter than the whole of {self.total}")
        return self


class AdamFacts(_Strict):
    """Settings of Adam, which a direction depends on, where the files of the optimizer do not have them."""

    beta1: float
    beta2: float
    eps: float


class MetricFacts(_Strict):
    """The external metric that the family is compared with."""

    name: str
    reader: Literal["paloma", "lm-eval"]
    slope: str
    """Name of the slope of its logarithm on log N, as published."""
    scales: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    """Tasks of the mean by name (lm-eval)."""
    task_groups: dict[str, int] = {}
    """Tasks of the mean by how their names begin, and how many there are (lm-eval)."""
    task_groups_renamed: dict[str, str] = {}
    """How these names begin in later versions of the harness, by how they began before."""
    not_tasks: tuple[str, ...] = ()
    """Shell patterns of names that begin so and are none of these tasks: groups, and other forms of the benchmark."""


class PublishedValue(_Strict):
    """One published number."""

    field: str | None = None
    """Kind of field; by default the family's first."""
    variant: str
    quantity: str
    value: float
    sd: float | None = None
    """Spread over the window's steps; no standard error."""
    approximate: bool = False
    over: Literal["window", "run"] = "window"


class PublishedAssociation(_Strict):
    """One published correlation along training."""

    channel: str
    metric: str
    n_steps: int | None = None
    pearson: float
    partial: float | None = None


class Published(_Strict):
    """What was published of the family, and where."""

    source: str
    values: tuple[PublishedValue, ...] = ()
    associations: tuple[PublishedAssociation, ...] = ()


class Fault(_Strict):
    """A fault of what is published, as users found and reported it."""

    code: str
    repositories: tuple[str, ...] = Field(min_length=1)
    """Shell patterns on ``owner/name``."""
    steps: tuple[int, ...] = ()
    spoils: Literal["checkpoint", "difference", "nothing"]
    """``difference``: those between the steps, the last of which is spoiled first to last."""
    sentence: str
    identical: bool = False
    """Whether it says that the steps hold the same weights, which hashes of their files settle."""
    tracker: str = ""
    """Repository of the issues, ``owner/name``."""
    issues: tuple[int, ...] = ()
    references: tuple[str, ...] = ()

    _steps = field_validator("steps", mode="before")(expand_steps)

    @model_validator(mode="after")
    def _told_where(self) -> Self:
        if self.issues and not self.tracker:
            raise ValueError("a fault with issues needs the tracker they are in, owner/name")
        if self.spoils != "nothing" and not self.steps:
            raise ValueError(f"a fault that spoils a {self.spoils} needs the steps it spoils")
        return self

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it was reported."""
        return (*(f"https://github.com/{self.tracker}/issues/{number}" for number in self.issues), *self.references)

    def concerns(self, repository: str) -> bool:
        """Whether a repository, ``owner/name``, is one of those concerned."""
        return _matches(repository, self.repositories)

    def concerns_name(self, name: str) -> bool:
        """Whether a folder has the name of a repository concerned, whoever owns it."""
        return _matches(name, [pattern.partition("/")[2] for pattern in self.repositories])


class Citation(_Strict):
    """A paper to cite where the family, or some of its repositories, were measured."""

    key: str
    authors: tuple[str, ...]
    """Family name, comma, given name; the name of a body as it is."""
    title: str = ""
    year: int = 0
    arxiv: str = ""
    note: str = ""
    repositories: tuple[str, ...] = ()
    """Shell patterns; by default all of the family's."""
    names: tuple[str, ...] = ()
    """Shell patterns on the names of families on disk; by default the family's."""


class Verified(_Strict):
    """How far what the file says was checked."""

    state: Literal["measured", "listed", "documented", "inferred"]
    """``measured``: its fields were fetched and measured; ``listed``: the hub was asked; ``documented``: read in
    code, cards and papers; ``inferred``: concluded from these."""
    evidence: str


class Family(_Strict):
    """Everything known of a family of models trained alike."""

    name: str
    title: str
    order: float = 100
    """Place in lists."""
    layout: str
    fields: tuple[str, ...] = Field(min_length=1)
    tensor_order: str = "canonical"
    tensors: tuple[str, ...] = ()
    """Shell patterns of the tensors that make up a field; by default the layout's rule decides."""
    scales: dict[str, Scale] = Field(min_length=1)
    repository: str = ""
    """Pattern of the repositories with ``{scale}``, ``{run}`` and ``{variant}``; of a layout of named branches also
    of the branches, behind an @, with ``{step}`` and ``{tokens}``."""
    variants: tuple[str, ...] = ()
    """Forms of the family that are measured apart, such as training data: the first under the family's own name, each
    as ``{name}-{variant}``."""
    runs: tuple[str, ...] = ("0",)
    preset_runs: tuple[str, ...] = ()
    """Runs that are measured under the family's own name; by default all."""
    run_preset: str = ""
    """Pattern, with ``{run}``, of the name under which one run is measured alone."""
    revision: str = ""
    steps: tuple[int, ...] | None = None
    """The steps to measure; None: those that are there."""
    n_steps: int | None = None
    window: tuple[int, int] | None = None
    known_as: tuple[str, ...] = ()
    """Shell patterns of the repositories of the family and its relatives."""
    names: tuple[str, ...] = ()
    """Shell patterns of the names that such a family has on disk."""
    schedule: ScheduleFacts | None = None
    optimizer: AdamFacts | None = None
    metric: MetricFacts | None = None
    published: Published | None = None
    faults: tuple[Fault, ...] = ()
    citations: tuple[Citation, ...] = ()
    verified: Verified

    _steps = field_validator("steps", mode="before")(expand_steps)

    @field_validator("repository", "run_preset")
    @classmethod
    def _pattern(cls, text: str) -> str:
        try:
            parts = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        except ValueError as error:
            raise ValueError(
                f"{text!r} is not a pattern ({error}); write {{scale}} and {{run}} where they stand"
            ) from None
        if unknown := parts - set(_PARTS):
            raise ValueError(
                f"{text!r} has the unknown part {{{min(unknown)}}}; known are {{scale}}, {{run}}, {{variant}}, and "
                "of branches {step} and {tokens}"
            )
        return text

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.repository and any(set(self.runs) - set(scale.repositories) for scale in self.scales.values()):
            raise ValueError("neither repository, a pattern, nor the repositories of every scale and run are given")
        if unknown := set(self.preset_runs) - set(self.runs):
            raise ValueError(f"preset_runs names the run {min(unknown)!r}, which is not one of runs")
        if ("{variant}" in self.repository) != bool(self.variants):
            raise ValueError("variants and a repository with {variant} go together; give both or neither")
        for name, scale in self.scales.items():
            if unknown := set(scale.runs or ()) - set(self.runs):
                raise ValueError(f"the scale {name!r} has the run {min(unknown)!r}, which is not one of runs")
        if self.window is not None and self.window[0] > self.window[1]:
            raise ValueError(f"window ends at {self.window[1]} before it starts at {self.window[0]}")
        return self

    def repositories(self, run: str | None = None, variant: str | None = None) -> dict[str, str]:
        """The place of every scale that has a run (by default the first that is measured under the family's name)."""
        run = run or (self.preset_runs or self.runs)[0]
        return {
            name: self._place(name, run, variant)
            for name, scale in self.scales.items()
            if scale.runs is None or run in scale.runs
        }

    @cached_property
    def presets(self) -> dict[str, tuple[str, ...]]:
        """Names under which the family can be measured, and the runs that each of them means."""
        runs = self.preset_runs or self.runs
        own = {name: runs for name in (self.name, *(f"{self.name}-{variant}" for variant in self.variants))}
        return own | ({self.run_preset.format(run=run): (run,) for run in self.runs} if self.run_preset else {})

    def variant(self, preset: str) -> str | None:
        """The variant that one of the presets means."""
        found = [variant for variant in self.variants if preset == f"{self.name}-{variant}"]
        return found[0] if found else next(iter(self.variants), None)

    @property
    def places(self) -> frozenset[str]:
        """Every repository of the family, without its branch."""
        return frozenset(
            place.partition("@")[0]
            for variant in self.variants or (None,)
            for run in self.runs
            for place in self.repositories(run, variant).values()
        )

    @cached_property
    def entries(self) -> dict[str, int]:
        """Entries N of the field of every scale where they are known."""
        return {name: scale.entries for name, scale in self.scales.items() if scale.entries is not None}

    @cached_property
    def entries_by_repository(self) -> dict[str, int]:
        """The same by repository, ``owner/name``, for all runs and variants."""
        return {
            place.partition("@")[0]: self.entries[name]
            for variant in self.variants or (None,)
            for run in self.runs
            for name, place in self.repositories(run, variant).items()
            if name in self.entries
        }

    @property
    def steps_known(self) -> int | None:
        """How many steps there are, where it is known."""
        return len(self.steps) if self.steps is not None else self.n_steps

    def has(self, repository: str) -> bool:
        """Whether a repository, with or without its branch, is of this family."""
        name = repository.partition("@")[0]
        return name in self.places or _matches(name, self.known_as)

    def cited(self, name: str, repositories: Iterable[str] = ()) -> list[Citation]:
        """What to cite of a family that was fetched from repositories, or, without any, lies on disk under a name."""
        places = [place.partition("@")[0] for place in repositories]
        found = []
        for citation in self.citations:
            if places:
                own = [place for place in places if self.has(place)]
                wanted = any(not citation.repositories or _matches(place, citation.repositories) for place in own)
            else:
                known = name == self.name or _matches(name, self.names)
                wanted = known and (not citation.names or _matches(name, citation.names))
            if wanted:
                found.append(citation)
        return found

    def _place(self, scale: str, run: str, variant: str | None = None) -> str:
        if given := self.scales[scale].repositories.get(run):
            return given
        chosen = variant or next(iter(self.variants), "")
        kept = {part: f"{{{part}}}" for part in _PARTS}  # {step} and {tokens} stay: they are of each branch
        return self.repository.format(**(kept | {"scale": scale, "run": run, "variant": chosen}))


def _matches(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)
