"""Axes a reader can read off: whole steps, logarithms with plain numbers, limits that show the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

_DENSER = 8
"""Steps are denser at the start if the usual gap, or the last one, is this many times the first."""


def whole_numbers(axes: Axes, label: str, ticks: int = 7) -> None:
    """Label the horizontal axis and keep its ticks on whole numbers."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10], integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: _short(step)))


def _short(number: float, limit: int = 10_000) -> str:
    """Write a number in few letters: thousands from a limit on, and millions."""
    if abs(number) >= max(limit, 1_000_000):
        text = f"{number / 1e6:.6g}M"
    else:
        text = f"{number / 1000:.6g}k" if abs(number) >= limit else f"{number:.6g}"
    return text.replace("-", "\N{MINUS SIGN}")


def log_steps(axes: Axes, steps: Sequence[int], label: str = "training step") -> None:
    """Label the horizontal axis with training steps, logarithmic where they lie denser at the start (as Pythia's)."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    positive = sorted(step for step in set(steps) if step > 0)
    gaps = np.diff(positive)
    if len(positive) < 3 or max(np.median(gaps), gaps[-1]) < _DENSER * gaps[0]:
        whole_numbers(axes, label)
        return
    first, last = positive[0], positive[-1]
    zero = min(steps) <= 0
    axes.set_xscale("symlog", linthresh=first, linscale=0.5) if zero else axes.set_xscale("log")
    decades = np.log10(last / first)
    subs = (1, 2, 5) if decades < 2 else (1, 3) if decades < 3 else (1,)
    ticks = [sub * 10**power for power in range(int(np.log10(last)) + 1) for sub in subs]
    ticks = [tick for tick in ticks if first <= tick <= 1.05 * last]
    axes.xaxis.set_major_locator(FixedLocator([0, *ticks] if zero else ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: _short(step, 1000)))
    axes.set_xlabel(f"{label}, logarithmic" if "(" in label else f"{label} (logarithmic)")


def cover(axes: Axes, values: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Set vertical limits that show every value, and of the intervals, all but the widest tenth."""
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
    """Make the vertical axis logarithmic, with ticks a reader can read off."""
    axes.set_yscale("log")
    _readable(axes.yaxis, *axes.get_ylim(), ticks=6)


def per_million(axes: Axes) -> None:
    """Write the ticks of the vertical axis as parts per million."""
    from matplotlib.ticker import FuncFormatter

    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{1e6 * value:.5g}"))


def log_both(axes: Axes) -> None:
    """Make both axes logarithmic, with ticks a reader can read off."""
    plain_log_ticks(axes)
    axes.set_xscale("log")
    _readable(axes.xaxis, *axes.get_xlim(), ticks=3)


def log_sizes(axes: Axes) -> None:
    """Make the horizontal axis logarithmic, for numbers of entries."""
    from matplotlib.ticker import LogLocator, NullLocator

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    if high < 300 * low:
        _readable(axes.xaxis, low, high, ticks=3)
    else:
        axes.xaxis.set_major_locator(LogLocator(base=10, numticks=8))
        axes.xaxis.set_minor_locator(NullLocator())


def _readable(axis: Axis, low: float, high: float, ticks: int) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    decades = np.log10(high / low)
    if decades < 0.8:
        axis.set_major_locator(MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10]))
    else:
        subs = (1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)
        axis.set_major_locator(LogLocator(base=10, subs=subs, numticks=2 * ticks))
    if decades < 4.5:
        axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axis.set_minor_locator(NullLocator())
