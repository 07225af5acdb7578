"""Learning-rate schedules of a study's families: taken from their configurations, kept for the associations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gradcascade.errors import InputError
from gradcascade.performance.association import SCHEDULES, Schedule
from gradcascade.performance.schedules import PicoSchedule, read_pico_schedule
from gradcascade.study.files import write_whole

FILE = "schedules.json"


def describe_schedule(folders: Mapping[str, Path], published: str | None = None) -> dict[str, Any]:
    """Describe the schedule that all runs of a family followed.

    Parameters
    ----------
    folders : mapping of str to pathlib.Path
        The folder of each scale's configuration.
    published : str, optional
        Name of the published schedule of runs without a configuration (``pico-lm``, ``pythia``).

    Returns
    -------
    dict
        ``{"published": name}``, the fields of a :class:`gradcascade.performance.schedules.PicoSchedule`, or
        ``{"reason": sentence}`` where there is none. A rate's peak may differ between scales: a linear residual does
        not depend on it.
    """
    found: dict[str, PicoSchedule] = {}
    for scale, folder in folders.items():
        try:
            schedule = read_pico_schedule(folder)
        except InputError as error:
            return {"reason": str(error)}
        if not schedule.published:
            found[scale] = schedule
    if not found:
        return {"published": published} if published else {"reason": "no run has a training_config.yaml"}
    shapes = {(schedule.warmup, schedule.total, schedule.decays) for schedule in found.values()}
    if len(shapes) > 1:
        return {"reason": f"the runs of {', '.join(sorted(found))} do not follow one schedule"}
    return asdict(next(iter(found.values())))


def keep_schedules(study: Path, described: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the schedules into the study folder, so that nothing needs the sources again.

    Parameters
    ----------
    study : pathlib.Path
        The study folder.
    described : mapping of str to mapping
        By family, from :func:`describe_schedule`.
    """
    write_whole(study / FILE, json.dumps(described, indent=2) + "\n")


def schedules_of(study: Path) -> dict[str, Schedule]:
    """The schedules of a study's families, those of the published families included.

    Parameters
    ----------
    study : pathlib.Path
        The study folder.

    Returns
    -------
    dict of str to callable
        Learning rate at given steps, by family; a family without one is not named.

    Raises
    ------
    InputError
        If the file in the study is broken.
    """
    path = study / FILE
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        found = {name: _schedule(known) for name, known in described.items()}
    except FileNotFoundError:
        return dict(SCHEDULES)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise InputError(f"{path} is not a file of schedules; remove it, and measure again to renew it") from None
    return SCHEDULES | {name: schedule for name, schedule in found.items() if schedule is not None}


def _schedule(known: Mapping[str, Any]) -> Schedule | None:
    if "reason" in known:
        return None
    return SCHEDULES[known["published"]] if isinstance(known["published"], str) else PicoSchedule(**known).rate
