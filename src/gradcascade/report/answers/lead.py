"""The first paragraph of the page: what was found, for a reader in a hurry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcascade.report.answers.base import label
from gradcascade.report.answers.regimes import contrast_rows
from gradcascade.report.data import ReportData
from gradcascade.scaling.verdict import BELOW, FLAT, SUPPORTED

FEW_SCALES = 6


def lead(data: ReportData) -> str:
    """Say in a few sentences what the verdicts are, and on how many scales they rest."""
    rows = data.answers["verdicts"].to_dicts()
    sentences = [f"{label(data, row)}: {_words(row)}." for row in rows]
    for row in contrast_rows(data):
        if row["exponent"] != "z" or row["scales_low"] is None:
            continue
        names = f" of {row['family']}" if len(data.families) > 1 else ""
        if row["scales_low"] > 0 or row["scales_high"] < 0:
            longer = "gradients" if row["scales_value"] > 0 else "updates"
            sentences.append(
                f"In the same runs{names}, durations grow faster with scale for {longer}: a clear difference."
            )
        else:
            sentences.append(f"Between gradients and updates{names}, no difference in z is shown.")
    counts = sorted({row["n_scales"] for row in rows if row["n_scales"]})
    if counts:
        span = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        wide = " so intervals are wide, and" if counts[0] <= FEW_SCALES else ""
        sentences.append(
            f"Each statement rests on {span} scales,{wide or ' and'} one run of a scale may differ from the next."
        )
    return " ".join(sentences)


def _words(row: Mapping[str, Any]) -> str:
    null = row["null"] or "a null"
    noise = "noise" if null == "N0" else f"the null {null}"
    if row["verdict"] == SUPPORTED:
        return (
            f"cascades last longer in larger models, by more than {noise} explains, and a smaller share of the "
            "entries is active in each relaxation step"
        )
    if row["verdict"] == FLAT:
        return "neither the duration of cascades nor the share of active entries changes with the size of the model"
    if row["verdict"] == BELOW:
        return f"cascades gain less duration from the size of the model than those of {noise}"
    if row["z_low"] is None:
        return "how cascades change with the size of the model cannot be said; the reason is below"
    return "the scales leave open whether cascades change with the size of the model in another way than noise"
