from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from calibration_figure import Calibration, chance_band

from gradcascade.errors import InputError

from .drawn import Marks, compare, mark, panels

ROWS = [
    ("Intervals", "four scales", "z", 95.0, 94.2),
    ("Intervals", "four scales", "curvature", 5.0, 6.2),
    ("Intervals", "five scales", "z", 95.0, 100.0),
    ("Intervals", "five scales", "curvature", 5.0, 0.0),
    ("Tests", "21 steps, phi 0.5", "shifts", 5.0, 5.1),
    ("Tests", "21 steps, phi 0.5", "naive", 5.0, 39.4),
]
TABLE = pl.DataFrame(ROWS, schema=["part", "case", "quantity", "nominal", "share"], orient="row").with_columns(
    repetitions=pl.lit(400, pl.Int64)
)


def expected(figure: object) -> list[Marks]:
    assert isinstance(figure, Calibration)
    found = []
    for part in figure.frame().partition_by("part", maintain_order=True):
        cases = part["case"].unique(maintain_order=True).to_list()
        rows = part.select("drawn", "case").iter_rows()
        found.append(Counter(mark("point", share / 100, -cases.index(case)) for share, case in rows))
    return found


@pytest.mark.parametrize("width", ["one", "two"])
def test_the_frame_is_what_is_drawn(width: str) -> None:
    figure = Calibration(TABLE)
    compare(figure, figure.plot(width), expected)  # pyright: ignore[reportArgumentType]
    assert [axes.get_title(loc="left") for axes in panels(figure.plot())] == ["Intervals", "Tests"]


def test_shares_are_kept_off_the_ends_of_the_logistic_axis() -> None:
    frame = Calibration(TABLE).frame()
    assert frame["share"].to_list() == TABLE["share"].to_list()
    assert frame["drawn"].to_list() == [94.2, 6.2, 99.9, 0.1, 5.1, 39.4]


def test_the_band_is_what_chance_does_to_the_nominal_share() -> None:
    (band,) = panels(Calibration(TABLE).plot())[1].patches
    error = 1.959964 * (0.05 * 0.95 / 400) ** 0.5
    assert band.get_extents().transformed(band.axes.transData.inverted()).intervalx == pytest.approx(  # pyright: ignore[reportOptionalMemberAccess]
        [0.05 - error, 0.05 + error]
    )


def test_it_is_saved_as_every_figure_is(tmp_path: Path) -> None:
    files = Calibration(TABLE).save(tmp_path)
    assert {path.name for path in files.values()} == {f"calibration.{end}" for end in ("svg", "pdf", "png", "csv")}
    again = Calibration(pl.read_csv(files["csv"]))
    assert again.frame().equals(Calibration(TABLE).frame())


def test_a_table_of_something_else_is_refused_and_an_empty_one_says_so() -> None:
    with pytest.raises(InputError, match="table of calibration lacks the columns nominal, share"):
        Calibration(TABLE.drop("nominal", "share"))
    missing = Calibration(TABLE.clear()).missing()
    assert missing is not None and "benchmarks/calibration.py" in missing


def test_the_band_holds_what_chance_counts() -> None:
    low, high = chance_band(20, 500)
    counted = np.random.default_rng(0).binomial(500, 0.2, 20_000) / 5
    assert 0.93 < ((low < counted) & (counted < high)).mean() < 0.97
    assert chance_band(95, 0)[0] < 95
