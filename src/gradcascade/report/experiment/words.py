"""What matched runs say, in sentences: what is shown, what is not, and what could have been."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from gradcascade.fields.kinds import field_plural
from gradcascade.report.experiment.data import Experiment
from gradcascade.report.page_tables import signed
from gradcascade.scaling.claims import LEVEL
from gradcascade.scaling.ladder import Rung
from gradcascade.scaling.ladder_questions import (
    CONDITION_AT,
    CONDITIONS,
    ENDS,
    KIND_BY,
    PRIMARY,
    REST,
    SHORT,
    SPAN,
    SPAN_BY,
    SUPPORTING,
)
from gradcascade.vocabulary import SYMBOLS

Row = dict[str, Any]


def rung_words(rung: Rung) -> str:
    """``gradients``, ``updates over 10 steps``."""
    if rung.span is None:
        return field_plural(rung.field)
    return f"{field_plural(rung.field)} over {rung.span:,} step{'' if rung.span == 1 else 's'}"


def interval(row: Row) -> str:
    """A difference with its interval and p value."""
    if row["low"] is None:
        return f"{signed(row['value'])}" if row["value"] is not None else "unknown"
    p = row["p_adjusted"] if row.get("list") != PRIMARY and row.get("p_adjusted") is not None else row.get("p")
    name = "corrected p" if row.get("list") != PRIMARY and row.get("p_adjusted") is not None else "p"
    tail = "" if p is None else f", {name} = {p:.2g}" if p >= 1e-4 else f", {name} < 0.0001"
    return f"{signed(row['value'])} (95 % interval {signed(row['low'])} to {signed(row['high'])}{tail})"


def question_words(experiment: Experiment, row: Row) -> str:
    """What is subtracted from what."""
    kind, condition, other = (
        row["kind"],
        *(row[name] and experiment.label(row[name]) for name in ("condition", "other")),
    )
    many = len(experiment.ladder.conditions) > 1
    here = f", {condition}" if many else ""
    if kind in (SPAN, SPAN_BY):
        both = f"{condition} less {other}" if kind == SPAN_BY else condition
        return f"updates, per factor e of the span{f', {both}' if many else ''}"
    rung = rung_words(experiment.rung(row["rung"]))
    if kind in (CONDITIONS, CONDITION_AT):
        return f"{rung}, {condition} less {other}"
    second = rung_words(experiment.rung(row["other_rung"]))
    if kind == KIND_BY:
        return f"{rung} less {second}, {condition} less {other}"
    if kind in (ENDS, SHORT):
        return f"{rung} less {second}{here}"
    return f"{_from_to(experiment, row, 'other_rung', 'rung')}{here}"


def headline(experiment: Experiment) -> list[str]:
    """The findings, the most important first; null results are findings."""
    return [
        *_primary(experiment),
        *_rates(experiment),
        *_places(experiment),
        *_interactions(experiment),
        *_further(experiment),
        *_incomplete(experiment),
    ]


def _primary(experiment: Experiment) -> Iterator[str]:
    rows = experiment.answers.filter(pl.col("list") == PRIMARY, pl.col("duration") == "n_steps").to_dicts()
    if not rows:
        yield "No primary question can be asked: it takes gradients with updates, or gradients of two optimizers."
    for row in rows:
        if row["value"] is None:
            yield f"Primary question, z of {question_words(experiment, row)}: no answer, since {row['reason']}."
            continue
        levels = " and ".join(_level(experiment, *place) for place in _sides(row))
        said = (
            "the difference is shown"
            if row["shown"]
            else "no difference is shown, which is no proof that there is none"
        )
        yield (
            f"Primary question, z of {question_words(experiment, row)}: {said}: {interval(row)}. {levels}."
            f"{_resolved(experiment, row)}"
        )


def _rates(experiment: Experiment) -> Iterator[str]:
    """Rates that change otherwise with size are part of what conditions differ in."""
    found = {}
    for condition, rows in experiment.losses.drop_nulls("rate").group_by("condition", maintain_order=True):
        rates = rows["rate"].to_list()
        found[str(condition[0])] = rates[0], rates[-1]
    if len({round(last / first, 3) for first, last in found.values()}) > 1:
        listed = ", ".join(
            f"{experiment.label(name)} {first:.3g} at the smallest and {last:.3g} at the largest"
            for name, (first, last) in found.items()
        )
        yield (
            f"Learning rates change otherwise with size under each ({listed}), which moves z by itself: a difference "
            f"between them is one of optimizers with these rates, not of optimizers alone."
        )


def _sides(row: Row) -> list[tuple[str, str]]:
    second = (row["other"], row["other_rung"])
    return [(row["condition"], row["rung"]), second]


def _level(experiment: Experiment, condition: str, rung: str) -> str:
    known = experiment.exponents.filter(
        pl.col("condition") == condition,
        pl.col("rung") == rung,
        pl.col("variant") == "real",
        pl.col("duration") == "n_steps",
        pl.col("exponent") == "z",
    ).row(0, named=True)
    what = f"z of {rung_words(experiment.rung(rung))} under {experiment.label(condition)}"
    return f"{what} is {interval(known | {'p': None})}"


def _resolved(experiment: Experiment, row: Row) -> str:
    known = experiment.power.filter(
        pl.col("kind") == row["kind"], pl.col("when").is_in(["before", "after"]), pl.col("smallest").is_not_null()
    )
    found = {each["when"]: each["smallest"] for each in known.to_dicts()}
    parts = [
        f"{found[when]:.3f} {words}"
        for when, words in (("before", "by the scatter stated before"), ("after", "by its own scatter"))
        if when in found
    ]
    return f" A difference shown in four of five experiments is {' and '.join(parts)}." if parts else ""


def _places(experiment: Experiment) -> Iterator[str]:
    for condition in experiment.ladder.conditions:
        own = experiment.stretches.filter(pl.col("condition") == condition)
        if own["p"].is_null().all():
            continue
        found = own.filter("shortest").to_dicts()
        name, steps = experiment.label(condition), own["steps"].max()
        if found:
            listed = "; ".join(f"{_from_to(experiment, row, 'first', 'last')} by {interval(row)}" for row in found)
            yield f"Under {name} z changes {listed}: the shortest stretches of its ladder that show a change."
        else:
            yield (
                f"Where along the ladder z changes under {name}, if it does, cannot be told: no stretch of its "
                f"{steps} steps shows a change."
            )


def _from_to(experiment: Experiment, row: Row, first: str, last: str) -> str:
    return f"from {rung_words(experiment.rung(row[first]))} to {rung_words(experiment.rung(row[last]))}"


def _interactions(experiment: Experiment) -> Iterator[str]:
    rows = experiment.answers.filter(
        pl.col("kind").is_in([KIND_BY, SPAN_BY]), pl.col("exponent") == "z", pl.col("duration") == "n_steps"
    )
    for row in rows.to_dicts():
        what = "The kind of field" if row["kind"] == KIND_BY else "The span of updates"
        if row["value"] is None:
            continue
        said = "does not act alike" if row["shown"] else "is not shown to act otherwise"
        yield (
            f"{what} {said} on z under {experiment.label(row['condition'])} and "
            f"{experiment.label(row['other'])}: {interval(row)} "
            f"({question_words(experiment, row)})."
        )


def _further(experiment: Experiment) -> Iterator[str]:
    asked = experiment.answers.filter(pl.col("duration") == "n_steps", pl.col("p").is_not_null())
    parts = []
    for name, words in ((REST, "z"), (SUPPORTING, f"{SYMBOLS['delta']} and R² of durations")):
        own = asked.filter(pl.col("list") == name)
        parts.append(f"{own['shown'].sum()} of {own.height} on {words}")
    if asked.is_empty():
        return
    yield (
        f"Besides the primary questions, each asked at {100 * LEVEL:g} %, {' and '.join(parts)} hold after Holm's "
        f"correction over all of the same list; in each list at most one experiment in twenty claims anything wrong."
    )


def _incomplete(experiment: Experiment) -> Iterator[str]:
    gaps = experiment.gaps
    if gaps.height:
        lost = (gaps["expected"] - gaps["measured"]).sum()
        runs = gaps.select("condition", "scale", "run").n_unique()
        yield (
            f"{lost:,} measurements of {runs} run{'' if runs == 1 else 's'} are missing, ended at the ceiling or had "
            f"no activity; a run with less than half of its steps is left out, the others are set on one level with "
            f"the rest (see Missing)."
        )
    diverged = experiment.losses["diverged"].sum()
    if diverged:
        yield f"{diverged} run{'' if diverged == 1 else 's'} diverged."
    if experiment.ladder.dropped:
        yield f"Nothing was measured yet of {', '.join(experiment.ladder.dropped)}."
