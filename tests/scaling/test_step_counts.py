"""Steps are counted whose interval excludes zero; the interval of a difference follows from both intervals."""

from __future__ import annotations

import polars as pl
import pytest

from gradcascade.scaling.step_counts import StepCounts, step_counts

ROWS = [
    # variant, step, value, low, high
    ("real", 1, 0.3, 0.2, 0.4),
    ("real", 2, 0.5, 0.1, 0.9),
    ("real", 3, -0.1, -0.3, 0.1),
    ("real", 4, 0.2, 0.2, 0.2),
    ("N0", 1, 0.1, 0.05, 0.15),
    ("N0", 2, 0.4, 0.1, 0.7),
]
REAL, NULL = ("nano", "gradient", "real"), ("nano", "gradient", "N0")


def table(exponent: str = "z", shift: float = 0.0) -> pl.DataFrame:
    rows = [
        ("nano", "gradient", variant, step, exponent, *(number + shift for number in numbers))
        for variant, step, *numbers in ROWS
    ]
    columns = ["family", "field", "variant", "step", "exponent", "value", "low", "high"]
    return pl.DataFrame(rows, schema=columns, orient="row")


@pytest.mark.parametrize(("exponent", "shift"), [("z", 0.0), ("D", 1.0)])
def test_steps_on_the_side_of_the_mean_count_and_intervals_of_no_width_do_not(exponent: str, shift: float) -> None:
    found = step_counts(table(exponent, shift), exponent, REAL, (1, 4))
    assert (found.steps, found.apart) == (4, 2)
    assert found.mean == pytest.approx(0.225)
    assert step_counts(table(exponent, shift), exponent, REAL, (2, 2)).sd is None
    assert step_counts(table(exponent, shift), exponent, REAL, (7, 9)) == StepCounts(None, None, 0, 0)


def test_distances_to_the_limits_add_in_squares() -> None:
    # Step 1: 0.2 less sqrt(0.1 ** 2 + 0.05 ** 2) = 0.112 excludes zero; step 2: 0.1 less 0.5 does not.
    found = step_counts(table(), "z", REAL, (1, 4), NULL, (1, 4))
    assert (found.steps, found.apart) == (2, 1)
    assert found.mean == pytest.approx(0.15)
    assert step_counts(table(), "z", REAL, (1, 4), NULL, (2, 4)).steps == 1
