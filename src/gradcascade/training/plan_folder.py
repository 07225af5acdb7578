"""The folder of an experiment or a lab: its plan lies in it, and no other plan is continued there."""

from __future__ import annotations

from pathlib import Path

from gradcascade.errors import InputError
from gradcascade.files import sweep, write_whole
from gradcascade.planfiles import Strict, literal, read_toml, validated
from gradcascade.training.config import first_difference

PLAN = "plan.toml"


def plan_toml(plan: Strict) -> str:
    """A plan as TOML, with every default spelled out; its parts follow as sections."""
    values = plan.model_dump()
    parts = {name: values.pop(name) for name in list(values) if isinstance(getattr(plan, name), Strict)}
    lines = [f"{name} = {literal(value)}" for name, value in values.items()]
    for name, part in parts.items():
        lines += ["", f"[{name}]", *(f"{key} = {literal(value)}" for key, value in part.items())]
    return "\n".join(lines) + "\n"


def claim_folder(plan: Strict, out: Path, what: str) -> None:
    """Write the plan into its folder, or check that it is the one that is there; ``what`` it is of, for messages."""
    path = out / PLAN
    if path.exists():
        there = validated(type(plan), read_toml(path, f"plan of {what}"), str(path))
        if difference := first_difference(there.model_dump(), plan.model_dump()):
            name, was, now = difference
            raise InputError(
                f"{out} holds {what} with {name} = {literal(was)}, now {literal(now)} is asked for; ask for what its "
                f"{PLAN} says, or choose another folder with --out"
            )
        sweep(out)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(child.name[:1] != "." for child in out.iterdir()):
            raise InputError(f"{out} holds something other than {what}; give --out a new or empty folder")
        write_whole(path, plan_toml(plan))
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror}); choose a folder where you may write") from None
