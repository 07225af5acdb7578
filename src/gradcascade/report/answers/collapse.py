"""The answer about the whole profile: whether one curve serves all scales, and the exponent that makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcascade.report import words
from gradcascade.report.answers.base import Answer, answer, interval, label, real_first
from gradcascade.report.data import ReportData
from gradcascade.report.page_tables import signed
from gradcascade.scaling.profile_collapse import BASELINE


def collapse_answer(data: ReportData) -> Answer | None:
    """Say whether the profiles of the scales fall on one curve, and at which z."""
    if "window_collapse" not in data.answers:
        return None
    full = real_first(data.answers["window_collapse"])
    known = {(row["family"], row["field"], row["variant"], row["form"]): row for row in full.to_dicts()}
    sentences = []
    for family, field in data.groups:
        row, decay = (known.get((family, field, "real", form), {}) for form in ("duration", "decay"))
        if row:
            sentences += _sentences(label(data, row), row, decay, known.get((family, field, BASELINE, "duration")))
    return answer("collapse", sentences, full, data.answers["collapse"])


def collapse_claim(row: Mapping[str, Any]) -> str:
    """What S says: one law, one shape, or neither, of what noise gives; unknown without noise to compare with."""
    if row["quality"] is None or row["quality_high"] is None:
        return "unknown"
    if row["quality"] <= row["quality_high"]:
        return "one-law"
    return "one-shape" if row["shape_quality"] <= row["shape_quality_high"] else "no-shape"


def _sentences(
    name: str, row: Mapping[str, Any], decay: Mapping[str, Any], noise: Mapping[str, Any] | None
) -> list[str]:
    if row["quality"] is None:
        return [f"{name}: the profiles cannot be collapsed ({row['scales_reason'] or 'no step has three scales'})."]
    told = f"S = {row['quality']:.1f}, of the shape alone {row['shape_quality']:.1f}"
    if noise and noise["quality"] is not None:
        told += (
            f"; {BASELINE} has {noise['quality']:.1f} (up to {row['quality_high']:.1f}) and "
            f"{noise['shape_quality']:.1f} (up to {row['shape_quality_high']:.1f})"
        )
    first = f"{name}: {words.claim('collapse', collapse_claim(row))} ({told}). {_r2(row)}"
    if row["scales_low"] is None:
        return [first]
    return [
        first,
        f"{name}: the stretches of the profiles give z = {signed(row['scales_value'])} "
        f"({interval(row['scales_low'], row['scales_high'])}), and S is least at {signed(row['z_best'])}; the decay "
        f"time alone has {signed(decay['scales_value'])} "
        f"({interval(decay['scales_low'], decay['scales_high'])}).",
    ]


def _r2(row: Mapping[str, Any]) -> str:
    if row["r2"] is None:
        return "R² of z is not defined."
    return f"R² of z is {row['r2']:.2f} (noise without a slope: up to {row['r2_high']:.2f})."
