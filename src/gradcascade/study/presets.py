"""The published families by name, and the protocol they were measured by (arXiv:2605.02968)."""

from __future__ import annotations

from dataclasses import dataclass

from gradcascade.scaling.windows import PUBLISHED_WINDOWS
from gradcascade.study.plan import FamilyPlan, HubPlan

PYTHIA_STEPS = (0, *(2**power for power in range(10)), *range(1_000, 144_000, 1_000))
"""Steps of the 154 checkpoints of a Pythia model (arXiv:2304.01373)."""

PICO_SCALES = ("tiny", "small", "medium", "large")
PYTHIA_SCALES = ("14m", "31m", "70m", "160m", "410m")
"""Scales of the published families."""


@dataclass(frozen=True)
class Preset:
    """One published family.

    Attributes
    ----------
    family : FamilyPlan
        What is measured of it. The probe, the nulls and their seeds are the defaults of a plan.
    window : tuple of int
        The published stable window.
    """

    family: FamilyPlan
    window: tuple[int, int]


def presets() -> dict[str, Preset]:
    """Every preset, by name: ``pico-lm``, ``pythia`` (seed 3, as published), other seeds, and ``pythia-deduped``."""
    return {
        "pico-lm": _pico(),
        "pythia": _pythia("pythia", "-seed3"),
        "pythia-deduped": _pythia("pythia-deduped", "-deduped"),
        **{f"pythia-seed{seed}": _pythia(f"pythia-seed{seed}", f"-seed{seed}") for seed in range(1, 10)},
    }


def _pico() -> Preset:
    repositories = {scale: f"pico-lm/pico-decoder-{scale}@pico-decoder-{scale}-1" for scale in PICO_SCALES}
    hub = HubPlan(layout="pico-lm", repositories=repositories)
    return Preset(FamilyPlan(name="pico-lm", hub=hub, fields=("gradient",)), PUBLISHED_WINDOWS["pico-lm"])


def _pythia(name: str, ending: str) -> Preset:
    repositories = {scale: f"EleutherAI/pythia-{scale}{ending}" for scale in PYTHIA_SCALES}
    hub = HubPlan(layout="pythia", repositories=repositories, steps=PYTHIA_STEPS)
    return Preset(FamilyPlan(name=name, hub=hub, fields=("update",)), PUBLISHED_WINDOWS["pythia"])
