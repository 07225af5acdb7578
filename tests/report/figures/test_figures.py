from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import polars as pl
import pytest
from matplotlib._pylab_helpers import Gcf
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradcascade.report.data import ReportData, of_group
from gradcascade.report.figures import (
    KINDS,
    ActivityProfiles,
    CompressibilityMap,
    ExponentsOverSteps,
    NullDecomposition,
    PerformanceBridge,
    TransportOverSteps,
    all_figures,
)
from gradcascade.report.figures.base import ReportFigure
from gradcascade.report.figures.style import plain, scale_styles

from ..cascades import study_cascades


def drawn(axes: Axes) -> list[tuple[np.ndarray, np.ndarray]]:
    lines = [(np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)) for line in axes.lines]
    return [line for line in lines if line[0].size]


def has_line(axes: Axes, x: pl.Series, y: pl.Series) -> bool:
    want = np.asarray(x, float), y.cast(pl.Float64).to_numpy()
    return any(
        have[0].shape == want[0].shape
        and all(np.allclose(h, w, equal_nan=True) for h, w in zip(have, want, strict=True))
        for have in drawn(axes)
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_figure_draws_and_saves_without_touching_global_settings(
    kind: type[ReportFigure], data: ReportData, tmp_path: Path
) -> None:
    before = dict(mpl.rcParams)
    figure = kind(data)
    assert figure.missing() is None
    assert isinstance(figure.plot(), Figure)
    files = figure.save(tmp_path)
    assert sorted(path.suffix for path in files.values()) == [".csv", ".png", ".svg"]
    assert all(path.stat().st_size > 500 for path in files.values())
    assert pl.read_csv(files["csv"]).height == figure.frame().height
    assert figure.caption().endswith(".")
    assert dict(mpl.rcParams) == before
    assert Gcf.get_all_fig_managers() == []


def test_transport_frame_is_what_is_drawn_and_what_was_measured(data: ReportData) -> None:
    figure = TransportOverSteps(data)
    frame = figure.frame()
    row = frame.filter(pl.col("variant") == "real", pl.col("scale") == "d48", pl.col("step") == 100).row(
        0, named=True
    )
    same = data.cascades.filter(
        pl.col("field") == row["field"], pl.col("variant") == "real", pl.col("scale") == "d48", pl.col("step") == 100
    ).row(0, named=True)
    assert row["v_rel"] == pytest.approx(same["size"] / same["n"] / same["duration"])
    for axes, group in zip(figure.plot().axes, data.groups, strict=True):
        assert len(drawn(axes)) == 8
        for _, line in of_group(frame, group).group_by("variant", "scale"):
            assert has_line(axes, line["step"], line["v_rel"])


def test_exponents_are_drawn_with_their_intervals(data: ReportData) -> None:
    figure = ExponentsOverSteps(data)
    frame = figure.frame()
    fit = data.fits.filter(pl.col("exponent") == "D", pl.col("variant") == "real").row(0, named=True)
    shifted = frame.filter(pl.col("quantity") == "D - 1", pl.col("variant") == "real").row(0, named=True)
    for name in ("value", "low", "high"):
        assert shifted[name] == pytest.approx(fit[name] - 1)
    panels = np.array(figure.plot().axes).reshape(3, 2)
    for row, quantity in zip(panels, ("D - 1", "z", "delta"), strict=True):
        for axes, group in zip(row, data.groups, strict=True):
            for _, line in of_group(frame, group).filter(pl.col("quantity") == quantity).group_by("variant"):
                assert has_line(axes, line["step"], line["value"])
            assert len(axes.collections) == 2
            bottom, top = axes.get_ylim()
            values = frame.filter(pl.col("quantity") == quantity)["value"].to_numpy()
            assert bottom < values.min() and values.max() < top


def test_a_gap_in_the_fits_is_a_gap_in_the_line(data: ReportData) -> None:
    hit = (pl.col("step") == 100) & pl.col("scale").is_in(["d24", "d48"]) & (pl.col("variant") == "real")
    gappy = ReportData.from_tables(data.cascades.with_columns(ceiling=hit))
    frame = ExponentsOverSteps(gappy).frame()
    assert frame.filter(pl.col("step") == 100, pl.col("variant") == "real")["value"].null_count() == 6
    axes = ExponentsOverSteps(gappy).plot().axes[0]
    assert any(np.isnan(y).sum() == 1 for _, y in drawn(axes))


def test_map_holds_the_window_only(data: ReportData) -> None:
    frame = CompressibilityMap(data).frame()
    assert frame["step"].min() == 80
    assert set(frame["variant"]) == {"real", "N0"}


def test_null_parts_add_up_to_the_total(data: ReportData) -> None:
    frame = NullDecomposition(data).frame()
    wide = frame.pivot("part", index=["family", "field", "exponent", "step"], values="value")
    assert (wide["dist"] + wide["assign"]).to_numpy() == pytest.approx(wide["total"].to_numpy(), abs=1e-12)
    means = frame.filter(pl.col("step").is_null())
    assert means.height == 2 * 3 * 3
    assert means["sd"].null_count() == 0


def test_the_total_difference_needs_no_n2() -> None:
    data = ReportData.from_tables(study_cascades(variants=("real", "N0")))
    means = NullDecomposition(data).frame().filter(pl.col("step").is_null(), pl.col("value").is_not_null())
    assert set(means["part"]) == {"total"}


def test_stopped_cascades_count_as_zero_in_the_activity_profile() -> None:
    cascades = study_cascades(steps=(1, 2), fields=("update",), variants=("real",))
    long, short = [100, 50, 20], [100, 30]
    lists = pl.when(pl.col("step") == 1).then(pl.lit(long)).otherwise(pl.lit(short))
    frame = ActivityProfiles(ReportData.from_tables(cascades.with_columns(activity=lists), window=(1, 2))).frame()
    small = frame.filter(pl.col("scale") == "d24")
    assert small["share"].to_list() == pytest.approx([100 / 36_864, 40 / 36_864, 10 / 36_864])
    assert small["alive"].to_list() == [2, 2, 1]


def test_replicates_of_a_null_are_averaged_in_logarithms() -> None:
    one = study_cascades(steps=(1,), fields=("update",), variants=("N0",))
    two = one.with_columns(replicate=pl.lit(1, pl.Int64), size=pl.col("size") * 4)
    frame = TransportOverSteps(ReportData.from_tables(pl.concat([one, two]))).frame()
    alone = TransportOverSteps(ReportData.from_tables(one)).frame()
    assert frame["v_rel"].to_numpy() == pytest.approx(2 * alone["v_rel"].to_numpy())


def test_perplexity_is_preferred_among_metrics(data: ReportData) -> None:
    assert PerformanceBridge(data).metric == "perplexity"
    other = data.metrics.with_columns(metric=pl.lit("accuracy"))
    both = ReportData.from_tables(data.cascades, pl.concat([other, data.metrics]))
    assert PerformanceBridge(both).frame()["metric"].unique().to_list() == ["perplexity"]
    assert PerformanceBridge(ReportData.from_tables(data.cascades, other)).metric == "accuracy"


@pytest.mark.parametrize("count", [1, 2, 5, 13])
def test_scales_differ_in_more_than_colour_and_grow_darker(count: int) -> None:
    styles = scale_styles([f"s{i}" for i in range(count)])
    shapes = {(style["marker"], str(style["linestyle"])) for style in styles.values()}
    assert len(shapes) == count
    greys = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b, _ in (style["color"] for style in styles.values())]
    assert greys == sorted(greys, reverse=True)


def test_plain_names_are_drawn_letter_by_letter() -> None:
    assert plain("a$b$c") == r"a\$b\$c"
    assert "\x00" not in plain("a\x00b")
    assert len(plain("x" * 500)) <= 30
    assert plain("_hidden") == "_hidden"


def test_the_same_data_gives_the_same_svg(data: ReportData, tmp_path: Path) -> None:
    texts = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        texts.append(TransportOverSteps(data).save(tmp_path / name)["svg"].read_bytes())
    assert texts[0] == texts[1]


def test_names_of_the_figures_are_unique(data: ReportData) -> None:
    names = [figure.name for figure in all_figures(data)]
    assert len(set(names)) == len(names)
