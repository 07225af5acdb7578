"""Mean accuracies from the files of lm-evaluation-harness, as its versions before and since 0.4 write them."""

import fnmatch
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gradcascade import families
from gradcascade.errors import InputError
from gradcascade.evaluations import EvaluationWarning, Problem, Report, finite, is_number, read_object, refuse
from gradcascade.performance.metrics import metric_table

_ACCURACIES = ("acc_norm", "acc_norm,none", "acc", "acc,none")
"""Names of an accuracy, the preferred first; the harness appends its filter since version 0.4."""

_NAME_AND_STEP = re.compile(
    r"(?:(?P<name>.+?)[-_.])?(?:global[-_]?)?(?:step|checkpoint)[-_]?(?P<step>[0-9]{1,15})(?:-tokens[0-9]+B)?"
)
_DATE = re.compile(r"(?:^|_)(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}[-:][0-9]{2}[-:][0-9]{2}(?:\.[0-9]+)?)$")
_MODEL_ARGUMENTS = ("peft", "delta", "pretrained", "model", "path", "engine")
"""Arguments that name the model, in the order in which the harness looks for one."""

_BETWEEN = ("checkpoints", "ckpts")
"""Folders between a run's own and those of its steps."""


@dataclass(frozen=True)
class Tasks:
    """The tasks of the mean: by name, and by how names begin (also since they were renamed), and how many."""

    named: tuple[str, ...]
    groups: Mapping[str, int]
    renamed: Mapping[str, str]
    others: tuple[str, ...] = ()
    """Shell patterns of names that begin like those of a group and are none of its tasks."""


@dataclass(frozen=True)
class _File:
    path: Path
    model: str
    step: int
    date: str
    """When it was written, as its name says; "" if it does not."""
    results: dict[str, Any]
    groups: frozenset[str]
    """Entries of the results that sum up others."""
    told: bool = True
    """Whether the file or its place names the step."""


def tasks_of(family: str) -> Tasks:
    """The tasks of a family's metric, or of the published one that is read from the same files (arXiv:2605.02968)."""
    known = families.family_of(family)
    every = [known, *families.families().values()] if known else families.families().values()
    metric = next(found.metric for found in every if found.metric and found.metric.reader == "lm-eval")
    return Tasks(metric.tasks, metric.task_groups, metric.task_groups_renamed, metric.not_tasks)


def harness_files(place: Path) -> list[Path]:
    """The harness's files by name: ``*_step{N}.json``, ``results.json`` and ``*_{time}.json``, at any depth."""
    found = sorted(place.rglob("*.json")) if place.is_dir() else [place]
    return [path for path in found if path.suffix == ".json" and _is_named_so(path.stem)]


def read_lm_eval(folder: Path | str, family: str, report: Report = refuse, step: int | None = None) -> pl.DataFrame:
    """Mean zero-shot accuracy of every model and step, from a folder of results of the harness, or one file of them.

    Before version 0.4 it writes ``{"results": {task: {"acc": value}}}`` anywhere, since then ``acc,none`` into
    ``{model}/results_{time}.json``. The step is that of the name, of ``model_args`` or else of a folder. Of several
    files with a time the newest value of each task counts, its ``acc_norm`` before its ``acc``. A model that lacks a
    task is reported, as means over different tasks cannot be compared. ``step`` is that of a file that tells none.
    """
    root = Path(folder)
    if not root.exists():
        raise InputError(f"{root} does not exist; check the path")
    paths = harness_files(root)
    if not paths:
        raise InputError(
            f"{folder} holds no file named like 70m_step143000.json or results_2024-05-01T12-00-00.000000.json; give "
            "the folder that holds the results of the evaluation harness"
        )
    tasks = tasks_of(family)
    together: dict[tuple[str, int], list[_File]] = defaultdict(list)
    for path in paths:
        file = _opened(path, root, step)
        if isinstance(file, Problem):
            report(file)
        else:
            together[file.model, file.step].append(file)
    for (model, at), files in together.items():
        _refuse_several(model, at, [file for file in files if not file.told])
    rows, versions = [], set[bool]()
    for (model, step), files in together.items():
        for some in [files] if all(file.date for file in files) else [[file] for file in files]:
            newest = sorted(some, key=lambda file: (file.date, file.path), reverse=True)
            accuracy = _mean_accuracy(newest, tasks)
            if isinstance(accuracy, Problem):
                report(accuracy)
                continue
            rows.append((family, model, step, "accuracy", accuracy))
            versions.update(_is_of_0_4(file) for file in newest)
    _say_replaced(files for files in together.values() if len(files) > 1 and all(file.date for file in files))
    if len(versions) > 1:
        _say(
            f"{folder} holds results of the harness before and since version 0.4, whose tasks differ in more than "
            "their names (MMLU has acc_norm before, acc since); compare only values of one version"
        )
    return metric_table(rows, f"folder {folder}")


def _refuse_several(model: str, step: int, files: Sequence[_File]) -> None:
    """A step that was given is of one evaluation; several of a task would be of several steps."""
    seen: dict[str, _File] = {}
    for file in sorted(files, key=lambda file: file.date):
        for task in file.results:
            if (other := seen.setdefault(task, file)) is not file:
                raise InputError(
                    f"{other.path.name} and {file.path.name} both evaluate {task} of {model} and name no step, so "
                    f"--step {step} can be that of one alone; name one file"
                )


def _is_named_so(stem: str) -> bool:
    named = _NAME_AND_STEP.fullmatch(stem)
    return bool(_DATE.search(stem) or stem == "results" or (named and named["name"]))


def _opened(path: Path, root: Path, given: int | None = None) -> _File | Problem:
    content = read_object(path)
    if isinstance(content, Problem):
        return content
    results = content.get("results")
    if not isinstance(results, dict):
        return Problem("no-object", str(path), "has no object called results, so it is not of the evaluation harness")
    found = _DATE.search(path.stem)
    stem = path.stem[: found.start()] if found else path.stem
    arguments = _arguments(content)
    named = _NAME_AND_STEP.fullmatch(stem)
    model, step_of_model = _model_and_step(_model(arguments, content).split("/"))
    folder, step_of_folder = _folder_and_step(path, root)
    told = {
        "its name": int(named["step"]) if named else None,
        "revision": _step_in(arguments.get("revision")),
        "the model's path": step_of_model,
    }
    steps = {where: step for where, step in told.items() if step is not None}
    if len(set(steps.values())) > 1:
        said = ", ".join(f"{step:,} in {where}" for where, step in steps.items())
        return Problem("two-steps", str(path), f"is of more than one training step ({said}); correct it or remove it")
    step = next(iter(steps.values()), step_of_folder)
    if given is not None and step not in (None, given):
        return Problem("two-steps", str(path), f"is of step {step:,}, and --step says {given:,}; leave --step out")
    told_step, step = step is not None, given if step is None else step
    name = (named and named["name"]) or model or folder
    if step is None or not name:
        reason = (
            f"names no {'training step' if name else 'model'}, neither in its model_args (such as "
            "pretrained=owner/model,revision=step1000) nor in the names of the file and its folders; put it into a "
            "folder of that name, such as model/step1000, or give the step of one file with --step"
        )
        return Problem("no-step", str(path), reason)
    subtasks, groups = content.get("group_subtasks"), content.get("groups")
    sums = {name for name, below in subtasks.items() if below} if isinstance(subtasks, dict) else set()
    sums.update(groups if isinstance(groups, dict) else ())
    date = found["date"].replace(":", "-") if found else ""
    return _File(path, name, step, date, results, frozenset(sums), told_step)


def _arguments(content: dict[str, Any]) -> dict[str, str]:
    """The arguments of the model by name; the harness writes them as one text or, lately, as an object."""
    config = content.get("config")
    config = config if isinstance(config, dict) else {}
    given = config.get("model_args")
    if isinstance(given, str):
        given = dict(part.split("=", 1) for part in given.split(",") if "=" in part)
    given = given if isinstance(given, dict) else {}
    revision = {"revision": config["model_revision"]} if "model_revision" in config else {}
    return {name: value for name, value in {**revision, **given}.items() if isinstance(value, str)}


def _model(arguments: Mapping[str, str], content: dict[str, Any]) -> str:
    name = next((arguments[key] for key in _MODEL_ARGUMENTS if arguments.get(key)), content.get("model_name"))
    return name.replace("\\", "/") if isinstance(name, str) else ""


def _folder_and_step(path: Path, root: Path) -> tuple[str, int | None]:
    """The model and the step that the folders name, the nearest first; none above the one that was given."""
    between = path.parent.relative_to(root).parts if root.is_dir() else ()
    above = (root if root.is_dir() else root.parent).resolve().name
    model, step = "", None
    for name in (*reversed(between), above):
        named, found = _model_and_step(name.split("__"))  # the harness's spelling of a slash
        model = model or named
        step = found if step is None else step
    return model, step


def _model_and_step(parts: list[str]) -> tuple[str, int | None]:
    """The model that the last parts of a path name (``owner/model`` where the path is just that), and a step."""
    left, step = [part for part in parts if part], None
    while left:
        found = _NAME_AND_STEP.fullmatch(left[-1])
        if found and step is None:
            step = int(found["step"])
            left[-1:] = [found["name"]] if found["name"] else []
        elif left[-1] in _BETWEEN:
            left.pop()
        else:
            break
    whole = len(left) == 2 and parts[0] == left[0]
    return ("/".join(left) if whole else left[-1] if left else ""), step


def _step_in(revision: str | None) -> int | None:
    found = _NAME_AND_STEP.fullmatch(revision or "")
    return int(found["step"]) if found else None


def _mean_accuracy(files: list[_File], tasks: Tasks) -> float | Problem:
    """Mean over the tasks, each from the first of the files that has it."""
    results = {name: task for file in reversed(files) for name, task in file.results.items()}
    sums = {name for file in files for name in file.groups}
    where = str(files[0].path)
    groups = {}
    for start in tasks.groups:
        starts = [start, *([tasks.renamed[start]] if start in tasks.renamed else [])]
        found = {begin: _of_group(results, begin, sums, tasks.others) for begin in starts}
        used = next((begin for begin in starts if found[begin]), start)
        groups[start] = used, [name for names in found.values() for name in names]
    missing = [name for name in tasks.named if name not in results]
    if missing or any(len(names) != tasks.groups[start] for start, (_, names) in groups.items()):
        counts = [f"{len(own)} of {tasks.groups[start]} {used}* tasks" for start, (used, own) in groups.items()]
        reason = (
            f"holds {'; '.join(counts) or 'results'}, and lacks {', '.join(missing) or 'none'} of the named ones; "
            "evaluate it again or remove it, as means over different tasks cannot be compared"
        )
        return Problem("no-accuracy", where, reason)
    values = []
    for name in sorted([*(name for _, names in groups.values() for name in names), *tasks.named]):
        found = _accuracy(results[name])
        if found is None:
            reason = f"gives no accuracy for the task {name}; evaluate it again or remove the file"
            return Problem("no-accuracy", where, reason)
        values.append(found)
    return sum(values) / len(values)


def _of_group(results: Iterable[str], start: str, sums: set[str], others: tuple[str, ...]) -> list[str]:
    return [
        name
        for name in results
        if name.startswith(start)
        and name not in sums
        and not any(fnmatch.fnmatchcase(name, other) for other in others)
    ]


def _accuracy(task: Any) -> float | None:
    known = (task[key] for key in _ACCURACIES if key in task) if isinstance(task, dict) else iter(())
    value = next(known, None)
    return finite(value) if is_number(value) else None


def _is_of_0_4(file: _File) -> bool:
    return any("," in key for task in file.results.values() if isinstance(task, dict) for key in task)


def _say_replaced(groups: Iterable[list[_File]]) -> None:
    told = [
        f"{files[0].model}, step {files[0].step:,} ({len(files)} files, the newest {max(f.path.name for f in files)})"
        for files in groups
    ]
    if told:
        more = f" and {len(told) - 3} more" if len(told) > 3 else ""
        _say(
            "several files of results of one model and step, of which the newest value of each task counts: "
            f"{'; '.join(told[:3])}{more}"
        )


def _say(words: str) -> None:
    warnings.warn(words, EvaluationWarning, stacklevel=3)
