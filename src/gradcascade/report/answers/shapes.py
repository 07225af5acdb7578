"""Answers about the shape of the growth: whether power laws bend, and which law durations follow."""

from __future__ import annotations

import polars as pl

from gradcascade.report.answers.base import (
    KEYS,
    SYMBOL,
    Answer,
    interval,
    label,
    listed,
    real_first,
    why_not,
    without_empty_missing,
)
from gradcascade.report.data import ReportData
from gradcascade.report.tables import signed
from gradcascade.vocabulary import SYMBOLS


def curvature_answer(data: ReportData) -> Answer:
    """Say whether the power laws bend."""
    full = real_first(data.answers["window_curvature"])
    sentences = []
    for group in data.groups:
        own = full.filter(pl.col("family") == group[0], pl.col("field") == group[1], pl.col("variant") == "real")
        rows = own.filter(pl.col("low").is_not_null()).to_dicts()
        name = label(data, {"family": group[0], "field": group[1]})
        bent = [
            f"{SYMBOLS[row['exponent']]} (curvature {signed(row['mean'])}, {interval(row['low'], row['high'])})"
            for row in rows
            if row["low"] > 0 or row["high"] < 0
        ]
        if bent:
            sentences.append(f"{name}: the power law bends in {listed(bent)}; one slope is a summary there, no law.")
        elif rows:
            sentences.append(f"{name}: no bend is shown in any exponent, so one slope may stand for all scales.")
        else:
            sentences.append(f"{name}: {why_not(own, 'a bend cannot be tested')}")
    table = full.select(
        *KEYS,
        SYMBOL,
        curvature=pl.col("mean"),
        low=pl.col("low"),
        high=pl.col("high"),
        steps=pl.col("n_steps"),
        missing=pl.col("reason"),
    )
    how = (
        "At every step, log y = c + slope × x + curvature × x², with x = log N less its mean over the scales, is "
        "fitted by least squares; the curvatures are averaged over the window, and the 95 % interval (low, high) "
        "allows for correlated steps. Runs that differ bend a line at every step as a true curvature does.",
    )
    return Answer(
        "curvature",
        "Whether the power laws bend",
        tuple(sentences),
        without_empty_missing(table),
        how,
        data.answers["curvature"],
    )


def law_answer(data: ReportData) -> Answer:
    """Say whether durations grow as a power of N or as its logarithm."""
    full = real_first(data.answers["window_laws"])
    words = {
        "power": "durations grow as a power of N rather than as a + b log N",
        "logarithm": "durations grow as a + b log N rather than as a power of N, so that z depends on the "
        "sizes chosen",
        "undecided": "a power of N and a + b log N describe the durations equally well",
    }
    sentences = tuple(
        f"{label(data, row)}: {words[row['law']]}."
        if row["law"]
        else f"{label(data, row)}: the two laws cannot be compared ({row['reason'] or 'no real field'})."
        for row in full.filter(pl.col("variant") == "real").to_dicts()
    )
    table = full.select(
        *KEYS,
        pl.col("law"),
        difference=pl.col("mean"),
        low=pl.col("low"),
        high=pl.col("high"),
        steps=pl.col("n_steps"),
        missing=pl.col("reason"),
    )
    how = (
        "A constant, a + b log N and a N^z are fitted to the durations of every step by least squares of log "
        "duration and compared by the corrected criterion of Akaike, k log(RSS/k) + 2p + 2p(p+1)/(k − p − 1) "
        "(Hurvich and Tsai, Biometrika 76, 1989). The difference is that of the logarithm less that of the power: "
        "positive where the power fits better. It is judged over the window by its 95 % interval (Vuong, "
        "Econometrica 57, 1989).",
    )
    return Answer(
        "laws", "Power law or logarithm", sentences, without_empty_missing(table), how, data.answers["laws"]
    )
