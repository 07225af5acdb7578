"""Answers about the shape of the growth: whether power laws bend, and which law durations follow."""

from __future__ import annotations

import polars as pl

from gradcascade.report import words
from gradcascade.report.answers.base import Answer, answer, interval, label, listed, real_first, why_not
from gradcascade.report.data import ReportData, of_group
from gradcascade.report.page_tables import signed
from gradcascade.scaling.claims import side
from gradcascade.vocabulary import SYMBOLS


def curvature_answer(data: ReportData) -> Answer:
    """Say whether the power laws bend."""
    full = real_first(data.answers["window_curvature"])
    sentences = []
    for group in data.groups:
        own = of_group(full, group).filter(pl.col("variant") == "real")
        rows = own.filter(pl.col("low").is_not_null()).to_dicts()
        name = label(data, {"family": group[0], "field": group[1]})
        bent = [
            f"{SYMBOLS[row['exponent']]} (curvature {signed(row['mean'])}, {interval(row['low'], row['high'])})"
            for row in rows
            if side(row["low"], row["high"]).clear
        ]
        if bent:
            sentences.append(f"{name}: the power law bends in {listed(bent)}; one slope only summarises it there.")
        elif rows:
            sentences.append(f"{name}: no exponent shows a bend, so one slope may stand for all scales.")
        else:
            sentences.append(f"{name}: {why_not(own, 'a bend cannot be tested for')}")
    return answer("curvature", sentences, full, data.answers["curvature"])


def law_answer(data: ReportData) -> Answer:
    """Say whether durations grow as a power of N or as its logarithm."""
    full = real_first(data.answers["window_laws"])
    sentences = tuple(
        f"{label(data, row)}: {words.claim('laws', row['law'])}."
        if row["law"]
        else f"{label(data, row)}: the two laws cannot be compared ({row['reason'] or 'no real field'})."
        for row in full.filter(pl.col("variant") == "real").to_dicts()
    )
    return answer("laws", sentences, full, data.answers["laws"])
