"""Tokens that runs have seen at their steps: a second coordinate, as batches of the scales may differ in size."""

from __future__ import annotations

import re

import polars as pl

from gradcascade import families
from gradcascade.study.plan import FamilyPlan, Plan
from gradcascade.vocabulary import FAMILY, SCALE, STEP, TOKENS, polars_schema

SCHEMA = polars_schema((FAMILY, SCALE, STEP, TOKENS))

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_NAMED = r"step[-_]?0*{}(?![0-9])[^ ]*?tokens([0-9]+(?:[.][0-9]+)?)([KMBT]?)"


def tokens_table(plan: Plan, cascades: pl.DataFrame, metrics: pl.DataFrame) -> pl.DataFrame:
    """Tokens by family, scale and step, where they are known; no row where they are not.

    A plan's ``tokens``, or the file of the published family that its repositories are of, says how many tokens a step
    of a scale has. Failing that, names of branches and folders such as ``stage1-step1000-tokens5B`` do, rounded as
    they are.
    """
    each = [
        (family.name, scale, tokens) for family in plan.families for scale, tokens in tokens_of_a_step(family).items()
    ]
    known = pl.DataFrame(each, schema={"family": pl.String, "scale": pl.String, "each": pl.Int64}, orient="row")
    keys = ["family", "scale", "step"]
    steps = pl.concat([table.select(keys) for table in (cascades, metrics)]).unique()
    counted = steps.join(known, on=keys[:2]).select(*keys, tokens=pl.col("step") * pl.col("each"))
    named = [
        (family, scale, step, tokens)
        for family, scale, step, source in cascades.select(*keys, "source").unique().iter_rows()
        if (tokens := named_tokens(source, step)) is not None
    ]
    further = pl.DataFrame(named, schema=SCHEMA, orient="row").unique(keys).join(counted, on=keys, how="anti")
    return pl.concat([counted, further]).cast({"step": pl.Int64, "tokens": pl.Int64}).sort(keys)


def tokens_of_a_step(family: FamilyPlan) -> dict[str, int]:
    """How many tokens a training step of each scale has, where that is known."""
    found: dict[str, int] = {}
    if family.hub and (known := families.family_of(family.name, list(family.hub.places.values()))):
        found = {name: scale.tokens for name, scale in known.scales.items() if scale.tokens is not None}
    return found | dict(family.tokens or {})


def named_tokens(source: str, step: int) -> int | None:
    """The tokens that a name says beside this step, as in ``stage1-step1000-tokens5B``; None if none does."""
    if "tokens" not in source or (match := re.search(_NAMED.format(step), source)) is None:
        return None
    return round(float(match[1]) * _UNITS[match[2]])
