"""Learning-rate schedules of a study's families: taken from their configurations, kept for the associations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gradcascade import families
from gradcascade.errors import InputError
from gradcascade.files import write_whole
from gradcascade.performance.schedules import LearningRate, Schedule, published_schedules, read_schedule
from gradcascade.study.plan import FamilyPlan

FILE = "schedules.json"


def describe_schedule(folders: Mapping[str, Path], published: str | None = None) -> dict[str, Any]:
    """The schedule of all runs of a family: a :class:`LearningRate` as a dict, or ``published`` or ``reason`` alone.

    The peak may differ between scales: a linear residual does not depend on it.
    """
    found: dict[str, LearningRate] = {}
    for scale, folder in folders.items():
        try:
            schedule = read_schedule(folder)
        except InputError as error:
            return {"reason": str(error)}
        if schedule is not None:
            found[scale] = schedule
    if not found:
        return {"published": published} if published else {"reason": "no run has a training_config.yaml"}
    if len({(schedule.kind, schedule.warmup, schedule.total) for schedule in found.values()}) > 1:
        return {"reason": f"the runs of {', '.join(sorted(found))} do not follow one schedule"}
    return asdict(next(iter(found.values())))


def published_name(family: FamilyPlan) -> str | None:
    """Name of the published family that a plan's family on the hub is, or is a relative of; None for others."""
    places = list(family.hub.places.values()) if family.hub else []
    for known in families.families().values():
        if places and known.schedule is not None and all(map(known.has, places)):
            return known.name
    return None


def keep_schedules(study: Path, described: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the schedules, by family, into the study folder, so that nothing needs the sources again."""
    write_whole(study / FILE, json.dumps(described, indent=2) + "\n")


def schedules_of(study: Path) -> dict[str, Schedule]:
    """The schedules of a study's families and of the published ones; a family without one is not named."""
    path = study / FILE
    published = published_schedules()
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        found = {name: _schedule(known, published) for name, known in described.items()}
    except FileNotFoundError:
        return published
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise InputError(f"{path} is not a file of schedules; remove it, and measure again to renew it") from None
    return published | {name: schedule for name, schedule in found.items() if schedule is not None}


def _schedule(known: Mapping[str, Any], published: Mapping[str, Schedule]) -> Schedule | None:
    if "reason" in known:
        return None
    if isinstance(known.get("published"), str):
        return published[known["published"]]
    if "decays" in known:  # as written before schedules had kinds
        kind = "linear" if known["decays"] else "constant"
        return LearningRate(kind, known["peak"], known["warmup"], known["total"])
    return LearningRate(**known)
