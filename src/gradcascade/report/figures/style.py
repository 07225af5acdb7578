"""How the figures look: quiet, safe for colour-blind readers, readable in greyscale."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, the parts that also differ in lightness.
BLUE, VERMILION, GREEN, GREY, INK = "#0072B2", "#D55E00", "#009E73", "#767676", "#1c2430"
WINDOW_COLOUR = "#e9edf2"
MARKERS = "osD^vPX<>ph*d"
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (3, 1, 1, 1)), (0, (1.2, 1)), (0, (8, 2)))
MARKER_COUNT = 14
NAME_LIMIT = 30
LEGEND_LIMIT = 20
RC: dict[Any, Any] = {
    # The text of the SVG stays text; DejaVu is the widest font of the list, so a substitute never overflows.
    "svg.fonttype": "none",
    "svg.hashsalt": "gradcascade",
    "pdf.fonttype": 42,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Helvetica", "Arial"],
    "mathtext.fontset": "dejavusans",
    "font.size": 8.5,
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.labelcolor": INK,
    "text.color": INK,
    "axes.edgecolor": "#5b6573",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": "#3a4452",
    "ytick.color": "#3a4452",
    "xtick.labelsize": 7.8,
    "ytick.labelsize": 7.8,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.6,
    "legend.frameon": False,
    "legend.fontsize": 7.8,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.unicode_minus": True,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Apply the settings of the figures for the time of a `with` block, and nothing beyond it."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)
        yield


def plain(name: object, limit: int = NAME_LIMIT) -> str:
    """Make a name from outside safe to draw: no mathematics, no control characters, not too long.

    Parameters
    ----------
    name : object
        A name of a run, scale, family or metric.
    limit : int
        Longest length in characters; longer names lose their middle.

    Returns
    -------
    str
        Text that Matplotlib draws letter by letter.
    """
    text = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c)[0] == "C" else c for c in str(name))
    if len(text) > limit:
        text = text[: limit // 2] + "…" + text[-(limit // 2 - 1) :]
    return text.replace("$", r"\$")


def scale_styles(scales: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Give each scale a colour, a marker and a line style of its own.

    Parameters
    ----------
    scales : sequence of str
        From small to large; lightness falls in that order.

    Returns
    -------
    dict
        Keyword arguments of `Axes.plot` by scale.
    """
    from matplotlib import colormaps

    places = np.linspace(0.78, 0.02, len(scales)) if len(scales) > 1 else [0.3]
    return {
        scale: {
            "color": colormaps["viridis"](place),
            "marker": MARKERS[i % len(MARKERS)],
            "linestyle": DASHES[i % len(DASHES)],
        }
        for i, (scale, place) in enumerate(zip(scales, places, strict=True))
    }


def density(points: int) -> dict[str, Any]:
    """Thin out the markers, and the line, of a long series, so that lines stay apart.

    Parameters
    ----------
    points : int
        Number of points of the line.

    Returns
    -------
    dict
        The keyword arguments `markevery` and `linewidth` of `Axes.plot`.
    """
    if points <= 40:
        return {"markevery": 1, "linewidth": 1.4}
    return {"markevery": points // MARKER_COUNT, "linewidth": 1.2 if points <= 100 else 0.8}


def whole_numbers(axes: Axes, label: str) -> None:
    """Label the horizontal axis and keep its ticks on whole numbers.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        With steps on the horizontal axis.
    label : str
        What is counted.
    """
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10], integer=True, min_n_ticks=1))


def shade_window(axes: Axes, window: tuple[int, int]) -> None:
    """Shade the stable window behind the data.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        With training steps on the horizontal axis.
    window : tuple of int
        First and last step.
    """
    axes.axvspan(window[0], window[1], color=WINDOW_COLOUR, linewidth=0, zorder=0)


def cover(axes: Axes, values: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Set vertical limits that show every value, and of the intervals all but the widest tenth.

    With three or four scales a single interval can be a hundred times wider than the differences of interest.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Whose limits to set.
    values, low, high : numpy.ndarray
        Drawn values and the ends of their intervals, NaN where missing.
    """
    shown = values[np.isfinite(values)]
    if shown.size == 0:
        return
    ends = np.concatenate([low, high])
    ends = ends[np.isfinite(ends)]
    bottom, top = min(shown.min(), 0.0), max(shown.max(), 0.0)
    if ends.size:
        bottom = min(bottom, float(np.quantile(ends, 0.05)))
        top = max(top, float(np.quantile(ends, 0.95)))
    room = 0.06 * (top - bottom) or 0.1
    axes.set_ylim(bottom - room, top + room)


def plain_log_ticks(axes: Axes) -> None:
    """Make the vertical axis logarithmic, with ticks a reader can read off.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Whose vertical axis; its data must be drawn already.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    decades = np.log10(high / low)
    if decades < 0.8:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        subs = (1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)
        axes.yaxis.set_major_locator(LogLocator(base=10, subs=subs, numticks=12))
    if decades < 4.5:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def line_key(**style: Any) -> Any:
    """Make a line for a legend.

    Parameters
    ----------
    **style
        Keyword arguments of `matplotlib.lines.Line2D`.

    Returns
    -------
    matplotlib.lines.Line2D
        Belongs to no axes.
    """
    from matplotlib.lines import Line2D

    return Line2D([], [], **style)


def window_key() -> Any:
    """Make a legend's patch for the shaded window.

    Returns
    -------
    matplotlib.patches.Patch
        Belongs to no axes.
    """
    from matplotlib.patches import Patch

    return Patch(facecolor=WINDOW_COLOUR, edgecolor="#c3cad3", linewidth=0.5)


def legend_below(figure: Figure, entries: Sequence[tuple[Any, str]], columns: int = 4) -> None:
    """Put one legend under all panels, where it covers nothing.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        With constrained layout.
    entries : sequence of (artist, str)
        What to show and its label, drawn as it is.
    columns : int
        Most entries in a row.
    """
    if len(entries) > LEGEND_LIMIT:
        kept = sorted({round(place) for place in np.linspace(0, len(entries) - 1, LEGEND_LIMIT)})
        more = line_key(linestyle="none"), f"and {len(entries) - len(kept)} more between them"
        entries = [*(entries[place] for place in kept), more]
    labels = [label for _, label in entries]
    # Matplotlib drops labels that begin with an underscore; set afterwards, they stay.
    legend = figure.legend(
        [artist for artist, _ in entries],
        ["." * max(len(label), 1) for label in labels],
        loc="outside lower center",
        ncols=min(columns, len(labels)),
        handlelength=3.2,
        columnspacing=1.6,
    )
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_text(label)
