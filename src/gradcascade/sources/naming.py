"""Names: steps from folders, scales and families from runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

RESULTS = "eval_results"
"""Folder of a run's evaluation results."""

# OLMo appends -unsharded and -tokens4B, litgpt's files -ckpt.
_STEP = re.compile(
    r"(?:(?:global|model|ckpt|checkpoint)[_-]?)?(?:step|checkpoint|ckpt|iter(?:ation)?)[_-]?([0-9]{1,15})"
    r"(?:-unsharded|-tokens[0-9.]+[KMBT]?|-ckpt)?"
)
_LIGHTNING = re.compile(r"(?:.*[-_])?step=([0-9]{1,15})(?:-[^=]+=[^=]+?)*(?:-v[0-9]+)?(?:\.ckpt)?")
_NUMBERED_MODEL = re.compile(r"model[_-]?([0-9]{5,15})")  # nanochat; shorter numbers are ranks or shards
_STEP_FILE = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")
_COPY = re.compile(r"(?:.*[-_.])?(?:best|last|latest|final)(?:[-_.].*)?|ckpt\.pt")
_EVALUATION = re.compile(r"step_([0-9]{1,15})\.json")
_KNOWN_PREFIX = re.compile(r"(?:pico-decoder|nano)(?=[-_].)")
_CACHED = re.compile(r"(?:models|datasets)--.+?--(.+)")
_SEPARATORS = "-_."
_BEGINNING = re.compile(r"[^-_.]*[-_.]")


def step_of(folder: str) -> int | None:
    """The step in a folder name like ``step_20``, ``checkpoint-20``, ``step20-unsharded``; None if none."""
    if is_copy(folder):
        return None
    match = _STEP.fullmatch(folder) or _LIGHTNING.fullmatch(folder)
    return int(match[1]) if match else None


def step_of_file(file: str) -> int | None:
    """The step in the name of a checkpoint's file, ``ckpt_001000.pt`` or ``epoch=3-step=1000.ckpt``; None if none."""
    stem, dot, suffix = file.rpartition(".")
    if f"{dot}{suffix}" not in _STEP_FILE or is_copy(file):
        return None
    match = _NUMBERED_MODEL.fullmatch(stem)
    return int(match[1]) if match else step_of(stem)


def is_copy(name: str) -> bool:
    """Whether a name says that it holds a step again, as ``last.ckpt``, ``checkpoint-best`` and ``latest`` do."""
    return bool(_COPY.fullmatch(name))


def name_of_run(folder: str) -> str:
    """The name of a run in a folder: of a repository in the cache of ``huggingface_hub``, without its owner."""
    match = _CACHED.fullmatch(folder)
    return match[1] if match else folder


def step_of_evaluation(file: str) -> int | None:
    """The step in a file name like ``step_20.json``; None if it is another name."""
    match = _EVALUATION.fullmatch(file)
    return int(match[1]) if match else None


def family_and_scales(runs: Sequence[str], folder: str, family: str | None = None) -> tuple[str, list[str]]:
    """The family, and each run's name without what all runs begin with.

    ``nano-d24`` and ``nano-d48`` are the scales d24 and d48 of nano; `folder`, which holds the runs, names a family
    that they do not. Where the name of the family is given and not all runs begin with it, those that do leave it
    out, so that scales keep their names when other runs come beside them. A single run keeps its whole name, unless
    it begins with the family's name or is named as this project (``nano-``) or Pico (``pico-decoder-``) name theirs.
    """
    own = [_without_family(run, family) for run in runs]
    prefix = ""
    if len(runs) > 1:
        beginnings = zip(*(_BEGINNING.findall(run) for run in runs), strict=False)
        prefix = "".join(parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, beginnings))
        if own != list(runs) and not prefix.startswith(f"{family}") and len(set(own)) == len(runs):
            return f"{family}", own
    elif own != list(runs):
        return f"{family}", own
    elif match := _KNOWN_PREFIX.match(runs[0]):
        prefix = runs[0][: match.end() + 1]
    if any(run == prefix for run in runs):
        prefix = ""
    return family or prefix.rstrip(_SEPARATORS) or folder, [run[len(prefix) :] for run in runs]


def _without_family(run: str, family: str | None) -> str:
    if family and run.startswith(tuple(family + mark for mark in _SEPARATORS)):
        return run[len(family) + 1 :] or run
    return run
