from __future__ import annotations

from collections.abc import Sequence

import pytest
from matplotlib.figure import Figure

from gradcascade.report.drawing.axes import log_steps

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
