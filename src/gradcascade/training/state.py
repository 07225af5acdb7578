"""The folder of a training run: whose it is, where the run stopped, and that it is finished."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gradcascade.errors import InputError
from gradcascade.files import staged, sweep
from gradcascade.training.config import first_difference

SAVE_EVERY_SECONDS = 60.0
"""A run saves where it is at least this often."""

STATE = "resume.pt"
FINISHED = "finished.json"


def claim(folder: Path, description: Mapping[str, Any]) -> None:
    """Make a run's folder and write its ``training_config.yaml``, or check that it is this run's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}); choose a folder where you may write") from None
    sweep(folder)
    import yaml

    path = folder / "training_config.yaml"
    if not path.exists():
        if any(folder.iterdir()):
            raise InputError(f"{folder} holds something other than a run; choose another folder or empty it")
        with staged(path, folder) as target:
            target.write_text(yaml.safe_dump(dict(description), sort_keys=False), encoding="utf-8")
        return
    try:
        old = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        old = None
    if not isinstance(old, dict):
        raise InputError(f"{path} is damaged; choose another folder or delete {folder}")
    if difference := first_difference(old, description):
        name, was, now = difference
        raise InputError(
            f"{folder} was trained with {name} = {was}, now {now} is asked for; choose another folder or delete it"
        )


def begun(folder: Path, description: Mapping[str, Any]) -> dict[str, Any] | None:
    """Claim a run's folder; what came of the run if it is finished, None if it is to be made or continued."""
    claim(folder, description)
    path = folder / FINISHED
    return json.loads(path.read_bytes()) if path.exists() else None


class Clock:
    """The time that a run takes, with what it took before it was continued, and when its state is to be kept."""

    def __init__(self, state: Mapping[str, Any] | None, every: float = SAVE_EVERY_SECONDS) -> None:
        self._every, self._began, self._cpu_began = every, time.monotonic(), time.process_time()
        self._saved = self._began
        self._before = {name: float(state[name]) if state else 0.0 for name in ("seconds", "cpu_seconds")}

    def taken(self) -> dict[str, float]:
        """Seconds and seconds of CPU until now."""
        now = {"seconds": time.monotonic() - self._began, "cpu_seconds": time.process_time() - self._cpu_began}
        return {name: round(self._before[name] + value, 3) for name, value in now.items()}

    def due(self, now: bool = False) -> bool:
        """Whether the state was not kept for long, or is to be kept ``now``; it counts as kept then."""
        due = now or time.monotonic() - self._saved > self._every
        if due:
            self._saved = time.monotonic()
        return due


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Keep where a run is, in place of what was kept before: one of them is whole at every moment."""
    import torch

    with staged(folder / STATE, folder) as target:
        torch.save(dict(state), target)


def load_state(folder: Path) -> dict[str, Any] | None:
    """Where a run stopped; None if it is to begin."""
    import torch

    path = folder / STATE
    if not path.exists():
        return None
    with damaged(folder):
        return torch.load(path, weights_only=True)


@contextmanager
def damaged(folder: Path) -> Iterator[None]:
    """Refuse a state that cannot be taken up."""
    try:
        yield
    except Exception as error:  # torch raises many kinds for a damaged file
        raise InputError(
            f"{folder / STATE} is damaged ({type(error).__name__}); delete it to train {folder.name} again"
        ) from None


def finish(folder: Path, content: Mapping[str, Any]) -> None:
    """Note that a run is finished, with what came of it, and drop its state."""
    import torch

    machine = {"torch": torch.__version__, "python": platform.python_version()}
    with staged(folder / FINISHED, folder) as target:
        target.write_text(json.dumps({**content, **machine}, indent=1), encoding="utf-8")
    (folder / STATE).unlink(missing_ok=True)
