"""Parameter names without what training wrappers put into them."""

from __future__ import annotations

from collections.abc import Iterable

# `module` alone is a name that models use themselves, so it counts only where every wrapper puts it: in front.
_ANYWHERE = frozenset(
    {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module", "_ddp_module"}
)
_IN_FRONT = _ANYWHERE | {"module"}


def without_wrappers(name: str) -> str:
    """The name as the bare model has it: ``_forward_module.module.layers.0._orig_mod.w`` is ``layers.0.w``."""
    parts = name.split(".")
    start = 0
    while start < len(parts) - 1 and parts[start] in _IN_FRONT:
        start += 1
    return ".".join(part for part in parts[start:] if part not in _ANYWHERE) or name


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Every name with its plain one; all stay as they are if two of them would become one."""
    names = list(names)
    plain = {name: without_wrappers(name) for name in names}
    return plain if len(set(plain.values())) == len(plain) else {name: name for name in names}
