from __future__ import annotations

import dataclasses
from pathlib import Path

import matplotlib as mpl
import numpy as np
import polars as pl
import pytest
from matplotlib._pylab_helpers import Gcf
from matplotlib.figure import Figure

from gradcascade.report.data import ReportData
from gradcascade.report.drawing.figure import ReportFigure
from gradcascade.report.drawing.style import plain, scale_styles
from gradcascade.report.figures import FIGURES, all_figures
from gradcascade.report.figures.activity_profiles import ActivityProfiles
from gradcascade.report.figures.compressibility_plane import CompressibilityPlane
from gradcascade.report.figures.exponents_over_steps import ExponentsOverSteps
from gradcascade.report.figures.gradient_against_update import GradientAgainstUpdate
from gradcascade.report.figures.local_exponents import LocalExponents
from gradcascade.report.figures.null_baselines import NullBaselines
from gradcascade.report.figures.null_decomposition import NullDecomposition
from gradcascade.report.figures.performance_bridge import PerformanceBridge
from gradcascade.report.figures.performance_by_scale import PerformanceByScale
from gradcascade.report.figures.robustness_map import RobustnessMap
from gradcascade.report.figures.tensor_orders import TensorOrders
from gradcascade.report.figures.tertiles import Tertiles
from gradcascade.report.figures.transport_over_steps import TransportOverSteps
from gradcascade.report.figures.window_summary import WindowSummary

from ..cascades import perplexities, study_cascades
from .files import check_files
from .studies import many, orders_table, robustness_table

ROBUSTNESS = robustness_table()


@pytest.fixture(scope="module")
def full(data: ReportData) -> ReportData:
    return dataclasses.replace(data, robustness=ROBUSTNESS, orders=orders_table())


@pytest.mark.parametrize("kind", FIGURES.values(), ids=lambda kind: kind.name)
def test_every_figure_draws_without_touching_global_settings(kind: type[ReportFigure], full: ReportData) -> None:
    before = dict(mpl.rcParams)
    figure = kind(many() if kind is LocalExponents else full)
    assert figure.missing() is None
    assert isinstance(figure.plot(), Figure)
    assert figure.caption().endswith(".")
    assert dict(mpl.rcParams) == before
    assert Gcf.get_all_fig_managers() == []


@pytest.mark.parametrize("kind", [LocalExponents, RobustnessMap, TensorOrders], ids=lambda kind: kind.name)
def test_a_figure_is_saved_as_picture_and_table(kind: type[ReportFigure], full: ReportData, tmp_path: Path) -> None:
    """The figures that an ordinary study lacks; test_page.py looks at the files of the others."""
    figure = kind(many() if kind is LocalExponents else full)
    before = dict(mpl.rcParams)
    check_files(figure.save(tmp_path))
    assert dict(mpl.rcParams) == before
    assert pl.read_csv(tmp_path / f"{figure.name}.csv").height == figure.frame().height


def test_a_figure_is_laid_out_once_and_then_drawn_once_for_every_file(
    data: ReportData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    draw = Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda self, renderer: drawn.append(1) or draw(self, renderer))
    TransportOverSteps(data).save(tmp_path)
    assert len(drawn) == 1 + 3


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


def test_exponents_are_drawn_with_their_intervals(data: ReportData) -> None:
    figure = ExponentsOverSteps(data)
    frame = figure.frame()
    fit = data.fits.filter(pl.col("exponent") == "D", pl.col("variant") == "real").row(0, named=True)
    shifted = frame.filter(pl.col("quantity") == "D - 1", pl.col("variant") == "real").row(0, named=True)
    for name in ("value", "low", "high"):
        assert shifted[name] == pytest.approx(fit[name] - 1)
    panels = figure.plot().axes
    for place, quantity in enumerate(("D - 1", "z", "delta")):
        values = frame.filter(pl.col("quantity") == quantity)["value"].to_numpy()
        for axes in (panels[place], panels[place + 3]):
            bottom, top = axes.get_ylim()
            assert bottom < values.min() and values.max() < top


def test_a_gap_in_the_fits_is_a_gap_in_the_line(data: ReportData) -> None:
    hit = (pl.col("step") == 100) & pl.col("scale").is_in(["d24", "d48"]) & (pl.col("variant") == "real")
    gappy = ReportData.from_tables(data.cascades.with_columns(ceiling=hit))
    frame = ExponentsOverSteps(gappy).frame()
    assert frame.filter(pl.col("step") == 100, pl.col("variant") == "real")["value"].null_count() == 8
    axes = ExponentsOverSteps(gappy).plot().axes[0]
    assert any(np.isnan(np.asarray(line.get_ydata(), float)).sum() == 1 for line in axes.lines)


def test_plane_holds_the_window_only(data: ReportData) -> None:
    frame = CompressibilityPlane(data).frame()
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
    assert PerformanceByScale(both).frame()["metric"].unique().to_list() == ["perplexity"]
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


def test_closure_is_drawn_where_the_fitted_exponents_are(data: ReportData) -> None:
    wide = WindowSummary(data).table()
    assert wide["D - z"].to_numpy() == pytest.approx(wide["beta"].to_numpy(), abs=1e-12)
    assert wide["D - z - 1"].to_numpy() == pytest.approx(wide["delta"].to_numpy(), abs=1e-12)
    summary = data.summary.filter(pl.col("variant") == "real", pl.col("exponent") == "z")
    real = WindowSummary(data).frame().filter(pl.col("variant") == "real", pl.col("quantity") == "z")
    assert real.select("mean", "sd", "n_steps").rows() == summary.select("mean", "sd", "n_steps").rows()


def test_medians_are_those_of_eleven_steps_and_only_of_long_series() -> None:
    assert (
        TransportOverSteps(ReportData.from_tables(study_cascades(steps=range(21)))).frame()["median"].is_null().all()
    )
    frame = TransportOverSteps(ReportData.from_tables(study_cascades(steps=range(30), noise=0.2))).frame()
    assert frame.filter(pl.col("variant") != "real")["median"].is_null().all()
    for _, line in frame.filter(pl.col("variant") == "real").group_by("field", "scale"):
        raw = line.sort("step")["v_rel"].to_numpy()
        slow = [np.median(raw[max(0, i - 5) : i + 6]) for i in range(raw.size)]
        assert line.sort("step")["median"].to_numpy() == pytest.approx(np.array(slow))


def test_tertiles_average_the_thirds_of_the_window(data: ReportData) -> None:
    frame = Tertiles(data).frame()
    z = data.fits.filter(pl.col("variant") == "real", pl.col("exponent") == "z", pl.col("field") == "gradient")
    late = frame.filter(
        pl.col("field") == "gradient",
        pl.col("quantity") == "z",
        pl.col("series") == "real",
        pl.col("tertile") == "late",
    ).row(0, named=True)
    assert (late["first_step"], late["last_step"], late["n_steps"]) == (180, 200, 2)
    assert late["mean"] == pytest.approx(z.filter(pl.col("step") >= 180)["value"].mean())
    split = frame.pivot("series", index=["field", "quantity", "tertile"], values="mean")
    assert (split["dist"] + split["assign"]).to_numpy() == pytest.approx(split["total"].to_numpy())
    assert (split["real"] - split["null"]).to_numpy() == pytest.approx(split["total"].to_numpy())


def test_the_bridge_correlates_with_the_metric_as_infer_does(data: ReportData) -> None:
    frame = PerformanceBridge(data).frame()
    known = data.answers["associations"].filter(
        pl.col("scale") == "all", pl.col("metric") == "slope of perplexity", pl.col("field") == "update"
    )
    names = {"z": "z", "delta": "delta", "D - 1": "D", "v_rel": "v_rel", "duration_per_n": "duration_per_n"}
    written = frame.filter(pl.col("field") == "update").drop_nulls("pearson")
    assert set(written["quantity"]) == set(names)
    for row in written.iter_rows(named=True):
        same = known.filter(pl.col("channel") == names[row["quantity"]]).row(0, named=True)
        assert (row["pearson"], row["p"]) == pytest.approx((same["pearson"], same["p_trend"]))
        assert row["steps"] == same["n_steps"]


def test_fields_of_one_size_are_paired_and_others_are_not() -> None:
    cascades = study_cascades(noise=0.1)
    paired = GradientAgainstUpdate(ReportData.from_tables(cascades)).frame().drop_nulls("series")
    assert set(paired["method"]) == {"paired"}
    larger = pl.when(pl.col("field") == "update").then(3 * pl.col("n")).otherwise("n")
    apart = cascades.with_columns(
        n=larger, size=pl.when(pl.col("field") == "update").then(3 * pl.col("size")).otherwise("size")
    )
    independent = GradientAgainstUpdate(ReportData.from_tables(apart)).frame().drop_nulls("series")
    assert set(independent["method"]) == {"independent"}
    for one, other in zip(
        paired.sort("quantity", "series").to_dicts(), independent.sort("quantity", "series").to_dicts(), strict=True
    ):
        assert one["value"] == pytest.approx(other["value"], abs=1e-9)
        assert other["low"] < other["value"] < other["high"]
        if one["series"] in ("gradient", "update"):
            assert (one["low"], one["high"]) == pytest.approx((other["low"], other["high"]))
    for frame in (paired, independent):
        wide = frame.pivot("series", index="quantity", values="value")
        gap = wide["gradient"] - wide["update"]
        assert gap.to_numpy() == pytest.approx(wide["gradient - update"].to_numpy(), abs=1e-9)


def test_shifts_are_counted_in_standard_errors(full: ReportData) -> None:
    known = dataclasses.replace(full, robustness=ROBUSTNESS.with_columns(se=pl.lit(0.01), degrees=pl.lit(1)))
    row = (
        RobustnessMap(known).frame().row(0, named=True)
    )  # two steps: the interval is 12.7 errors wide on either side
    assert row["in_errors"] == pytest.approx(row["shift"] / 0.01)
    elsewhere = dataclasses.replace(full, robustness=ROBUSTNESS.drop("se", "degrees"))
    assert RobustnessMap(elsewhere).frame()["in_errors"].is_null().all()  # an interval alone does not say
    flat = dataclasses.replace(full, robustness=ROBUSTNESS.with_columns(se=pl.lit(0.0), degrees=pl.lit(3)))
    assert RobustnessMap(flat).frame()["in_errors"].is_null().all()
    assert RobustnessMap(flat).plot().axes


def test_robustness_that_was_not_measured_says_what_to_run(data: ReportData) -> None:
    robustness = {figure.name: figure for figure in all_figures(data)}["robustness"]
    assert robustness.missing() == (
        "No other choices of the method were measured; run `gradcascade robustness` first."
    )
    assert robustness.frame().is_empty()
    orders = {figure.name: figure for figure in all_figures(data)}["orders"]
    assert orders.missing() == "No other orders of the tensors were measured; run `gradcascade robustness` first."
    assert orders.frame().is_empty()


EDGES = {
    "one scale": study_cascades(entries={"d24": 36_864}),
    "one step": study_cascades(steps=(0,)),
    "only nulls": study_cascades(variants=("N0", "N1", "N2")),
    "only N2": study_cascades(variants=("real", "N2")),
    "one field": study_cascades(fields=("update",), variants=("real",)),
    "all at the ceiling": study_cascades(steps=(1, 2)).with_columns(ceiling=True),
    "nothing": study_cascades(steps=(1,)).clear(),
    "without activity": study_cascades(steps=(1, 2)).drop("activity"),
    "another kind of field": study_cascades(fields=("update",)).with_columns(field=pl.lit("moment")),
}


@pytest.mark.parametrize("edge", EDGES)
def test_of_an_unusual_study_each_figure_draws_something_or_says_what_is_missing(edge: str) -> None:
    cascades = EDGES[edge]
    metrics = perplexities(cascades) if cascades.height else None
    for figure in all_figures(ReportData.from_tables(cascades, metrics)):
        missing, drawn = figure.missing(), figure.plot("one")
        if missing is None:
            assert any(axes.has_data() for axes in drawn.axes), figure.name
        else:
            assert missing.endswith(".") and not drawn.axes
            assert " ".join(drawn.texts[0].get_text().split()) == missing


def test_one_scale_is_drawn_where_no_exponent_is_needed() -> None:
    known = {f.name for f in all_figures(ReportData.from_tables(EDGES["one scale"])) if f.missing() is None}
    assert known == {"transport", "activity", "activity-steps", "gradient-update"}


def test_only_nulls_are_drawn_without_a_real_line() -> None:
    figure = NullBaselines(ReportData.from_tables(EDGES["only nulls"]))
    texts = [text.get_text() for text in figure.plot().legends[0].get_texts()]
    assert texts == ["N0", "N1", "N2", "window"]


def test_ten_thousand_steps_are_drawn_as_pixels_in_a_small_file(tmp_path: Path) -> None:
    cascades = study_cascades(steps=range(10_000), fields=("gradient",), variants=("real",))
    files = ExponentsOverSteps(ReportData.from_tables(cascades)).save(tmp_path)
    assert files["svg"].stat().st_size < 1_000_000 and files["pdf"].stat().st_size < 1_000_000
