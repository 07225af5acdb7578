"""The plan of a study: what to measure, from where, with which probe. Unknown keys are refused."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, field_validator, model_validator

from gradcascade import families
from gradcascade.fields.kinds import FIELD_KINDS, Optimizer
from gradcascade.fields.nulls import NULLS
from gradcascade.fields.nulls.base import CLIP
from gradcascade.planfiles import Strict, literal, read_toml, validated
from gradcascade.probe.graphs import DEFAULT_GRAPH
from gradcascade.registry import Registry
from gradcascade.sources.base import ALONE, UPDATE, RunName
from gradcascade.sources.layouts import LAYOUTS
from gradcascade.tensor_names import ordered
from gradcascade.vocabulary import DRAW, PUBLISHED_NULLS


def _known(registry: Registry[Any]) -> AfterValidator:
    return AfterValidator(lambda name: registry.find(name).name)


Null = Annotated[str, _known(NULLS)]
Kind = Annotated[str, _known(FIELD_KINDS)]
"""Name of a kind of field; the source refuses it where a family does not have it."""


def _order(name: str) -> str:
    ordered((), name)  # refuses any other
    return name


Order = Annotated[str, AfterValidator(_order)]
LayoutName = Annotated[str, _known(LAYOUTS)]

FORMAT = 2
"""Number of the layout of a study folder."""


class ProbePlan(Strict):
    """Settings of the probe; see :class:`gradcascade.Probe`."""

    alpha: float = 0.3
    quantile: float = 0.9
    estimator: Literal["exact", "subsample"] = "exact"
    graph: str = DEFAULT_GRAPH
    m: int = 2
    graph_seed: int = 42
    max_steps: int = 500


class NullPlan(Strict):
    """Which nulls are measured beside every real field, and how they are seeded (``seed + step``)."""

    kinds: tuple[Null, ...] = PUBLISHED_NULLS
    replicates: int = Field(default=1, ge=1, lt=DRAW)
    seed: int = 42
    deviation: Literal["population", "sample"] = "population"
    clip: float = Field(default=CLIP, gt=1, allow_inf_nan=False)
    """Multiple of the threshold that the clipped field is cut to."""


_OF_DRAW = "draw"


def _ordered(window: tuple[int, int]) -> tuple[int, int]:
    if window[0] > window[1]:
        raise ValueError(f"window ends at {window[1]} before it starts at {window[0]}")
    return window


StableWindow = Annotated[tuple[int, int], AfterValidator(_ordered)]
"""First and last step, both inside."""


class FitPlan(Strict):
    """How the exponents are summarised."""

    window: StableWindow | None = None
    """Stable window of all families that have none of their own."""


class HubPlan(Strict):
    """Where a family lies on the Hugging Face hub."""

    layout: LayoutName
    """With ``pico-lm`` a step is a commit, with ``pythia`` and ``named-branches`` a branch, with ``step-folders`` a
    folder."""
    repositories: Mapping[str, str | Mapping[str, str]] = Field(min_length=1)
    """By scale ``owner/name``, ``owner/name@branch`` or ``owner/name@branch:folder``, or these by run; with
    ``named-branches`` the branch is a pattern, as in ``owner/name@step{step}``."""
    steps: tuple[int, ...] | None = None
    """The steps to measure, ascending, or the checkpoints whose differences are; by default all there are."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Kinds of field that the layout has on the hub."""
        return LAYOUTS[self.layout].fields

    @property
    def places(self) -> dict[RunName, str]:
        """The repository of every run."""
        by_run = {scale: {ALONE: at} if isinstance(at, str) else at for scale, at in self.repositories.items()}
        return {RunName(scale, run): place for scale, own in by_run.items() for run, place in own.items()}

    @model_validator(mode="after")
    def _sensible(self) -> HubPlan:
        for scale in self.repositories:
            if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", scale):
                raise ValueError(f"{scale!r} cannot be the name of a scale; use letters, digits, dots and hyphens")
            own = self.repositories[scale]
            if not isinstance(own, str) and (not own or not all(own)):
                raise ValueError(f"the scale {scale!r} has no runs, or one without a label; name them")
            if not isinstance(own, str) and len(set(own.values())) < len(own):
                raise ValueError(f"two runs of the scale {scale!r} have the same repository; name another for one")
        steps = self.steps
        if steps is not None and (not steps or min(steps) < 0 or list(steps) != sorted(set(steps))):
            raise ValueError("steps must be at least 0 and ascending, and each listed once")
        return self


class OptimizerPlan(Strict):
    """Settings of Adam, for optimizer states whose files do not have them."""

    beta1: float = Field(ge=0, lt=1)
    beta2: float = Field(ge=0, lt=1)
    eps: float = Field(ge=0, allow_inf_nan=False)

    @property
    def settings(self) -> Optimizer:
        """As the kinds of field take them."""
        return Optimizer(self.beta1, self.beta2, self.eps)


class FamilyPlan(Strict):
    """One family of models of several scales: in a folder, or on the hub."""

    name: str
    path: str | None = None
    """Folder of the runs, relative to the study folder."""
    hub: HubPlan | None = None
    """Repositories, in place of a folder."""
    fields: tuple[Kind, ...] = ("gradient", "update")
    gradients: Literal["train", "val"] = "train"
    order: Order = "canonical"
    """Order of the tensors in a field; one of :data:`gradcascade.tensor_names.ORDERS`. Format 1 had ``file``."""
    label: Literal["later", "earlier"] = "later"
    tensors: tuple[str, ...] = ()
    """Shell patterns of the tensors to take, by their names in the files; by default Pico's 36, or all parameters."""
    scales: dict[str, str] | None = None
    """The run of each scale, a folder as seen from path; by default every run, named as its folder is."""
    runs: dict[str, dict[str, str]] | None = None
    """Several runs of a scale, by scale and label: a folder each, as seen from path."""
    optimizer: OptimizerPlan | None = None
    """Adam's settings, which a direction needs, where the files of the optimizer do not have them."""
    links: bool = False
    """Whether symbolic links that lead out of the folder are followed."""
    window: StableWindow | None = None
    """Stable window of the family; by default that of ``fit``, that of a published family on the hub, or else the
    last two thirds of the steps."""
    evaluations: str | None = None
    """Metrics of the family, relative to the study folder: a table (``.csv``, ``.parquet``), a folder of evaluation
    files (``{scale}_step{N}.json``, ``results_{time}.json``) or of runs with ``eval_results``."""
    tokens: dict[str, Annotated[int, Field(ge=1)]] | None = None
    """Tokens of a training step by scale, where every step has as many; by default those of a published family."""
    evaluation_names: dict[str, str] | None = None
    """The name that a scale, or a run of one (``"70m:3"``), has in the evaluations, where it is none of its own."""

    @model_validator(mode="after")
    def _one_place(self) -> FamilyPlan:
        if (self.path is None) == (self.hub is None):
            raise ValueError("a family needs either path (a folder of runs) or hub (repositories); give one of them")
        if self.hub and (given := [key for key in ("scales", "runs") if getattr(self, key)]):
            key = given[0]
            raise ValueError(f"{key} is for a family in a folder; leave it out beside hub")
        if self.scales is not None and not all(self.scales):
            raise ValueError(
                "scales is empty, or has a scale without a name; name a run for each scale, or leave it out"
            )
        self._check_runs()
        if self.hub and (wrong := [field for field in self.fields if field not in self.hub.fields]):
            raise ValueError(
                f"{self.hub.layout} on the hub has {' and '.join(self.hub.fields)} fields, not {wrong[0]}; "
                f"set fields = {literal(self.hub.fields)}"
            )
        return self

    def _check_runs(self) -> None:
        if self.runs is None:
            return
        if not self.runs or not all(self.runs) or not all(self.runs.values()):
            raise ValueError("runs is empty, or has a scale without a name or a run; name them, or leave runs out")
        if twice := [scale for scale in self.runs if scale in (self.scales or {})]:
            raise ValueError(f"the scale {twice[0]!r} is listed in both scales and runs; list it in runs only")
        places = [*(self.scales or {}).values(), *(path for own in self.runs.values() for path in own.values())]
        for scale, own in self.runs.items():
            for label, path in own.items():
                if not label or not path:
                    raise ValueError(f"a run of the scale {scale!r} has no label or no folder; give it both")
                if places.count(path) > 1:
                    raise ValueError(f"the folder {path!r} is given for two runs; name another for one of them")

    def _place_of(self, scale: str, run: str) -> str | None:
        """The folder or repository that the plan names for a run."""
        if self.hub:
            return self.hub.places.get(RunName(scale, run))
        if run in (own := (self.runs or {}).get(scale, {})):
            return own[run]
        return (self.scales or {}).get(scale)

    @property
    def place(self) -> str:
        """Where the family lies, for messages."""
        return self.path if self.path is not None else ", ".join(self.hub.places.values() if self.hub else ())

    def reading(self) -> dict[str, Any]:
        """What decides which values are read from the same files."""
        if self.hub:
            chosen = {name for name in ("tensors", "optimizer") if getattr(self, name)}
            kept = {"name", "gradients", "order", "label", *chosen}
            return {"hub": self.hub.layout, **self.model_dump(include=kept)}
        unset = {name for name in ("tensors", "scales", "runs", "optimizer") if not getattr(self, name)}
        return self.model_dump(
            exclude={"hub", "evaluations", "evaluation_names", "window", "tokens", "links", *unset}
        )

    def asks_for(self, scale: str, step: int, field: str, run: str = ALONE) -> bool:
        """Whether a snapshot, by its label, is one that is to be measured, as far as the plan alone tells."""
        if field not in self.fields:
            return False
        if not self.hub:
            own = (self.runs or {}).get(scale)
            named = self.scales is not None or self.runs is not None
            return not named or (run in own if own is not None else run == ALONE and scale in (self.scales or {}))
        steps = self.hub.steps
        if steps is not None and field == UPDATE:
            steps = steps[1:] if self.label == "later" else steps[:-1]
        return RunName(scale, run) in self.hub.places and (steps is None or step in steps)

    def conventions(self, scale: str, run: str = ALONE, draw: int | None = None) -> str:
        """What decides which numbers stand for a step of a run, or for one draw of the data there, as text."""
        place = self._place_of(scale, run)
        which = f"{_OF_DRAW} {draw} " if draw is not None else ""
        given = [repr(self.optimizer)] if self.optimizer else []
        placed = [f"of {place}"] if place else []
        return which + " ".join([self.gradients, self.order, self.label, *self.tensors, *given, *placed])


def without_draw(conventions: str) -> str:
    """Conventions without the draw of the data, of which a step may have several."""
    return re.sub(f"^{_OF_DRAW} [0-9]+ ", "", conventions)


class Plan(Strict):
    """Everything a study was asked to measure."""

    format: Literal[1, 2] = FORMAT
    probe: ProbePlan = ProbePlan()
    nulls: NullPlan = NullPlan()
    fit: FitPlan = FitPlan()
    families: tuple[FamilyPlan, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _of_format_1(cls, data: Any) -> Any:
        """Spell out the tensor order that format 1 had, and give each published family its own window.

        Format 1 wrote the window of the first family for all of them.
        """
        if not isinstance(data, dict) or data.get("format") != 1:
            return data
        with suppress(TypeError, KeyError):  # what is not a table is refused later
            data = {**data, "families": [{"order": "file", **family} for family in data["families"]]}
        try:
            window = tuple(data["fit"]["window"])
            owners = [family for family in data["families"] if _published_window(family) == window]
        except (KeyError, TypeError, AttributeError):
            return data  # no window, or nothing that the other checks would let pass
        if not 0 < len(owners) < len(data["families"]):
            return data
        own = [{"window": window, **family} if family in owners else family for family in data["families"]]
        return {**data, "fit": {k: v for k, v in data["fit"].items() if k != "window"}, "families": own}

    @field_validator("format")
    @classmethod
    def _newest(cls, _: int) -> int:
        return FORMAT  # a plan of format 1 is one of format 2 that does without its new keys

    @model_validator(mode="after")
    def _distinct_names(self) -> Plan:
        names = [family.name for family in self.families]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two families are named {twice[0]!r}; give each its own name")
        return self


def _published_window(family: dict[str, Any]) -> tuple[int, int] | None:
    known = families.family_of(family["name"], family["hub"]["repositories"]) if family.get("hub") else None
    return known.window if known else None


def read_plan(path: Path) -> Plan:
    """Read a plan from a TOML file.

    Parameters
    ----------
    path : pathlib.Path
        File to read.

    Raises
    ------
    InputError
        If it is missing, is not TOML, or asks for something that does not exist; an unknown key comes with the
        nearest known one.
    """
    return make_plan(read_toml(path, "plan.toml"), str(path))


def written_format(path: Path) -> int:
    """Format that a plan which can be read was written in."""
    return tomllib.loads(path.read_text(encoding="utf-8")).get("format", FORMAT)


def make_plan(data: dict[str, Any], where: str) -> Plan:
    """Check a plan; what is wrong with it is told as an :class:`InputError` that begins with ``where``."""
    return validated(Plan, data, where, lists=("families",))


def study_path(study: Path, path: str) -> Path:
    """A path of a plan as seen from a study folder, which need not exist yet."""
    return Path(os.path.normpath(study.resolve() / path))


def plan_toml(plan: Plan) -> str:
    """Write a plan as TOML, with every default spelled out."""
    lines = [f"format = {plan.format}"]
    for name in ("probe", "nulls", "fit"):
        lines += ["", f"[{name}]", *_assignments(getattr(plan, name))]
    for family in plan.families:
        lines += ["", "[[families]]", *_assignments(family)]
        lines += ["", "[families.hub]", *_assignments(family.hub)] if family.hub else []
    return "\n".join(lines) + "\n"


def _assignments(model: BaseModel) -> list[str]:
    values = model.model_dump(exclude={"hub"})
    return [f"{key} = {literal(value)}" for key, value in values.items() if value is not None]
