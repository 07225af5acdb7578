"""What was found and how sure it is, in plain words, from the tables alone.

A difference is called clear only where the intervals say so. The 95 % interval of a difference of two exponents
follows from their own intervals by the method of variance estimates recovery (Zou and Donner, Statistics in Medicine
27, 2008): the distances of each estimate to its limits add in squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from gradcascade.report.data import Group, ReportData, of_group
from gradcascade.report.tables import signed
from gradcascade.vocabulary import SHOWN_EXPONENTS, SYMBOLS

MOSTLY = 0.9
UNITS = {name: SYMBOLS[name] for name in SHOWN_EXPONENTS}


@dataclass(frozen=True)
class Comparison:
    """An exponent, or a difference of two, over the steps of a window."""

    mean: float | None
    sd: float | None
    steps: int
    clear: int

    @property
    def is_clear(self) -> bool:
        """Whether at least nine in ten intervals exclude zero on the same side."""
        return self.steps > 0 and self.clear >= MOSTLY * self.steps

    @property
    def verdict(self) -> str:
        """How clear it is, with the count of steps whose interval says so."""
        counts = f"at {self.clear} of {self.steps} steps"
        if self.is_clear:
            return f"clear ({counts})"
        if self.clear and self.clear >= self.steps / 2:
            return f"clear at most steps, though not at every one ({counts})"
        return f"clear at few steps only ({counts})" if self.clear else f"not clear ({counts})"

    @property
    def number(self) -> str:
        """Mean and spread, for a sentence."""
        spread = "one step" if self.sd is None else f"SD over steps {self.sd:.3f}"
        return f"{signed(self.mean)} ({spread})"


@dataclass(frozen=True)
class Findings:
    """The words at the top of the report."""

    opening: str
    details: tuple[tuple[str, tuple[str, ...]], ...]
    cautions: tuple[str, ...]


def compare(
    data: ReportData, group: Group, exponent: str, variant: str = "real", other: tuple[Group, str] | None = None
) -> Comparison:
    """Compare an exponent with zero (D with one), or with that of another trajectory, step by step."""
    rows = _trajectory(data, group, exponent, variant).filter(pl.col("step").is_between(*data.windows[group]))
    value, low, high = (pl.col(name) for name in ("value", "low", "high"))
    flat = low == high
    if other is None:
        shift = 1.0 if exponent == "D" else 0.0
        rows = rows.select((value - shift).alias("d"), (low - shift).alias("l"), (high - shift).alias("u"), flat=flat)
    else:
        second = _trajectory(data, other[0], exponent, other[1])
        second = second.filter(pl.col("step").is_between(*data.windows[other[0]]))
        rows = rows.join(second, on="step", suffix="_o")
        value_o, low_o, high_o = (pl.col(f"{name}_o") for name in ("value", "low", "high"))
        d = value - value_o
        down = ((value - low) ** 2 + (high_o - value_o) ** 2).sqrt()
        up = ((high - value) ** 2 + (value_o - low_o) ** 2).sqrt()
        rows = rows.select(d.alias("d"), (d - down).alias("l"), (d + up).alias("u"), flat=flat | (low_o == high_o))
    mean = rows.select(pl.col("d").mean()).item()
    sd = rows.select(pl.col("d").std()).item() if rows.height > 1 else None
    if mean is None:
        return Comparison(None, None, 0, 0)
    beyond = pl.col("l") > 0 if mean > 0 else pl.col("u") < 0
    return Comparison(mean, sd, rows.height, rows.filter(beyond & ~pl.col("flat")).height)


def findings(data: ReportData) -> Findings:
    """Say what was found and how sure it is."""
    from gradcascade.report.figures.exponents import no_exponents

    nothing = "Nothing was measured yet." if data.cascades.is_empty() else no_exponents(data)
    if nothing is not None:
        return Findings(f"{nothing} {_measured(data)}".strip(), (), ())
    opening = " ".join([*(_family(data, family) for family in data.families), _certainty(data)])
    details = tuple((f"{family}, {field}s", _details(data, (family, field))) for family, field in data.groups)
    return Findings(opening, details, _cautions(data))


def _trajectory(data: ReportData, group: Group, exponent: str, variant: str) -> pl.DataFrame:
    rows = of_group(data.fits, group).filter(pl.col("exponent") == exponent, pl.col("variant") == variant)
    return rows.drop_nulls("value").select("step", "value", "low", "high")


def _measured(data: ReportData) -> str:
    if data.cascades.is_empty():
        return "The study holds no cascade."
    scales = sum(len(data.scales(family)) for family in data.families)
    steps = data.cascades["step"].n_unique()
    return (
        f"The study holds {data.cascades.height:,} cascade{'s' * (data.cascades.height > 1)} of {scales} "
        f"scale{'s' * (scales > 1)} at {steps:,} step{'s' * (steps > 1)}; what they show without a fit is below."
    )


def _family(data: ReportData, family: str) -> str:
    sizes = list(data.entries(family).values())
    groups = [group for group in data.groups if group[0] == family]
    extent = f"{sizes[0]:,}" if sizes[0] == sizes[-1] else f"{sizes[0]:,} to {sizes[-1]:,}"
    parts = [f"Family {family}, {len(sizes)} scales, fields of {extent} entries."]
    parts += [_field(data, group) for group in groups]
    fields = {field: compare(data, (family, field), "z") for _, field in groups}
    if "gradient" in fields and "update" in fields and fields["gradient"].steps and fields["update"].steps:
        gap = compare(data, (family, "gradient"), "z", other=((family, "update"), "real"))
        if gap.steps:
            parts.append(
                f"Between gradients and updates of the same runs, z differs by {gap.number}, which is {gap.verdict}."
            )
    return " ".join(parts)


def _field(data: ReportData, group: Group) -> str:
    field, z = group[1], compare(data, group, "z")
    if z.mean is None:
        null = compare(data, group, "z", variant=data.baseline)
        if null.mean is None:
            return f"For {field}s no exponent could be fitted in the window."
        return f"For {field}s only nulls have exponents: {data.baseline} has z = {null.number}."
    trend = "longer" if z.mean > 0 else "shorter"
    if z.is_clear:
        claim = f"cascades of {field}s last {trend} in larger models"
    elif 2 * z.clear >= z.steps:
        claim = f"cascades of {field}s tend to last {trend} in larger models, but not clearly at every step"
    else:
        claim = f"the duration of cascades of {field}s does not clearly depend on scale"
    claim = f"{claim[0].upper()}{claim[1:]} (clear at {z.clear} of {z.steps} steps)"
    sentence = f"{claim}: the duration exponent z averages {z.number}"
    if not data.baseline:
        return f"{sentence}. No null was measured, so how much of it plain noise would show is open."
    gap = compare(data, group, "z", other=(group, data.baseline))
    null = compare(data, group, "z", variant=data.baseline)
    if gap.mean is None:
        return f"{sentence}. The {data.baseline} null has no exponents to compare with."
    noise = "plain normal noise (N0)" if data.baseline == "N0" else f"the null {data.baseline}"
    return (
        f"{sentence}; for {noise} it is {signed(null.mean)}. The difference of {signed(gap.mean)} is {gap.verdict}."
    )


def _details(data: ReportData, group: Group) -> tuple[str, ...]:
    first, last = data.windows[group]
    sentences = [f"Window: steps {first:,} to {last:,}."]
    size, delta = compare(data, group, "D"), compare(data, group, "delta")
    if size.steps:
        sentences.append(
            f"Size: D \N{MINUS SIGN} 1 = {size.number}; a departure from 1 is {size.verdict}. D near 1 is nearly "
            "built in, since a fixed share of the entries starts active at every scale."
        )
    if delta.steps:
        sentences.append(f"Transport efficiency: δ = {delta.number}; a dependence on scale is {delta.verdict}.")
    if delta.steps and data.baseline:
        gap = compare(data, group, "delta", other=(group, data.baseline))
        if gap.steps:
            sentences.append(f"Against {data.baseline}, δ differs by {gap.number}, which is {gap.verdict}.")
    fitted = of_group(data.summary, group).filter(pl.col("variant") == "real", pl.col("mean_r2").is_not_null())
    r2 = {row["exponent"]: row["mean_r2"] for row in fitted.iter_rows(named=True) if row["exponent"] in UNITS}
    if r2:
        listed = ", ".join(f"{UNITS[name]} {r2[name]:.3f}" for name in UNITS if name in r2)
        sentences.append(f"Compressibility (mean R² of the one-slope fits): {listed}.")
    used = of_group(data.channels, group).filter(
        pl.col("variant") == "real", pl.col("included"), pl.col("step").is_between(first, last)
    )
    if not used.is_empty():
        least, most = used["duration"].to_numpy().min(), used["duration"].to_numpy().max()
        sentences.append(f"Durations run from {least} to {most} relaxation steps; z inherits their rounding.")
    return tuple(sentences)


def _scales_fitted(data: ReportData) -> str:
    known = data.fits.filter(pl.col("value").is_not_null())
    fewest, most = known.select(least=pl.col("n_scales").min(), most=pl.col("n_scales").max()).row(0)
    return f"{fewest}" if fewest == most else f"{fewest} to {most}"


def _certainty(data: ReportData) -> str:
    return (
        "How sure this is: clear means that the 95 % intervals of single steps exclude zero at nine in ten steps of "
        f"the window or more. Each interval comes from a line through {_scales_fitted(data)} scales, so it is wide; "
        "and steps of the same runs are correlated, so many of them say little more than a few."
    )


def _cautions(data: ReportData) -> tuple[str, ...]:
    return (
        f"Each exponent is a line through {_scales_fitted(data)} scales; its 95 % interval (t, number of scales less "
        "2 degrees of freedom) is wide for that reason. With one training run per scale it holds no spread of runs.",
        "Steps of one training run are correlated. The SD over window steps is a spread along training, not a "
        "standard error, and must not be divided by the root of the number of steps.",
        "A difference is called clear only if its interval excludes zero, on one side, at nine in ten window steps "
        "or more; steps at which all scales had the same value are never counted in its favour.",
        *(
            (
                "N0 follows from N and the seed alone, so fields of the same step share it: its agreement between "
                "gradients and updates is no second confirmation.",
            )
            if "N0" in data.variants and len(data.groups) > len(data.families)
            else ()
        ),
        *(
            ("Nulls come in one realisation per step here, so they are noisy themselves.",)
            if data.baseline and data.cascades["replicate"].n_unique() == 1
            else ()
        ),
    )
