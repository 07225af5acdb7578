"""External performance numbers of a study: read, matched with its families and scales, and what is said of them."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gradcascade.errors import InputError
from gradcascade.evaluations import EvaluationWarning, Problem, Report
from gradcascade.sources.naming import step_of

if TYPE_CHECKING:
    from gradcascade.performance.matching import Matched
    from gradcascade.performance.model_names import FamilyNames
    from gradcascade.study.plan import FamilyPlan

_WITHIN_A_RUN = ("checkpoints", "learning_dynamics", "eval_results")
_SHOWN = 5


def names_of(plans: Iterable[FamilyPlan], snapshots: Iterable[tuple[str, str, str, str]]) -> list[FamilyNames]:
    """What evaluations may call the scales of snapshots, given as family, scale, run and source."""
    from gradcascade.performance.model_names import family_names

    planned = {plan.name: plan for plan in plans}
    runs: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    folders: dict[str, dict[tuple[str, str], set[str]]] = defaultdict(lambda: defaultdict(set))
    for family, scale, run, source in snapshots:
        runs[family][scale].add(run)
        plan = planned.get(family)
        if (folder := _folder(source)) and not (plan and plan.hub):
            folders[family][scale, run].add(folder)
    found = []
    for family, scales in runs.items():
        plan = planned.get(family)
        hub = plan.hub.places if plan and plan.hub else {}
        repositories = {(at.scale, at.run): place for at, place in hub.items()}
        own = {place: sorted(names) for place, names in folders[family].items()}
        found.append(family_names(family, {s: sorted(labels) for s, labels in scales.items()}, own, repositories))
    return found


def _folder(source: str) -> str:
    """The folder of a run that files lie in, by their relative path; "" where it is not told."""
    parts = source.split("/")
    for place, part in enumerate(parts[:-1]):
        if part in _WITHIN_A_RUN or step_of(part) is not None:
            return parts[place - 1] if place else ""
    return ""


def read_and_match(
    path: str | Path,
    known: Iterable[FamilyNames],
    family: str | None,
    given: Mapping[str, Mapping[str, str]],
    only: Collection[str] = (),
    report: Report | None = None,
    step: int | None = None,
) -> Matched:
    """Read metrics and match them; files that could not be read are said, and refused where nothing else is there."""
    from gradcascade.performance.matching import match
    from gradcascade.performance.readers import read_metrics

    problems: list[Problem] = []
    table = read_metrics(path, family, report or problems.append, only, step)
    if table.is_empty() and problems:
        raise InputError(problems[0].sentence)
    matched = match(table, known, given)
    if not matched.metrics.is_empty():
        more = [f"{len(problems) - _SHOWN} more files were left out"] if len(problems) > _SHOWN else []
        told = [f"left out: {problem.sentence}" for problem in problems[:_SHOWN]] + more
        for words in (*told, *(said.sentence for said in (*matched.remarks, *matched.questions))):
            warnings.warn(words, EvaluationWarning, stacklevel=3)
    return matched


def asked(matched: Matched) -> str:
    """What to add to a refusal where nothing was matched."""
    return "".join(f"; {question.sentence}" for question in matched.questions)
