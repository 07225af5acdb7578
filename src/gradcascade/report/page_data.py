"""The numbers behind the charts of the page: the tables of a report as columns of JSON, rounded for reading."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.fields.kinds import field_plural
from gradcascade.report.data import Group, ReportData, of_group
from gradcascade.report.drawing.quantities import no_exponents
from gradcascade.scaling.claims import sides
from gradcascade.vocabulary import CHANNELS, DIFFERENCES, EXPONENTS

DIGITS = 5
ACTIVITY_LIMIT = 200_000
"""Most numbers of activity profiles in a page; beyond, profiles of evenly spread steps are kept."""

Floats = NDArray[np.float64]
Numbers = list[int | float | None]


def chart_data(data: ReportData) -> dict[str, Any]:
    """Arrange a report for the charts."""
    return {
        "title": data.title,
        "baseline": data.baseline,
        "vocabulary": _vocabulary(),
        "groups": [_group(data, group) for group in data.groups],
        "verdicts": _verdicts(data),
        "contrasts": _contrasts(data),
        "metrics": [part for family in data.families for part in _metrics(data, family)],
    }


def _vocabulary() -> dict[str, Any]:
    """What the scripts need to know of exponents, channels and differences: their names, and how they are made."""
    return {
        "exponents": _attributes(EXPONENTS, "symbol", "words", "neutral", "same_as", "channel"),
        "channels": {
            name: {
                "label": name if name == channel.symbol else f"{name} {channel.symbol}",
                "powers": None if name in _further() else dict(channel.powers),
            }
            for name, channel in CHANNELS.items()
        },
        "differences": _attributes(DIFFERENCES, "label", "minuend", "subtrahend"),
    }


def _attributes(declared: Mapping[str, Any], *names: str) -> dict[str, dict[str, Any]]:
    return {key: {name: getattr(one, name) for name in names} for key, one in declared.items()}


def _further() -> list[str]:
    """Channels that cannot be made from size, duration and N, so that the page carries their values."""
    return [name for name, channel in CHANNELS.items() if not set(channel.powers) <= {"n", "size", "duration"}]


def _verdicts(data: ReportData) -> list[dict[str, Any]]:
    return data.answers["verdicts"].select("family", "field", "verdict").to_dicts() if data.groups else []


def _contrasts(data: ReportData) -> list[dict[str, Any]]:
    """What the contrasts of two fields claim, with the numbers behind it."""
    if not data.groups:
        return []
    known = data.answers["contrasts"].with_columns(claim=sides("scales_low", "scales_high"))
    names = {"value": "scales_value", "low": "scales_low", "high": "scales_high"}
    return known.select("family", "first", "second", "exponent", "method", "claim", **names).to_dicts()


def json_text(content: object) -> str:
    """Write JSON that can stand inside a script element."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text.encode("utf-8", errors="replace").decode("utf-8")


def rounded(values: Floats, digits: int = DIGITS) -> Numbers:
    """Round to what a reader can use."""
    return [_number(float(f"{value:.{digits}g}")) if np.isfinite(value) else None for value in values.tolist()]


def _number(value: float) -> int | float:
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def _group(data: ReportData, group: Group) -> dict[str, Any]:
    family, field = group
    rows = of_group(data.channels, group)
    steps = rows["step"].unique().sort()
    names = [name for name in data.scales(family) if rows["scale"].eq(name).any()]
    sizes = data.entries(family, field)
    variants = [name for name in data.variants if rows["variant"].eq(name).any()]
    profiles = rows.filter(pl.col("included")).filter(pl.col("replicate") == pl.col("replicate").min())
    if data.several_runs:
        profiles = profiles.filter(pl.col("run") == pl.col("run").min().over("scale", "step"))
    kept = _kept_steps(profiles, steps)
    return {
        "family": family,
        "field": field,
        "plural": field_plural(field),
        "window": list(data.windows[group]),
        "scales": names,
        "n": [sizes[name] for name in names],
        "runs": [data.several_runs.get((family, name), []) for name in names],
        "steps": steps.to_list(),
        "tokens": _tokens(data, family, names, steps),
        "activity_at": kept,
        "no_exponents": no_exponents(data),
        "variants": {
            name: _variant(data, group, name, names, steps)
            | {"activity": _profiles(profiles.filter(pl.col("variant") == name), names, steps.gather(kept))}
            for name in variants
        },
    }


def _tokens(data: ReportData, family: str, names: list[str], steps: pl.Series) -> list[list[int | None]] | None:
    """Tokens seen at every step, by scale; None where nothing is known of them."""
    known = data.tokens.filter(pl.col("family") == family)
    if known.is_empty():
        return None
    found = {(scale, step): tokens for scale, step, tokens in known.select("scale", "step", "tokens").iter_rows()}
    return [[found.get((name, step)) for step in steps.to_list()] for name in names]


def _variant(data: ReportData, group: Group, variant: str, names: list[str], steps: pl.Series) -> dict[str, Any]:
    means = of_group(data.means, group).filter(pl.col("variant") == variant).rename({"duration": "n_steps"})
    fits = of_group(data.fits, group).filter(pl.col("variant") == variant)
    expected = of_group(data.answers["compressibility"], group).filter(pl.col("variant") == variant)
    exponents: dict[str, dict[str, Numbers]] = {}
    for name, exponent in EXPONENTS.items():
        line = fits.filter(pl.col("exponent") == name).with_columns(half=pl.col("high") - pl.col("value"))
        columns = ("value", "half", "r2") if not exponent.same_as else ("r2",)
        exponents[name] = {column: _along(line, column, steps) for column in columns}
    channels = {
        column: [_along(means.filter(pl.col("scale") == name), column, steps) for name in names]
        for column in ("size_per_n", "n_steps", *_further())
    }
    high = _along(expected.filter(pl.col("exponent") == "z"), "null_high", steps)
    return {**channels, "exponents": exponents, "r2_high": high}


def _along(table: pl.DataFrame, column: str, steps: pl.Series) -> Numbers:
    """One column at every step, None where the table has no row."""
    values = np.full(steps.len(), np.nan)
    places = np.searchsorted(steps.to_numpy(), table["step"].to_numpy())
    values[places] = table[column].cast(pl.Float64).to_numpy()
    return rounded(values)


def _kept_steps(profiles: pl.DataFrame, steps: pl.Series) -> list[int]:
    """Places of the steps whose activity profiles fit in the page."""
    if "activity" not in profiles.columns or profiles.is_empty():
        return []
    total = int(profiles["activity"].list.len().sum())
    every = -(-total // ACTIVITY_LIMIT) or 1
    return sorted({*range(0, steps.len(), every), steps.len() - 1})


def _profiles(rows: pl.DataFrame, names: list[str], steps: pl.Series) -> list[list[list[int] | None]]:
    if steps.is_empty():
        return []
    found = {(scale, step): profile for scale, step, profile in rows.select("scale", "step", "activity").iter_rows()}
    return [[found.get((name, step)) for step in steps.to_list()] for name in names]


def _metrics(data: ReportData, family: str) -> list[dict[str, Any]]:
    known = data.mean_metrics.filter(pl.col("family") == family, pl.col("value").is_finite())
    parts = []
    for name in sorted(known["metric"].unique().to_list()):
        rows = known.filter(pl.col("metric") == name)
        scales = [scale for scale in data.scales(family) if rows["scale"].eq(scale).any()]
        steps = rows["step"].unique().sort()
        values = [
            _along(rows.filter(pl.col("scale") == scale).unique("step", keep="last"), "value", steps)
            for scale in scales
        ]
        parts.append({"family": family, "name": name, "steps": steps.to_list(), "scales": scales, "values": values})
    return parts
