"""The charts of the page: their titles, what is seen in them, and how their numbers were computed."""

from __future__ import annotations

from dataclasses import dataclass

PAPER = "arXiv:2605.02968"


@dataclass(frozen=True)
class Chart:
    """An interactive chart of the page, drawn in the browser."""

    name: str
    title: str
    seen: str
    how: tuple[str, ...]
    wide: bool = False


MEANS = (
    "With several replicates a point is their geometric mean. Cascades of size 0 and those that reached "
    "the ceiling of "
    "relaxation steps are left out, and are gaps here."
)
CHARTS = (
    Chart(
        "v_rel",
        "Transport efficiency v_rel",
        "The share of the entries that is active in a relaxation step, on average over the cascade, for every scale.",
        (f"v_rel = s / (N × n_steps), with s the size of the cascade and n_steps its duration ({PAPER}).", MEANS),
    ),
    Chart(
        "n_steps",
        "Duration n_steps",
        "How many relaxation steps a cascade lasts before no entry exceeds the threshold, for every scale.",
        (f"n_steps counts the relaxation steps until the active set is empty ({PAPER}).", MEANS),
    ),
    Chart(
        "size_per_n",
        "Size s / N",
        "How often an entry is active during a cascade, on average, for every scale; about 0.1 by "
        "construction, for the "
        "first relaxation step alone.",
        (
            "The size s is the sum of |A_l| over the relaxation steps l: an entry counts every time it is active "
            f"({PAPER}).",
            MEANS,
        ),
    ),
    Chart(
        "metric",
        "External metric",
        "The metric that came with the study, for every scale, beside the channels above.",
        ("As it was given; the slopes and correlations computed from it are among the answers below.",),
    ),
    Chart(
        "exponents",
        "Exponents",
        "How the channels grow with N: D of the size, z of the duration, β of s / n_steps, δ of v_rel; the "
        "band is the "
        "95 % interval of the single step.",
        (
            "At every step, log y = exponent × log N + c is fitted by least squares to one point per scale: D "
            "for the "
            "size s, z for n_steps, β for v_abs = s / n_steps, δ for v_rel. So β = D − z and δ = β − 1 exactly "
            f"({PAPER}). Three scales are needed.",
            "The band is exponent ± t(0.975, k − 2) × standard error for k scales. The vertical axis shows every "
            "exponent, and the bands as far as one and a half times the range of the exponents. The shaded steps "
            "are the window.",
        ),
        wide=True,
    ),
    Chart(
        "loglog",
        "A channel against N at one step",
        "Every scale at the step of the slider, with the fitted line; its slope is the exponent.",
        (
            "Both axes are logarithmic. The line is that of least squares on the logarithms, as for the exponents.",
            MEANS,
        ),
    ),
    Chart(
        "activity",
        "Activity profile at one step",
        "How many entries are active in each relaxation step, as a share of N; a straight line is geometric decay.",
        (
            f"|A_l| / N, with A_l the set of entries above the threshold in relaxation step l ({PAPER}). Of several "
            "replicates the first is drawn. In long studies profiles are kept for evenly spread steps, and the "
            "nearest "
            "of them is drawn.",
        ),
    ),
    Chart(
        "r2",
        "Compressibility R²",
        "How well one power law summarises the scales; above the dotted line an R² exceeds what noise without any "
        "slope gives in 95 of 100 cases.",
        (
            f"R² of the least squares fits of log s (D), log n_steps (z) and log v_rel (δ) on log N ({PAPER}).",
            "For k scales of noise without slope R² has a beta distribution with parameters 1/2 and (k − 2)/2; the "
            "dotted line is its 95 % quantile. For slopes near zero a low R² is expected even of clean data.",
        ),
    ),
    Chart(
        "differences",
        "Differences to the nulls",
        "The exponent less that of normal noise (total), split into what the values' distribution does and "
        "what their "
        "places do.",
        (
            f"total = real − N0 = (N2 − N0) + (real − N2), distribution and assignment ({PAPER}). N0 is normal "
            "noise, "
            "N2 the real field's own values at random places. It needs both nulls.",
        ),
    ),
)
