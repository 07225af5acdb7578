from __future__ import annotations

from collections.abc import Sequence

import pytest
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from gradcascade.report.drawing.axes import log_both, log_sizes, log_steps

PYTHIA = (0, *(2**power for power in range(10)), *range(1000, 144_000, 1000))


@pytest.mark.parametrize(
    ("steps", "scale"),
    [
        (range(0, 201, 20), "linear"),
        (range(0, 125_001, 1000), "linear"),
        ([*range(0, 1000, 100), *range(5000, 9000, 100)], "linear"),
        ((0, 1000), "linear"),
        (PYTHIA, "symlog"),
        (PYTHIA[1:], "log"),
        (PYTHIA[:11], "symlog"),
        ((1, 10, 100, 1000), "log"),
    ],
)
def test_steps_that_lie_denser_at_the_start_are_spread_out(steps: Sequence[int], scale: str) -> None:
    axes = Figure().add_subplot()
    axes.plot(steps, [1.0] * len(steps))
    log_steps(axes, steps)
    assert axes.get_xscale() == scale
    assert ("logarithmic" in axes.get_xlabel()) == (scale != "linear")


def shown(axis: Axis) -> list[str]:
    low, high = axis.get_view_interval()
    return [axis.get_major_formatter()(tick, 0) for tick in axis.get_majorticklocs() if low <= tick <= high]


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((40_000, 2_200_000), ["50k", "100k", "200k", "500k", "1M", "2M"]),
        ((500_000, 60_000_000), ["500k", "1M", "2M", "5M", "10M", "20M", "50M"]),
        ((1_000, 3_000), ["1000", "2000", "3000"]),
    ],
    ids=str,
)
def test_numbers_of_entries_are_written_without_powers(sizes: tuple[int, int], words: list[str]) -> None:
    axes = Figure().add_subplot()
    axes.plot(sizes, [0.5, 0.7])
    log_sizes(axes)
    assert set(words) <= set(shown(axes.xaxis))
    assert not any("e" in word for word in shown(axes.xaxis))


def test_small_numbers_stay_as_they_are() -> None:
    axes = Figure().add_subplot()
    axes.plot([0.01, 0.02], [0.0125, 0.0175])
    log_both(axes)
    assert "0.015" in shown(axes.yaxis)
