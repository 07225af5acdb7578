"""How the figures look: quiet, safe for colour-blind readers, readable in greyscale."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's hues, moved apart in lightness: from ink to sky each is a clearly lighter grey than the one before.
INK, BLUE, VERMILION, GREEN, SKY = "#10151d", "#00548f", "#cf5a00", "#3aa57f", "#83bfe6"
PURPLE = "#8a4b9f"
GREY, RULE, GRID = "#767676", "#8a93a0", "#e3e6ea"
WINDOW_COLOUR = "#e9edf2"
WIDTHS = {"one": 85 / 25.4, "two": 178 / 25.4}
"""Widths in inches: one column (85 mm) and both (178 mm), which fit the columns of the usual journals."""

GUIDE = "_guide"
"""Label of what is drawn to guide the eye and holds no datum: zero lines, the window, diagonals."""

MARKERS = "osD^vPX<>ph*d"
SOLID, DASHED, DASH_DOT, DOTTED = "-", (0, (5, 1.5)), (0, (3, 1, 1, 1)), (0, (1.2, 1))
DASHES: tuple[Any, ...] = (SOLID, DASHED, DASH_DOT, DOTTED, (0, (8, 2)))
MARKER_COUNT = 14
NAME_LIMIT = 30
LEGEND_LIMIT = 20
STYLE = Path(__file__).with_name("house.mplstyle")
LEGEND_SIZE = 7.0
"""Points; that of the style file."""


@contextmanager
def house_style() -> Iterator[None]:
    """Apply the settings of the figures for the time of a `with` block, and nothing beyond it."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(mpl.rc_params_from_file(STYLE, use_default_template=False))
        yield


def plain(name: object, limit: int = NAME_LIMIT) -> str:
    """Make a name from outside safe to draw: no mathematics, no control characters, not too long."""
    text = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c)[0] == "C" else c for c in str(name))
    if len(text) > limit:
        text = text[: limit // 2] + "…" + text[-(limit // 2 - 1) :]
    return text.replace("$", r"\$")


def scale_styles(scales: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Give each scale a colour, a marker and a line style of its own."""
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


def density(places: np.ndarray) -> dict[str, Any]:
    """Thin out the markers, and the line, of a long series, so that lines stay apart."""
    if places.size <= 40:
        return {"markevery": 1, "linewidth": 1.4}
    even = np.linspace(places[0], places[-1], MARKER_COUNT)
    kept = np.unique(np.searchsorted(places, even).clip(0, places.size - 1))
    return {"markevery": kept.tolist(), "linewidth": 1.2 if places.size <= 100 else 0.8}


def line_key(**style: Any) -> Any:
    """Make a line for a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **style)


def window_key() -> Any:
    """Make a legend's patch for the shaded window."""
    from matplotlib.patches import Patch

    return Patch(facecolor=WINDOW_COLOUR, edgecolor="#c3cad3", linewidth=0.5)


def legend_below(figure: Figure, entries: Sequence[tuple[Any, str]], width: float) -> float:
    """Put one legend under all panels, where it covers nothing, with as many columns as fit."""
    if not entries:
        return 0.0
    if len(entries) > LEGEND_LIMIT:
        kept = sorted({round(place) for place in np.linspace(0, len(entries) - 1, LEGEND_LIMIT)})
        more = line_key(linestyle="none"), f"and {len(entries) - len(kept)} more between them"
        entries = [*(entries[place] for place in kept), more]
    labels = [label for _, label in entries]
    # A letter is about 0.54 of the size of the font wide; beside the label stand its line and the space to the next.
    longest = max(len(label.replace(r"\mathrm", "")) for label in labels)
    room = LEGEND_SIZE / 72 * (0.54 * longest + 3.0 + 0.8 + 1.4)
    columns = max(1, min(len(labels), int((width - 0.1) / room)))
    # Matplotlib drops labels that begin with an underscore; set afterwards, they stay.
    legend = figure.legend(
        [artist for artist, _ in entries],
        ["." * max(len(label), 1) for label in labels],
        loc="outside lower center",
        ncols=columns,
        handlelength=3.0,
        columnspacing=1.4,
        borderaxespad=0.2,
    )
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_text(label)
    return -(-len(labels) // columns) * 1.45 * LEGEND_SIZE / 72 + 0.08
