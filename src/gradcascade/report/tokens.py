"""Tokens beside steps: a column of tables, and words."""

from __future__ import annotations

import polars as pl


def with_tokens(table: pl.DataFrame, tokens: pl.DataFrame) -> pl.DataFrame:
    """The table with a column of tokens behind its steps: those of the scale, or, without scales, common to all."""
    if "scale" in table.columns:
        keys, known = ["family", "scale", "step"], tokens
    else:
        keys, known = ["family", "step"], common_tokens(tokens)
    columns = list(table.columns)
    columns.insert(columns.index("step") + 1, "tokens")
    known = known.with_columns(pl.col(name).cast(table.schema[name]) for name in keys)
    return table.join(known, on=keys, how="left", maintain_order="left").select(columns)


def common_tokens(tokens: pl.DataFrame) -> pl.DataFrame:
    """By family and step, the tokens of steps at which all scales whose tokens are known have seen as many."""
    scales = pl.col("scale").n_unique()
    one = pl.col("tokens").n_unique() == 1
    whole = tokens.group_by("family").agg(scales=scales)
    found = tokens.group_by("family", "step").agg(pl.col("tokens").first(), one=one).join(whole, on="family")
    return found.filter("one").select("family", "step", "tokens")


def step_label(tokens: pl.DataFrame, families: list[str]) -> str:
    """Label of an axis of steps, with the tokens of one where they are the same for all that is drawn."""
    each = tokens.filter(pl.col("step") > 0).select("family", each=pl.col("tokens") / pl.col("step")).unique()
    if set(each["family"]) != set(families) or each["each"].n_unique() != 1 or each["each"][0] % 1:
        return "training step"
    return f"training step (of {amount(int(each['each'][0]))} tokens)"


def words_between(tokens: pl.DataFrame, family: str, first: int, last: int) -> str:
    """What the steps of a window are in tokens: ``8.39 to 153 billion tokens``; empty where that is not known."""
    found = common_tokens(tokens.filter(pl.col("family") == family))
    ends = dict(found.select("step", "tokens").iter_rows())
    inside = sorted(step for step in ends if first <= step <= last)
    if not inside:
        return ""
    low, high = amount(ends[inside[0]]), amount(ends[inside[-1]])
    if low == high:
        return f"{low} tokens"
    same = low.partition(" ")[2] == high.partition(" ")[2]
    return f"{low.partition(' ')[0] if same else low} to {high} tokens"


def amount(count: int) -> str:
    """A number of tokens in words, three digits of it."""
    for size, word in ((10**12, "trillion"), (10**9, "billion"), (10**6, "million")):
        if count >= size:
            return f"{_short(count / size)} {word}"
    return f"{count:,}"


def _short(value: float) -> str:
    return f"{float(f'{value:.3g}'):g}"
