"""Descriptions of the answers of :func:`gradcascade.infer`."""

from __future__ import annotations

from gradcascade.tables.column import ACROSS, ALONG, N_WINDOW, OF_WINDOW, Table
from gradcascade.vocabulary import (
    EXPONENT,
    FAMILY,
    FIELD,
    FITTED,
    N_SCALES,
    OF_STEP,
    REASON,
    SCALE,
    STEP,
    VARIANT,
    Column,
    flag,
    number,
    text,
    whole,
)


def _with_interval(name: str, words: str) -> tuple[Column, Column, Column]:
    ends = {"": "", "_low": ", lower end of the 95 % interval", "_high": ", upper end of the 95 % interval"}
    return tuple(number(f"{name}{end}", "", f"{words}{place}.") for end, place in ends.items())  # type: ignore[return-value]


VERDICTS = Table(
    "The regime of one family and field, from intervals across scales.",
    (
        FAMILY,
        FIELD,
        text("verdict", "duration-supported, flat, below the null, or undecided."),
        text("sentence", "The verdict in words, with its intervals."),
        text("null", "Null that the real field was compared with.", True),
        number("margin", "", "Largest exponent that counts as none.", False),
        flag("above_null", "Whether z lies above that of the null and delta below it.", True),
        flag("flat", "Whether z and delta are equivalent to zero within the margin.", True),
        flag("below_null", "Whether z lies below that of the null.", True),
        *_with_interval("z", "z of the real field across scales"),
        *_with_interval("delta", "delta of the real field across scales"),
        *_with_interval("z_total", "z of the real field less that of the null"),
        *_with_interval("delta_total", "delta of the real field less that of the null"),
        N_SCALES,
        whole("n_steps", "training step", "Number of steps of the window at which all of these scales are there."),
    ),
)

INTERVALS = Table("One exponent over the window, with both intervals.", (*OF_WINDOW, *ALONG, *ACROSS))

DIFFERENCES = Table(
    "One null difference of an exponent over the window, with both intervals.",
    (
        FAMILY,
        FIELD,
        text("difference", "total (real less N0), dist (N2 less N0) or assign (real less N2)."),
        EXPONENT,
        *ALONG,
        *ACROSS,
    ),
)

CONTRASTS = Table(
    "One exponent of two kinds of real field of the same runs, and their difference, over the steps of both windows.",
    (
        FAMILY,
        text("first", "Kind of the first field."),
        text("second", "Kind of the second, which is subtracted."),
        EXPONENT,
        text("method", "paired (logarithms subtracted scale by scale) or independent (a line for each).", True),
        *(
            number(f"{side}_{name}", "", f"{words} of the {side} field's slope across scales.")
            for side in ("first", "second")
            for name, words in (
                ("value", "Value"),
                ("low", "Lower end of the 95 % interval"),
                ("high", "Upper end of the 95 % interval"),
            )
        ),
        *ALONG,
        *ACROSS,
        text(
            "code",
            "Why the fields are not paired: unequal-n, no-common-steps or no-common-runs; missing where they are.",
            True,
        ),
        text("code_scale", "First scale whose two fields differ in their entries.", True),
        whole("n_first", "entry", "Entries of the first field there.", True),
        whole("n_second", "entry", "Entries of the second field there.", True),
        text("unmatched", "Scales that only one of the fields has, which are left out.", True),
    ),
)

_DIFFERENCE = text("difference", "total, dist or assign; for controls, the two variants that are subtracted.")

_DRAWS = (
    number("replicates_se", "", "Standard error that the draws of the nulls give the difference, from replicates."),
    number("replicates_low", "", "Lower end of the 95 % interval from replicates."),
    number("replicates_high", "", "Upper end of the 95 % interval from replicates."),
    text("replicates_reason", "Why there is no error from replicates, in words.", True),
)

NULL_DIFFERENCES = Table(
    "One null difference of an exponent at one step, with the interval of its line and the one from replicates.",
    (FAMILY, FIELD, STEP, _DIFFERENCE, EXPONENT, *FITTED, N_SCALES, REASON, *_DRAWS),
)

NULL_ERRORS = Table(
    "What the draws of the nulls contribute to the error of a null difference's mean over the window.",
    (
        FAMILY,
        FIELD,
        _DIFFERENCE,
        EXPONENT,
        number("mean", "", "Mean of the difference over the steps of the window."),
        N_WINDOW,
        *_DRAWS,
    ),
)

METRIC_EXPONENTS = Table(
    "Slope of a metric's logarithm on log N at one step (beta_PPL, alpha_acc).",
    (
        FAMILY,
        text("metric", "Name of the metric."),
        STEP,
        *FITTED,
        number("r2", "", "R2 of the line; missing where the metric is equal at every scale."),
        N_SCALES,
        REASON,
    ),
)

FOUND_WINDOWS = Table(
    "The window that a change-point search finds in v_rel of one family and field.",
    (
        FAMILY,
        FIELD,
        whole("first", "training step", "First step of the found window."),
        whole("last", "training step", "Last step of the found window."),
        flag("startup", "Whether a start-up was found before the window.", True),
        flag("drift", "Whether a drift was found behind the window.", True),
        whole("first_low", "training step", "Smallest first step found with steps left out at either end.", True),
        whole("first_high", "training step", "Largest first step found with steps left out at either end.", True),
        whole("last_low", "training step", "Smallest last step found with steps left out at either end.", True),
        whole("last_high", "training step", "Largest last step found with steps left out at either end.", True),
        whole("n_steps", "training step", "Number of steps looked at."),
        REASON,
    ),
)

LEAVE_ONE_OUT = Table(
    "One exponent at one step, and its range when each scale is left out in turn.",
    (
        *OF_STEP,
        number("value", "", "The exponent with all scales."),
        number("loo_low", "", "Least exponent with one scale left out."),
        number("loo_high", "", "Largest exponent with one scale left out."),
        text("without_low", "Scale without which the least arises.", True),
        text("without_high", "Scale without which the largest arises.", True),
        REASON,
    ),
)

CURVATURE = Table(
    "The bend of one fit at one step: the quadratic term of the logarithms.",
    (
        *OF_STEP,
        number("curvature", "", "Coefficient of the squared log N about its mean."),
        number("se", "", "Standard error of the curvature."),
        number("low", "", "Lower end of the curvature's 95 % t interval."),
        number("high", "", "Upper end of the curvature's 95 % t interval."),
        number("p", "", "p value of no curvature."),
        N_SCALES,
        REASON,
    ),
)

WINDOW_CURVATURE = Table("The mean bend of one exponent's fits over the window.", (*OF_WINDOW, *ALONG))

LAWS = Table(
    "Three laws of the duration at one step: constant, a + b log N, and a power of N.",
    (
        FAMILY,
        FIELD,
        VARIANT,
        STEP,
        number("z", "", "Exponent of the power law."),
        number("b", "relaxation step", "Growth of the duration by unit of the natural logarithm of N."),
        number("rss_constant", "", "Residual squares of log duration under the constant."),
        number("rss_logarithm", "", "Residual squares of log duration under a + b log N."),
        number("rss_power", "", "Residual squares of log duration under the power law."),
        number("aicc_constant", "", "Akaike's corrected criterion of the constant."),
        number("aicc_logarithm", "", "Akaike's corrected criterion of a + b log N."),
        number("aicc_power", "", "Akaike's corrected criterion of the power law."),
        number(
            "difference", "", "Criterion of the logarithm less that of the power law; positive favours the power."
        ),
        N_SCALES,
        REASON,
    ),
)

WINDOW_LAWS = Table(
    "The mean difference of the two growing laws over the window, and which is preferred.",
    (FAMILY, FIELD, VARIANT, *ALONG, text("law", "power, logarithm, or undecided.", True)),
)

COMPRESSIBILITY = Table(
    "The R2 of one fit beside those that noise gives at slope zero.",
    (
        *OF_STEP,
        number("r2", "", "R2 of the fit."),
        number("null_mean", "", "Mean R2 at slope zero."),
        number("null_high", "", "95 % quantile of the R2 at slope zero."),
        number("p", "", "Share of the R2 at slope zero that reach the observed one."),
        flag("exceeds", "Whether the R2 lies above that quantile.", True),
        REASON,
    ),
)

WEIGHTED = Table(
    "One exponent at one step with scales weighted by the variance between replicates.",
    (*OF_STEP, *FITTED, N_SCALES, REASON),
)

CONTINUOUS = Table(
    "One exponent at one step with extinction times in the place of n_steps.",
    (
        *OF_STEP,
        *FITTED,
        number("r2", "", "R2 of the line; missing where the channel is equal at every scale."),
        N_SCALES,
        REASON,
    ),
)

ROUNDING = Table(
    "How much of the scatter of z over the window is the rounding of durations.",
    (
        FAMILY,
        FIELD,
        VARIANT,
        number("z", "", "Mean z of the durations."),
        number("z_sd", "", "Standard deviation of z over steps."),
        number("z_continuous", "", "Mean z of the extinction times."),
        number("z_continuous_sd", "", "Standard deviation over steps of the z of extinction times."),
        number("rounding_sd", "", "Scatter of z that rounding to whole steps makes by itself."),
        N_WINDOW,
        number("rounding_share", "", "Share of z's variance that rounding explains."),
        number("removed_share", "", "Share of z's variance that extinction times do not have."),
        REASON,
    ),
)


def _tested(name: str, words: str, q: bool = True) -> tuple[Column, ...]:
    found = (number(name, "", f"{words}."), number(f"p_{name}", "", f"p value of that ({name})."))
    return (*found, number(f"q_{name}", "", f"False-discovery rate of that ({name}).")) if q else found


ASSOCIATIONS = Table(
    "One channel against one external metric along training.",
    (
        FAMILY,
        FIELD,
        text("scale", "Name of the scale, or all: the mean over scales, or an exponent."),
        text("channel", "v_rel, duration_per_n, or an exponent."),
        text("metric", "log of a metric, or the slope of that logarithm on log N."),
        whole("n_steps", "training step", "Number of steps that have both."),
        number("pearson", "", "Pearson correlation."),
        number("p_naive", "", "p value of the Pearson correlation as if steps were independent."),
        number("p", "", "p value of the Pearson correlation by shifts."),
        number("q", "", "False-discovery rate of the Pearson correlation."),
        *_tested("partial", "Pearson correlation, both residualised on the learning rate"),
        *_tested("spearman", "Spearman correlation"),
        *_tested("difference", "Pearson correlation of the changes from step to step"),
        whole("lag", "training step", "Lag, in measured steps, of the strongest correlation.", True),
        *_tested("lagged", "Correlation at that lag", q=False),
        *_tested("given_twin", "Correlation of v_rel given duration_per_n, or the reverse", q=False),
        REASON,
    ),
)

RUNS = Table(
    "How many runs of a scale enter the fits; they are averaged, each with one weight.",
    (FAMILY, FIELD, SCALE, whole("n_runs", "run", "Number of runs of the real field that enter the fits.")),
)

INFERRED = {
    "verdicts": VERDICTS,
    "intervals": INTERVALS,
    "differences": DIFFERENCES,
    "contrasts": CONTRASTS,
    "null_differences": NULL_DIFFERENCES,
    "null_errors": NULL_ERRORS,
    "found_windows": FOUND_WINDOWS,
    "leave_one_out": LEAVE_ONE_OUT,
    "curvature": CURVATURE,
    "window_curvature": WINDOW_CURVATURE,
    "laws": LAWS,
    "window_laws": WINDOW_LAWS,
    "compressibility": COMPRESSIBILITY,
    "weighted": WEIGHTED,
    "runs": RUNS,
    "continuous": CONTINUOUS,
    "rounding": ROUNDING,
    "metric_exponents": METRIC_EXPONENTS,
    "associations": ASSOCIATIONS,
}
"""By name, in the order of the files."""
