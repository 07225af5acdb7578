"""Answers about the shape of the growth: whether power laws bend, and which law durations follow."""

from typing import Any

import polars as pl

from gradcascade.report import words
from gradcascade.report.answers.base import Answer, answer, interval, label, listed, real_first, why_not
from gradcascade.report.data import ReportData, of_group
from gradcascade.report.page_tables import signed
from gradcascade.scaling.claims import LEVEL
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
            f"{SYMBOLS[row['exponent']]} (curvature {signed(row['curvature'])}, {interval(row['low'], row['high'])})"
            for row in rows
            if row["p_adjusted"] is not None and row["p_adjusted"] <= LEVEL
        ]
        if bent:
            sentences.append(f"{name}: the power law bends in {listed(bent)}; one slope only summarises it there.")
        elif rows:
            sentences.append(
                f"{name}: no exponent shows a bend that stands out from how the {rows[0]['n_scales']} scales scatter."
            )
        else:
            sentences.append(f"{name}: {why_not(own, 'a bend cannot be tested for')}")
        sentences += _lacking(data, group)
    keys = ["family", "field", "variant", "exponent"]
    lacks = data.answers["window_lack_of_fit"].select(*keys, "r2", "f", p_lack="p", p_lack_adjusted="p_adjusted")
    known = lacks.select(name for name in lacks.columns if not lacks[name].is_null().all())
    full = full.join(known, on=keys, how="left", maintain_order="left")
    return answer("curvature", sentences, full, data.answers["curvature"])


def _lacking(data: ReportData, group: tuple[str, str]) -> list[str]:
    """Say where runs of a scale differ too little to explain how far the scales lie off one line."""
    own = of_group(data.answers["window_lack_of_fit"], group).filter(pl.col("variant") == "real").drop_nulls("p")
    if own.is_empty():
        return []
    bad = own.filter(pl.col("p_adjusted") <= LEVEL, pl.col("exponent") != "beta").to_dicts()
    if not bad:
        return ["The scales lie off one power law by no more than runs of a scale differ from each other."]
    said = [
        f"{SYMBOLS[row['exponent']]} (F = {row['f']:.1f}, p = {row['p_adjusted']:.2g}, R² {row['r2']:.3f})"
        for row in bad
    ]
    return [f"The scales lie off one power law by more than runs of a scale differ, in {listed(said)}."]


def correction_answer(data: ReportData) -> Answer | None:
    """Say what is left of an exponent at large N, where there are enough scales to ask."""
    full = real_first(data.answers["corrections"])
    known = full.filter(pl.col("value").is_not_null())
    if known.is_empty():
        return None
    sentences = []
    for group in data.groups:
        rows = of_group(known, group).filter(pl.col("variant") == "real", pl.col("exponent") != "beta").to_dicts()
        name = label(data, {"family": group[0], "field": group[1]})
        shown = [row for row in rows if row["p_adjusted"] is not None and row["p_adjusted"] <= LEVEL]
        sentences += [f"{name}: {_corrected(row)}" for row in shown]
        if rows and not shown:
            sentences.append(
                f"{name}: over {rows[0]['n_scales']} scales no exponent is shown to change with N; whether a "
                "correction is there, and how fast it falls, cannot be told."
            )
    return answer("corrections", sentences, known, data.answers["local_exponents"])


def _corrected(row: dict[str, Any]) -> str:
    symbol = SYMBOLS[row["exponent"]]
    ends = {name: row[f"omega_{name}"] for name in ("low", "high")}
    bounded = [f"{word} {ends[name]:.2g}" for name, word in (("low", "at least"), ("high", "at most")) if ends[name]]
    fall = " and ".join(bounded) if bounded else "not bounded by these scales, so the correction is not identified"
    return (
        f"{symbol} changes with N. With a leading correction it comes to {signed(row['value'])} at large N "
        f"({interval(row['low'], row['high'])}) in the place of {signed(row['plain'])}; ω, by which the correction "
        f"falls, is {row['omega']:.2g}, {fall}."
    )


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
