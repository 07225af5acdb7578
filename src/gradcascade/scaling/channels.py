"""The channels of every cascade, and whether it may enter a fit (arXiv:2605.02968)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import mul

import polars as pl

from gradcascade.errors import InputError
from gradcascade.fields.kinds import field_plural
from gradcascade.scaling.table_checks import (
    FIT_KEYS,
    require_columns,
    require_numbers,
    require_unique,
    require_values,
)
from gradcascade.tables.reasons import Reason, because, columns
from gradcascade.vocabulary import CHANNELS

QUANTITIES = {name: pl.col(name).cast(pl.Float64) for name in ("n", "size", "duration")}
"""What the powers of a channel are of, as expressions of the columns of a cascade."""

PUBLISHED_MAX_STEPS = 500
"""Duration that marks a ceiling cascade in a table that does not say so itself (arXiv:2605.02968)."""

LABELS = ("family", "field", "variant", "scale")
_NUMBERS = ("step", "n", "size", "duration")
_WHAT = "table of cascades"


def channels(cascades: pl.DataFrame) -> pl.DataFrame:
    """Add the channels of every cascade, and whether it may enter a fit.

    Parameters
    ----------
    cascades : polars.DataFrame
        At least ``family, field, variant, step, scale, n, size, duration``; ``run``, ``span``, ``replicate``,
        ``ceiling``, ``zero_share`` and ``content_hash`` are used where present. Without ``ceiling``, a duration of
        500 is one.

    Returns
    -------
    polars.DataFrame
        The same rows and columns, in the same order, and ``v_abs = size / duration`` (events per step),
        ``v_rel = v_abs / n``, ``size_per_n``, ``duration_per_n``, ``included``, and ``code`` with its ``reason`` in
        words: null, or why the cascade is left out of the fits: "zero-field", "no-activity", "ceiling", or
        "same-as-scale" and "same-as-run", where another scale or run of the family has the same values, so that one
        model goes under two names. ``v_abs`` and ``v_rel`` are null where the duration is zero.

    Raises
    ------
    InputError
        If columns or values are missing or impossible, two rows describe the same measurement, or one step of a run
        has updates of several spans.
    """
    _check(cascades)
    at_limit = pl.col("duration") == PUBLISHED_MAX_STEPS
    ceiling = pl.col("ceiling").fill_null(at_limit) if "ceiling" in cascades.columns else at_limit
    all_zero = (pl.col("zero_share") == 1.0).fill_null(False) if "zero_share" in cascades.columns else pl.lit(False)
    still = pl.col("size") == 0
    cause = pl.when(still & all_zero).then(because("zero-field")).when(still).then(because("no-activity"))
    cause = cause.when(ceiling).then(because("ceiling")).otherwise(_same_values(cascades))
    return cascades.with_columns(
        *columns(cause),
        **derived(),
        size_per_n=_product({"size": 1, "n": -1}),
        duration_per_n=_product({"duration": 1, "n": -1}),
    ).with_columns(included=pl.col("code").is_null())


def derived() -> dict[str, pl.Expr]:
    """The channels that are made of measured quantities."""
    return {name: _product(channel.powers) for name, channel in CHANNELS.items() if name not in QUANTITIES}


def runs(table: pl.DataFrame) -> pl.Expr:
    """The run of every row as text: "0" where a table has no runs."""
    return pl.col("run").cast(pl.String).fill_null("0") if "run" in table.columns else pl.lit("0")


def _product(powers: Mapping[str, int]) -> pl.Expr:
    """Multiply powers of quantities; null where one that is divided by is zero."""
    above, below = (
        [QUANTITIES[name] for name, power in powers.items() for _ in range(sign * power)] for sign in (1, -1)
    )
    top = reduce(mul, above) if above else pl.lit(1.0)
    return pl.when(pl.all_horizontal(part > 0 for part in below)).then(top / reduce(mul, below)) if below else top


def _same_values(cascades: pl.DataFrame) -> pl.Series:
    """Why cascades do not count whose field was measured under another scale or run too; null of all others.

    One model under several names (renamed, copied, measured again) counts under the one with the most cascades.
    """
    if "content_hash" not in cascades.columns or not cascades.height:
        return pl.Series([None] * cascades.height, dtype=pl.Struct(dict.fromkeys(Reason._fields, pl.String)))
    named = cascades.select(
        pl.col("family", "field", "scale").cast(pl.String), "step", "n", "content_hash", run=runs(cascades)
    ).with_columns(
        _fewer=-pl.len().over("family", "scale").cast(pl.Int64),
        _fewer_run=-pl.len().over("family", "scale", "run").cast(pl.Int64),
    )
    field = ("family", "field", "step", "n", "content_hash")
    order = ("_fewer", "scale", "_fewer_run", "run")
    scale, run = (pl.col(name).sort_by(order).first().over(*field) for name in ("scale", "run"))
    known = pl.col("content_hash").is_not_null()
    of_scale, of_run = known & (pl.col("scale") != scale), known & (pl.col("run") != run)
    same = pl.when(of_scale).then(because("same-as-scale", other=scale))
    return named.select(same.when(of_run).then(because("same-as-run", other=run))).to_series()


def _check(cascades: pl.DataFrame) -> None:
    """Refuse what no relaxation can have produced."""
    require_columns(cascades, (*LABELS, *_NUMBERS), _WHAT)
    require_values(cascades, (*LABELS, *_NUMBERS), _WHAT)
    require_numbers(cascades, _NUMBERS, _WHAT)
    if not cascades.height:
        return
    impossible = {
        "n below 1": pl.col("n") < 1,
        "a negative size": pl.col("size") < 0,
        "a negative duration": pl.col("duration") < 0,
        "a size above 0 with a duration of 0": (pl.col("size") > 0) & (pl.col("duration") == 0),
    }
    for words, rule in impossible.items():
        wrong = cascades.select(rule.alias("wrong")).get_column("wrong")
        if wrong.any():
            row = cascades.select("scale", "step").row(int(wrong.arg_max() or 0))
            raise InputError(
                f"the {_WHAT} has {words} in {wrong.sum()} of {cascades.height} rows, first at scale {row[0]}, "
                f"step {row[1]}; measure these cascades again or drop them"
            )
    _check_spans(cascades)
    key = [*FIT_KEYS, "scale", *(name for name in ("run", "replicate") if name in cascades.columns)]
    require_unique(
        cascades, key, _WHAT, "keep one of them, for example the cascades of one probe, or number them as replicates"
    )


def _check_spans(cascades: pl.DataFrame) -> None:
    """Updates over different numbers of optimizer steps are different fields, though their step is the same."""
    if "span" not in cascades.columns:
        return
    place = ["family", "scale", "run", "field", "step"]
    spans = cascades.with_columns(run=runs(cascades)).group_by(place).agg(pl.col("span").unique().sort())
    several = spans.filter(pl.col("span").list.len() > 1).sort(place)
    if several.height:
        row = several.row(0, named=True)
        listed = " and ".join("no span" if span is None else f"{span:,}" for span in row["span"])
        raise InputError(
            f"the {field_plural(row['field'])} of {row['family']}, scale {row['scale']}, run {row['run']}, "
            f"step {row['step']} have several spans ({listed} optimizer steps); fit one span at a time: "
            "fit, report and export take --span, a table keeps the rows of one"
        )
