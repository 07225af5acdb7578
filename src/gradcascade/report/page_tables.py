"""The tables of the report: exponents, nulls, what was left out and why, what was measured from what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl

from gradcascade.scaling.closure import largest_closure_error
from gradcascade.scaling.decomposition import summarise_decomposition
from gradcascade.scaling.exponents import closure_error
from gradcascade.scaling.schemas import numbers, texts, wholes
from gradcascade.vocabulary import EXPONENTS, SHOWN_EXPONENTS, SYMBOLS

if TYPE_CHECKING:
    from gradcascade.report.data import ReportData

MINUS = "\N{MINUS SIGN}"
ABSENT = "\N{EN DASH}"


def signed(value: float | None, digits: int = 3) -> str:
    """Write a number with its sign."""
    if value is None or value != value:
        return ABSENT
    text = f"{value:+.{digits}f}"
    return text.replace("-", MINUS) if float(text) else text[1:]


def step_list(steps: Iterable[int]) -> str:
    """Write steps in few words."""
    known = sorted(set(steps))
    if len(known) <= 4:
        return ", ".join(f"{step:,}" for step in known)
    return f"{known[0]:,} to {known[-1]:,} ({len(known):,} steps)"


def headline(data: ReportData) -> pl.DataFrame:
    """Summarise the exponents over the window, ready to print."""
    keys = ["family", "field", "variant"]
    schema = texts(*keys, *EXPONENTS) | numbers(*(f"R2_{name}" for name in SHOWN_EXPONENTS)) | wholes("steps")
    rows = []
    for key, part in data.summary.group_by(keys, maintain_order=True):
        by_name = {row["exponent"]: row for row in part.iter_rows(named=True)}
        row: dict[str, object] = dict(zip(keys, key, strict=True))
        row |= {name: _mean_and_sd(by_name.get(name), plus=not EXPONENTS[name].neutral) for name in EXPONENTS}
        row |= {f"R2_{name}": _rounded(by_name.get(name, {}).get("mean_r2")) for name in SHOWN_EXPONENTS}
        rows.append(row | {"steps": by_name.get("z", {}).get("n_steps", 0)})
    order = pl.col("variant") != "real"
    return pl.DataFrame(rows, schema=schema).sort("family", "field", order, "variant", maintain_order=True)


def exclusions(data: ReportData) -> pl.DataFrame:
    """List the cascades that were left out of the fits, with the reason."""
    keys = ["family", "field", "variant", "scale", *(["run"] if data.several_runs else []), "reason"]
    left_out = data.channels.filter(~pl.col("included"))
    grouped = left_out.group_by(keys).agg(cascades=pl.len(), steps="step").sort(keys)
    return grouped.with_columns(pl.col("steps").map_elements(step_list, return_dtype=pl.String))


def missing_exponents(data: ReportData) -> pl.DataFrame:
    """List the steps without exponents, with the reason."""
    keys = ["family", "field", "variant", "reason"]
    absent = data.fits.filter(pl.col("value").is_null(), pl.col("exponent") == "z")
    grouped = absent.group_by(keys).agg(steps="step").sort(keys)
    return grouped.with_columns(pl.col("steps").map_elements(step_list, return_dtype=pl.String))


def closure_summary(data: ReportData) -> pl.DataFrame:
    """Find the largest closure error of each trajectory."""
    return largest_closure_error(closure_error(data.fits))


def null_summary(data: ReportData) -> pl.DataFrame:
    """Summarise the differences to the nulls over the window."""
    means = data.null_parts.filter(pl.col("exponent").is_in(SHOWN_EXPONENTS), pl.col("value").is_not_null())
    keys = ["family", "field", "exponent"]
    split = summarise_decomposition(data.decomposition, data.windows).select(*keys, "dist_share", "assign_share")
    shares = {row[:3]: row[3:] for row in split.rows()}
    rows = []
    place = {name: i for i, name in enumerate(EXPONENTS)}
    means = means.sort("family", "field", pl.col("exponent").replace_strict(place), maintain_order=True)
    for key, part in means.group_by(keys, maintain_order=True):
        spread = part.select("part", "value", "sd").rows()
        cells = {name: f"{signed(value)} {_spread(sd)}" for name, value, sd in spread}
        parts = (cells.get(name, ABSENT) for name in ("total", "dist", "assign"))
        rows.append(
            (
                *key[:2],
                SYMBOLS.get(str(key[2]), key[2]),
                *parts,
                *(_percent(share) for share in shares.get(key, (None, None))),
            )
        )
    columns = [*keys, "total", "distribution", "assignment", "distribution_share", "assignment_share"]
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def sources(data: ReportData) -> pl.DataFrame:
    """List what every field was read from."""
    columns = ["family", "field", "scale", *_telling(data.cascades), "step", "source", "revision", "content_hash"]
    real = data.cascades.filter(pl.col("variant") == "real")
    table = data.cascades if real.is_empty() else real
    order = pl.col("scale").replace_strict({name: i for i, name in enumerate(data.scales())}, default=0)
    present = [name for name in columns if name in table.columns]
    by = ["family", "field", order, *(["run"] if "run" in present else []), "step"]
    return table.sort(by).select(present).unique(maintain_order=True)


def contents(data: ReportData) -> pl.DataFrame:
    """What the fields are made of, small scales first, with the columns that say something."""
    if data.contents is None:
        return pl.DataFrame()
    place = {name: i for i, name in enumerate(data.scales())}
    table = data.contents.sort("family", "field", pl.col("scale").replace_strict(place, default=0), "run")
    silent = [name for name in ("left_out", "passed_over") if not table[name].str.len_chars().sum()]
    said = pl.col(pl.String).replace("", None)
    return table.drop(silent, *([] if data.several_runs else ["run"])).with_columns(said)


def refusals(data: ReportData) -> pl.DataFrame:
    """List the snapshots that were not measured, with the reason in words."""
    known = [name for name in ("family", "scale", "run", "step", "field", "span", "reason") if name in data.refusals]
    silent = {"run", "span"} - set(_telling(data.refusals))
    return data.refusals.select(name for name in known if name not in silent)


def _telling(table: pl.DataFrame) -> list[str]:
    """Of run and span those that say something: more than one run, or updates of more than one span."""
    return [name for name in ("run", "span") if name in table.columns and table[name].drop_nulls().n_unique() > 1]


def _mean_and_sd(row: dict[str, float | None] | None, plus: bool) -> str:
    if row is None or row["mean"] is None:
        return ABSENT
    mean = signed(row["mean"])
    return f"{mean if plus else mean.removeprefix('+')} {_spread(row['sd'])}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _spread(sd: float | None) -> str:
    return "(one step)" if sd is None else f"± {sd:.3f}"


def _percent(share: float | None) -> str:
    return ABSENT if share is None else f"{100 * share:.0f} %"
