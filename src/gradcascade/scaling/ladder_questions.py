"""What is asked of matched runs, stated before they are trained, and what they answer.

Primary, each at 5 %: z of gradients less z of updates over the longest span, in the first condition; z of gradients
in the first condition less that in the second. All others on z hold after Holm over all of them together; all on
delta and on R2 of durations, the primary ones too, after Holm over these together. So there are three lists of
claims, and each of the last two holds a wrong one in at most one experiment in twenty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from gradcascade.scaling.claims import LEVEL
from gradcascade.scaling.combinations import SUM_SCHEMA, Combination, combined
from gradcascade.scaling.ladder import GRADIENT, UPDATE, Ladder, Rung, trajectory
from gradcascade.scaling.ladder_compressibility import combined_r2
from gradcascade.scaling.multiplicity import holm
from gradcascade.scaling.schemas import flags, numbers, texts

PRIMARY, REST, SUPPORTING = "primary", "rest", "supporting"
"""The lists: at 5 % each; Holm over all others on z; Holm over all on delta and R2."""

ENDS, CONDITIONS, SHORT, STEP, CONDITION_AT, SPAN, KIND_BY, SPAN_BY = (
    "ends",
    "conditions",
    "shortest",
    "step",
    "condition-at",
    "span",
    "kind-by-condition",
    "span-by-condition",
)
"""Kinds of question: gradient less the longest update; gradients of two conditions; gradient less the shortest
update; the next rung less the one before; another rung of two conditions; growth with the logarithm of the span; the
first and this by condition."""

EXPONENTS_ASKED = ("z", "delta")
"""Exponents that claims are made about; delta is D - z - 1, so it hardly says anything new."""

ANSWER_SCHEMA = (
    texts("kind", "condition", "other", "rung", "other_rung", "list", "duration")
    | SUM_SCHEMA
    | numbers("p_adjusted")
    | flags("shown")
)
"""Columns of the answers, in order; what repeats a question with the extinction time is no claim."""


@dataclass(frozen=True)
class Question:
    """A sum of log channels with what it is about; ``other`` and ``other_rung`` are what is subtracted."""

    kind: str
    condition: str
    sum: Combination
    rung: str | None = None
    other: str | None = None
    other_rung: str | None = None

    @property
    def primary(self) -> bool:
        """Whether it is one of the two that were stated first."""
        return self.sum.name.startswith(f"{PRIMARY}:")


def questions(ladder: Ladder) -> list[Question]:
    """Everything that is asked, primary questions first; what the runs do not hold is not asked."""
    base = ladder.conditions[0]
    found = [*_ends(ladder, base, primary=True)]
    others = ladder.conditions[1:]
    gradient = Rung(GRADIENT)
    if others and all(ladder.has(name, gradient) for name in (base, others[0])):
        found.append(_between(base, others[0], gradient, CONDITIONS, f"{PRIMARY}:conditions"))
    for name in ladder.conditions:
        found += [*_steps(ladder, name), *_span(ladder, name)]
        if name == base:
            found += _shortest(ladder, base)
            continue
        ends, span = list(_ends(ladder, name)), list(_span(ladder, name))
        found += ends
        common = [rung for rung in ladder.rungs if ladder.has(base, rung) and ladder.has(name, rung)]
        asked = {(each.other, each.rung) for each in found if each.kind == CONDITIONS}
        found += [
            _between(base, name, rung, CONDITION_AT, f"{base} - {name}: {rung.name}")
            for rung in common
            if (name, rung.name) not in asked
        ]
        for kind, ours, theirs in (
            (KIND_BY, list(_ends(ladder, base)), ends),
            (SPAN_BY, list(_span(ladder, base)), span),
        ):
            if ours and theirs and _rungs(ours[0]) == _rungs(theirs[0]):
                gap = ours[0].sum.less(theirs[0].sum, f"{kind}: {base} - {name}")
                found.append(Question(kind, base, gap, ours[0].rung, name, ours[0].other_rung))
    return found


def answers(ladder: Ladder, seeds: pl.DataFrame) -> pl.DataFrame:
    """Answer every question on z and delta by every duration, and on R2 of n_steps; ``shown`` is the claim."""
    asked = questions(ladder)
    sums = [each.sum for each in asked]
    tables = [
        combined(points, sums, ladder.window)
        .filter(pl.col("exponent").is_in(EXPONENTS_ASKED))
        .with_columns(duration=pl.lit(name))
        for name, points in ladder.timed.items()
    ]
    r2 = pl.DataFrame(combined_r2(seeds, sums), schema=SUM_SCHEMA).with_columns(duration=pl.lit("n_steps"))
    about = pl.DataFrame(
        [
            (place, each.sum.name, each.kind, each.condition, each.other, each.rung, each.other_rung, each.primary)
            for place, each in enumerate(asked)
        ],
        schema={"_place": pl.Int64}
        | texts("name", "kind", "condition", "other", "rung", "other_rung")
        | flags("_primary"),
        orient="row",
    )
    table = about.join(pl.concat([*tables, r2]), on="name", how="left", maintain_order="left")
    on_z = pl.col("exponent") == "z"
    kind = pl.when(on_z & pl.col("_primary")).then(pl.lit(PRIMARY)).when(on_z).then(pl.lit(REST))
    table = table.with_columns(list=kind.otherwise(pl.lit(SUPPORTING)))
    return _claimed(table).select(pl.col(name).cast(kind) for name, kind in ANSWER_SCHEMA.items())


def _claimed(table: pl.DataFrame) -> pl.DataFrame:
    """Correct the p values of every list over itself, and say which effects are shown."""
    published = (table.get_column("duration") == "n_steps").to_numpy()
    p = table.get_column("p").cast(pl.Float64).fill_null(np.nan).to_numpy()
    adjusted = np.full(p.shape, np.nan)
    for name in (PRIMARY, REST, SUPPORTING):
        here = published & (table.get_column("list") == name).to_numpy()
        adjusted[here] = p[here] if name == PRIMARY else holm(p[here])
    found = pl.Series("p_adjusted", adjusted, dtype=pl.Float64).fill_nan(None)
    return table.with_columns(found).with_columns(shown=(pl.col("p_adjusted") <= LEVEL).fill_null(False))


def _rungs(question: Question) -> set[str]:
    return {rung for _, rung in question.sum.weights}


def _between(base: str, other: str, rung: Rung, kind: str, name: str) -> Question:
    gap = Combination.difference(name, trajectory(base, rung), trajectory(other, rung))
    return Question(kind, base, gap, rung.name, other, rung.name)


def _less(ladder: Ladder, condition: str, kind: str, span: int, name: str) -> Iterator[Question]:
    first, second = Rung(GRADIENT), Rung(UPDATE, span)
    if ladder.has(condition, first) and ladder.has(condition, second):
        gap = Combination.difference(name, trajectory(condition, first), trajectory(condition, second))
        yield Question(kind, condition, gap, first.name, condition, second.name)


def _ends(ladder: Ladder, condition: str, primary: bool = False) -> Iterator[Question]:
    if ladder.spans:
        name = f"{PRIMARY}:ends" if primary else f"{condition}: ends"
        yield from _less(ladder, condition, ENDS, ladder.spans[-1], name)


def _shortest(ladder: Ladder, condition: str) -> Iterator[Question]:
    if len(ladder.spans) > 1:
        yield from _less(ladder, condition, SHORT, ladder.spans[0], f"{condition}: shortest")


def _steps(ladder: Ladder, condition: str) -> Iterator[Question]:
    rungs = ladder.rungs_of(condition)
    for one, following in pairwise(rungs):
        name = f"{condition}: {one.name} to {following.name}"
        gap = Combination.difference(name, trajectory(condition, following), trajectory(condition, one))
        yield Question(STEP, condition, gap, following.name, condition, one.name)


def _span(ladder: Ladder, condition: str) -> Iterator[Question]:
    """Slope on the natural logarithm of the span, as weights of the spans."""
    spans = [span for span in ladder.spans if ladder.has(condition, Rung(UPDATE, span))]
    if len(spans) < 2:
        return
    x = np.log(spans) - np.mean(np.log(spans))
    weights = {
        trajectory(condition, Rung(UPDATE, span)): w for span, w in zip(spans, (x / (x @ x)).tolist(), strict=True)
    }
    yield Question(SPAN, condition, Combination(f"{condition}: span", weights), UPDATE, condition, None)
