"""Every family and field in words: means over the window, and at how many single steps an interval excludes zero."""

from dataclasses import dataclass

import polars as pl

from gradcascade.fields.kinds import field_plural
from gradcascade.report import words
from gradcascade.report.data import Group, ReportData, of_group
from gradcascade.report.page_tables import MINUS, signed
from gradcascade.report.tokens import words_between
from gradcascade.scaling.step_counts import StepCounts, step_counts
from gradcascade.vocabulary import SHOWN_EXPONENTS, SYMBOLS


@dataclass(frozen=True)
class StepByStep:
    """A paragraph for each family and field under its heading, and what to keep in mind when reading the numbers."""

    details: tuple[tuple[str, str], ...]
    cautions: tuple[str, ...]


def step_by_step(data: ReportData) -> StepByStep:
    """Put the exponents of single steps into words; names come from outside and must be escaped where shown."""
    if data.fits["value"].is_null().all():
        return StepByStep((), ())
    details = tuple(
        (f"{family}, {field_plural(field)}", _field(data, (family, field))) for family, field in data.groups
    )
    between = [(f"{family}, gradients against updates", _between(data, family)) for family in data.families]
    return StepByStep(details + tuple(pair for pair in between if pair[1]), _cautions(data))


def _field(data: ReportData, group: Group) -> str:
    first, last = data.windows[group]
    seen = words_between(data.tokens, group[0], first, last)
    sentences = [f"Window: steps {first:,} to {last:,}{f' ({seen})' if seen else ''}."]
    z, size, delta = (_counts(data, group, name) for name in ("z", "D", "delta"))
    if z.steps:
        sentences.append(f"Duration: z = {_mean(z)}, and its interval excludes zero {_share(z)}.")
    else:
        null = _counts(data, group, "z", data.baseline)
        only = f": only nulls have exponents ({data.baseline} has z = {_mean(null)})" if null.steps else ""
        sentences.append(f"For {field_plural(group[1])} no exponent could be fitted in the window{only}.")
    if z.steps and not data.baseline:
        sentences.append("No null was measured, so how much of it plain noise would show is unknown.")
    elif z.steps:
        sentences.append(_against(data, group, "z"))
    if size.steps:
        sentences.append(
            f"Size: D {MINUS} 1 = {_mean(size)}, and its interval excludes zero {_share(size)}. D is close to 1 by "
            "construction, since a fixed share of the entries starts active at every scale."
        )
    if delta.steps:
        sentences.append(f"Transport efficiency: δ = {_mean(delta)}, and its interval excludes zero {_share(delta)}.")
        if data.baseline:
            sentences.append(_against(data, group, "delta"))
    return " ".join(sentence for sentence in [*sentences, _r2(data, group), _durations(data, group)] if sentence)


def _against(data: ReportData, group: Group, exponent: str) -> str:
    gap = _counts(data, group, exponent, other=(*group, data.baseline))
    if not gap.steps:
        return f"The {data.baseline} null has no exponents to compare with."
    null, symbol = _counts(data, group, exponent, data.baseline), SYMBOLS[exponent]
    noise = "normal noise (N0)" if data.baseline == "N0" else f"the null {data.baseline}"
    return (
        f"For {noise}, {symbol} averages {signed(null.mean)}; the difference of {_mean(gap)} excludes zero "
        f"{_share(gap)}."
    )


def _between(data: ReportData, family: str) -> str:
    groups = (family, "gradient"), (family, "update")
    if not set(groups) <= set(data.groups):
        return ""
    gap = _counts(data, groups[0], "z", other=(*groups[1], "real"))
    if not gap.steps:
        return ""
    return (
        f"The exponents z of gradients and updates, each fitted by itself, differ by {_mean(gap)}; the interval of "
        f"the difference excludes zero {_share(gap)}."
    )


def _r2(data: ReportData, group: Group) -> str:
    fitted = of_group(data.summary, group).filter(pl.col("variant") == "real", pl.col("mean_r2").is_not_null())
    known = dict(fitted.select("exponent", "mean_r2").iter_rows())
    words = ", ".join(f"{SYMBOLS[name]} {known[name]:.3f}" for name in SHOWN_EXPONENTS if name in known)
    return f"Compressibility (mean R² of the one-slope fits): {words}." if words else ""


def _durations(data: ReportData, group: Group) -> str:
    used = of_group(data.channels, group).filter(
        pl.col("variant") == "real", pl.col("included"), pl.col("step").is_between(*data.windows[group])
    )
    if used.is_empty():
        return ""
    least, most = used.select(least=pl.col("duration").min(), most=pl.col("duration").max()).row(0)
    return f"Durations run from {least} to {most} relaxation steps; being whole numbers, they limit how exact z is."


def _cautions(data: ReportData) -> tuple[str, ...]:
    known = data.fits.filter(pl.col("value").is_not_null())
    fewest, most = known.select(least=pl.col("n_scales").min(), most=pl.col("n_scales").max()).row(0)
    scales = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    runs = words.claim("cautions", "several-runs" if data.several_runs else "one-run")
    lines = words.claim("cautions", "lines", scales=scales)
    named = ["correlated", "counts"]
    if "N0" in data.variants and len(data.groups) > len(data.families):
        named.append("shared-null")
    if data.baseline and data.cascades["replicate"].n_unique() == 1:
        named.append("one-draw")
    return (f"{lines} {runs}", *(words.claim("cautions", name) for name in named))


def _counts(
    data: ReportData, group: Group, exponent: str, variant: str = "real", other: tuple[str, str, str] | None = None
) -> StepCounts:
    theirs = data.windows[other[:2]] if other else None
    return step_counts(data.fits, exponent, (*group, variant), data.windows[group], other, theirs)


def _mean(counts: StepCounts) -> str:
    spread = "one step" if counts.sd is None else f"SD over steps {counts.sd:.3f}"
    return f"{signed(counts.mean)} ({spread})"


def _share(counts: StepCounts) -> str:
    return f"at {counts.apart} of {counts.steps} step{'s' * (counts.steps != 1)}"
