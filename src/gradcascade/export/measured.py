"""Descriptions of the tables that hold what was measured, and the exponents fitted to it."""

from __future__ import annotations

from gradcascade.export.column import (
    EXPONENT,
    FAMILY,
    FIELD,
    FITTED,
    N_SCALES,
    N_WINDOW,
    OF_STEP,
    OF_WINDOW,
    REASON,
    SCALE,
    STEP,
    VARIANT,
    Column,
    Table,
    flag,
    number,
    text,
    whole,
)

CASCADES = Table(
    "One cascade: one field, real or null, relaxed on the graph.",
    (
        FAMILY,
        SCALE,
        STEP,
        FIELD,
        VARIANT,
        whole("replicate", "", "Number of the null's replicate, from 0; 0 for the real field."),
        whole("n", "entry", "Entries of the field, N."),
        number("tau", "unit of the field", "Threshold: the quantile of the magnitudes.", False),
        whole("size", "activation", "Size s: activations of all nodes over all relaxation steps."),
        whole("duration", "relaxation step", "Duration n_steps: relaxation steps until nothing was active."),
        flag("ceiling", "Whether the ceiling of relaxation steps stopped the cascade."),
        Column("activity", "integers", "node", "Active nodes at each relaxation step; they add up to the size."),
        number("max_over_tau", "", "Largest magnitude of the field over the threshold; infinite where that is 0."),
        number("kurtosis", "", "Kurtosis of the field, 3 for a normal one; missing for a constant one."),
        number("zero_share", "", "Share of the field's entries that are zero.", False),
        text("source", "Where the field came from: files relative to the source, or repository and step."),
        text("revision", "Version of the source: SHA of the commits, or a mark of the files."),
        text("content_hash", "First 32 hexadecimal digits of a SHA-256 of the values of the real field."),
        text("probe_hash", "Name of the probe's settings: 16 hexadecimal digits."),
        whole("seed", "", "Seed of the null; 0 for the real field."),
        number("seconds", "s", "Time of the measurement.", False),
    ),
)

METRICS = Table(
    "One external performance number.",
    (
        FAMILY,
        SCALE,
        STEP,
        text("metric", "Name of the metric, such as a data set whose perplexity it is."),
        number("value", "unit of the metric", "The number; missing where it was not finite."),
    ),
)

REFUSALS = Table(
    "One snapshot that was not measured.",
    (FAMILY, SCALE, STEP, FIELD, text("reason", "Why it was not measured, in words.")),
)

WINDOWS = Table(
    "The window that holds for one family and field in every table of window means.",
    (
        FAMILY,
        FIELD,
        whole("first", "training step", "First step of the window, inside."),
        whole("last", "training step", "Last step of the window, inside."),
    ),
)

FITS = Table(
    "One exponent at one step: a straight line through the logarithms of the scales.",
    (
        *OF_STEP,
        *FITTED,
        number("r2", "", "R2 of the line, the compressibility; missing where the channel is equal at every scale."),
        N_SCALES,
        REASON,
    ),
)

SUMMARY = Table(
    "One exponent over the window, as published: mean and spread over steps.",
    (
        *OF_WINDOW,
        number("mean", "", "Mean over the steps of the window."),
        number("sd", "", "Sample standard deviation over the steps of the window; no standard error."),
        number("mean_r2", "", "Mean R2 over the steps of the window."),
        N_WINDOW,
    ),
)

DECOMPOSITION = Table(
    "One exponent at one step beside those of the nulls.",
    (
        FAMILY,
        FIELD,
        STEP,
        EXPONENT,
        number("real", "", "Exponent of the real field."),
        number("N0", "", "Exponent of the null N0, independent normal numbers."),
        number("N1", "", "Exponent of the null N1, normal numbers with the field's mean and variance."),
        number("N2", "", "Exponent of the null N2, the field's values in random order."),
        number("total", "", "Real less N0."),
        number("dist", "", "N2 less N0: what the distribution of the values explains."),
        number("assign", "", "Real less N2: what the places of the values explain."),
    ),
)

MEASURED = {
    "cascades": CASCADES,
    "metrics": METRICS,
    "refusals": REFUSALS,
    "windows": WINDOWS,
    "fits": FITS,
    "summary": SUMMARY,
    "decomposition": DECOMPOSITION,
}
"""By name, in the order of the files."""
