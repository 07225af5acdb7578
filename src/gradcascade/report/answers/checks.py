"""Answers that test the fits themselves: single scales, bends, laws of duration, R2, rounding, weights, windows."""

from __future__ import annotations

import polars as pl

from gradcascade.report.answers.base import Answer, interval, label, listed, real_first
from gradcascade.report.data import ReportData
from gradcascade.report.tables import SYMBOLS, signed
from gradcascade.scaling.windows import in_window

KEYS = ("family", "field", "variant")
EXPONENT = pl.col("exponent").replace(SYMBOLS)


def window_answer(data: ReportData) -> Answer:
    """Give the windows that were used and those that v_rel itself suggests.

    Parameters
    ----------
    data : ReportData
        The report.

    Returns
    -------
    Answer
        One row per family and field.
    """
    full = data.answers["found_windows"]
    sentences, rows = [], []
    for row in full.to_dicts():
        first, last = data.windows[row["family"], row["field"]]
        found = f"steps {row['first']:,} to {row['last']:,}"
        if row["reason"]:
            said = f"no plateau could be looked for ({row['reason']})"
        else:
            parts = [name for name in ("startup", "drift") if row[name]]
            names = {"startup": "a start-up before", "drift": "a drift behind"}
            seen = " and ".join(names[name] for name in parts)
            said = f"the plateau of v_rel found is {found}, with {seen or 'neither start-up nor drift'}"
            said += " it" if parts else ""
        sentences.append(f"{label(data, row)}: the window used is steps {first:,} to {last:,}; {said}.")
        rows.append(
            {
                "family": row["family"],
                "field": row["field"],
                "window used": f"{first:,} to {last:,}",
                "window found": f"{row['first']:,} to {row['last']:,}",
                "start-up": _yes(row["startup"]),
                "drift": _yes(row["drift"]),
                "first step found": _range(row["first_low"], row["first_high"]),
                "last step found": _range(row["last_low"], row["last_high"]),
                "steps looked at": row["n_steps"],
            }
        )
    how = (
        "The logarithm of v_rel, averaged over the scales, is described as a plateau with a parabolic "
        "start-up before "
        "it and a straight drift behind it; every pair of ends with a plateau of at least a third of the steps is "
        "fitted by least squares, neighbouring steps allowed to be correlated. Start-up and drift are kept only if "
        "Schwarz's criterion is better for it.",
        "The ranges of the ends are those found when up to three steps are left out at either end: where they are "
        "wide, the window is not to be relied on.",
    )
    return Answer("windows", "The stable window", tuple(sentences), pl.DataFrame(rows), how, full)


def leave_one_out_answer(data: ReportData) -> Answer:
    """Say how far the exponents hang on a single scale.

    Parameters
    ----------
    data : ReportData
        The report.

    Returns
    -------
    Answer
        Means over the window of the least and largest exponent without one scale.
    """
    full = data.answers["leave_one_out"]
    inside = full.filter(in_window(full, data.windows)) if full.height else full
    known = inside.filter(pl.col("loo_low").is_not_null())
    means = real_first(
        known.group_by(*KEYS, "exponent", maintain_order=True).agg(
            pl.col("value").mean(),
            least=pl.col("loo_low").mean(),
            largest=pl.col("loo_high").mean(),
            least_without=pl.col("without_low").mode().sort().first(),
            largest_without=pl.col("without_high").mode().sort().first(),
            steps=pl.len(),
        )
    )
    sentences = [
        f"{label(data, row)}: without one of the scales, z would lie between {signed(row['least'])} (most "
        f"often without {row['least_without']}) and {signed(row['largest'])} (without {row['largest_without']}), "
        f"instead of {signed(row['value'])}, on average over the window."
        for row in means.filter(pl.col("variant") == "real", pl.col("exponent") == "z").to_dicts()
    ]
    if not sentences:
        sentences = [_why_not(inside, "No scale can be left out")]
    how = (
        "Every fit of a step is made again without each of its scales in turn; the table gives the mean over the "
        "window of the least and of the largest exponent that arises. It needs four scales, since three cannot spare "
        "one.",
    )
    table = means.with_columns(EXPONENT)
    return Answer("leave-one-out", "Without one scale", tuple(sentences), table, how, full)


def curvature_answer(data: ReportData) -> Answer:
    """Say whether the power laws bend.

    Parameters
    ----------
    data : ReportData
        The report.

    Returns
    -------
    Answer
        Mean curvature over the window with its interval.
    """
    full = real_first(data.answers["window_curvature"])
    sentences = []
    for group in data.groups:
        own = full.filter(pl.col("family") == group[0], pl.col("field") == group[1], pl.col("variant") == "real")
        rows = own.filter(pl.col("low").is_not_null()).to_dicts()
        name = label(data, {"family": group[0], "field": group[1]})
        bent = [
            f"{SYMBOLS[row['exponent']]} (curvature {signed(row['mean'])}, {interval(row['low'], row['high'])})"
            for row in rows
            if row["low"] > 0 or row["high"] < 0
        ]
        if bent:
            sentences.append(f"{name}: the power law bends in {listed(bent)}; one slope is a summary there, no law.")
        elif rows:
            sentences.append(f"{name}: no bend is shown in any exponent, so one slope may stand for all scales.")
        else:
            sentences.append(f"{name}: {_why_not(own, 'a bend cannot be tested')}")
    table = full.select(
        *KEYS,
        EXPONENT,
        curvature=pl.col("mean"),
        low=pl.col("low"),
        high=pl.col("high"),
        steps=pl.col("n_steps"),
        missing=pl.col("reason"),
    )
    how = (
        "At every step, log y = c + slope × x + curvature × x², with x = log N less its mean over the scales, is "
        "fitted by least squares; the curvatures are averaged over the window, and the 95 % interval (low, high) "
        "allows for correlated steps. Runs that differ bend a line at every step as a true curvature does.",
    )
    return Answer(
        "curvature", "Whether the power laws bend", tuple(sentences), _known(table), how, data.answers["curvature"]
    )


def law_answer(data: ReportData) -> Answer:
    """Say whether durations grow as a power of N or as its logarithm.

    Parameters
    ----------
    data : ReportData
        The report.

    Returns
    -------
    Answer
        One row per family, field and variant.
    """
    full = real_first(data.answers["window_laws"])
    words = {
        "power": "durations grow as a power of N rather than as a + b log N",
        "logarithm": "durations grow as a + b log N rather than as a power of N, so that z depends on the "
        "sizes chosen",
        "undecided": "a power of N and a + b log N describe the durations equally well",
    }
    sentences = tuple(
        f"{label(data, row)}: {words[row['law']]}."
        if row["law"]
        else f"{label(data, row)}: the two laws cannot be compared ({row['reason'] or 'no real field'})."
        for row in full.filter(pl.col("variant") == "real").to_dicts()
    )
    table = full.select(
        *KEYS,
        pl.col("law"),
        difference=pl.col("mean"),
        low=pl.col("low"),
        high=pl.col("high"),
        steps=pl.col("n_steps"),
        missing=pl.col("reason"),
    )
    how = (
        "A constant, a + b log N and a N^z are fitted to the durations of every step by least squares of log "
        "duration "
        "and compared by the corrected criterion of Akaike, k log(RSS/k) + 2p + 2p(p+1)/(k − p − 1) (Hurvich and "
        "Tsai, Biometrika 76, 1989). The difference is that of the logarithm less that of the power: positive where "
        "the power fits better. It is judged over the window by its 95 % interval (Vuong, Econometrica 57, 1989).",
    )
    return Answer("laws", "Power law or logarithm", sentences, _known(table), how, data.answers["laws"])


def compressibility_answer(data: ReportData) -> Answer:
    """Say what the R2 of the fits are worth.

    Parameters
    ----------
    data : ReportData
        The report.

    Returns
    -------
    Answer
        Means over the window, and how often an R2 exceeds what noise alone gives.
    """
    full = data.answers["compressibility"]
    inside = full.filter(in_window(full, data.windows)) if full.height else full
    known = inside.filter(pl.col("r2").is_not_null())
    table = real_first(
        known.group_by(*KEYS, "exponent", maintain_order=True).agg(
            mean_R2=pl.col("r2").mean(),
            R2_of_noise=pl.col("null_mean").mean(),
            R2_to_exceed=pl.col("null_high").mean(),
            exceeding=pl.col("exceeds").sum(),
            steps=pl.len(),
        )
    )
    sentences = [
        f"{label(data, row)}: the R² of {SYMBOLS[row['exponent']]} averages {row['mean_R2']:.3f}, where noise "
        f"without any slope gives {row['R2_of_noise']:.3f}; it exceeds the 95 % quantile of noise at "
        f"{row['exceeding']:,} of {row['steps']:,} steps."
        for row in table.filter(pl.col("variant") == "real", pl.col("exponent").is_in(["z", "delta"])).to_dicts()
    ]
    how = (
        "For k scales with normal noise of one size and no slope at all, the R² of a line has a beta distribution "
        "with parameters 1/2 and (k − 2)/2: its mean is 1/(k − 1). A low R² is expected even of clean data where the "
        "slope is near zero. To exceed the 95 % quantile is the same as a t interval that excludes zero, so it is no "
        "second piece of evidence; it says what an R² is worth.",
    )
    said = tuple(sentences) or (_why_not(inside, "There is no R²"),)
    return Answer("compressibility-null", "What the R² are worth", said, table.with_columns(EXPONENT), how, full)


def rounding_answer(data: ReportData) -> Answer | None:
    """Say how much of z is the rounding of the durations.

    Parameters
    ----------
    data : ReportData
        The report.

    Returns
    -------
    Answer or None
        None where no activity profiles were kept.
    """
    if "rounding" not in data.answers:
        return None
    full = real_first(data.answers["rounding"])
    sentences = []
    for row in full.filter(pl.col("variant") == "real").to_dicts():
        name = label(data, row)
        if row["z_continuous"] is None:
            sentences.append(f"{name}: no continuous duration can be given ({row['reason']}).")
            continue
        share = row["rounding_share"]
        much = (
            ""
            if share is None
            else "; rounding alone would explain all of the scatter of z along the window"
            if share >= 1
            else f"; rounding explains {100 * share:.0f} % of the variance of z along the window"
        )
        sentences.append(
            f"{name}: with a duration that is not rounded z is {signed(row['z_continuous'])} instead of "
            f"{signed(row['z'])}{much}."
        )
    table = full.select(
        *KEYS,
        "z",
        pl.col("z_sd").alias("SD of z"),
        pl.col("z_continuous").alias("continuous z"),
        pl.col("z_continuous_sd").alias("SD of continuous z"),
        pl.col("rounding_sd").alias("SD by rounding"),
        pl.col("rounding_share").alias("share of rounding"),
        pl.col("removed_share").alias("share removed"),
        pl.col("n_steps").alias("steps"),
        missing=pl.col("reason"),
    )
    how = (
        "The continuous duration is the extinction time: a line through the logarithm of the activity late in the "
        "cascade (weights |A_l|, from the last step with at least 30 active nodes) is followed to half an active "
        "node, and z is fitted again with it in the place of n_steps.",
        "The share of rounding is the variance that rounding to whole steps makes by itself (1/12 for every "
        "duration, "
        "carried through the fit) over that of z along the window; the share removed is what the continuous duration "
        "does not have of it (negative if it scatters more).",
    )
    return Answer(
        "rounding", "Durations without rounding", tuple(sentences), _known(table), how, data.answers["continuous"]
    )


def weighted_answer(data: ReportData) -> Answer:
    """Give the exponents with scales weighted by what their replicates scatter.

    Parameters
    ----------
    data : ReportData
        The report.

    Returns
    -------
    Answer
        Means over the window.
    """
    full = data.answers["weighted"]
    inside = full.filter(in_window(full, data.windows)) if full.height else full
    known = inside.filter(pl.col("value").is_not_null())
    table = real_first(
        known.group_by(*KEYS, "exponent", maintain_order=True).agg(
            weighted=pl.col("value").mean(), SD=pl.col("value").std(), steps=pl.len()
        )
    )
    sentences = [
        f"{label(data, row)}, {row['variant']}: with weights z is {signed(row['weighted'])} on average."
        for row in table.filter(pl.col("exponent") == "z").to_dicts()
    ] or [_why_not(inside, "Scales cannot be weighted")]
    how = (
        "Each scale has the weight 1 / variance of its mean; the variance of one cascade is that between replicates "
        "of one step, pooled over all steps. Errors come from the residuals of the line, as without weights.",
    )
    return Answer(
        "weighted", "Scales weighted by their replicates", tuple(sentences), table.with_columns(EXPONENT), how, full
    )


def _why_not(table: pl.DataFrame, start: str) -> str:
    reasons = table["reason"].drop_nulls() if "reason" in table.columns else pl.Series(dtype=pl.String)
    if reasons.is_empty():
        return f"{start}: there is no exponent in the window."
    return f"{start}: {reasons.value_counts(sort=True)['reason'][0]}."


def _known(table: pl.DataFrame) -> pl.DataFrame:
    return table.drop("missing") if table["missing"].is_null().all() else table


def _yes(value: bool | None) -> str:
    return "yes" if value else "no"


def _range(low: int | None, high: int | None) -> str | None:
    if low is None or high is None:
        return None
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
