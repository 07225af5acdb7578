import polars as pl
import pytest

from gradcascade.report.labs.xor.figures import FIGURES, Choices, Graphs
from gradcascade.report.labs.xor.findings import PLACED, XorFindings
from gradcascade.report.labs.xor.page import beside_published, headline
from gradcascade.scaling.phases import AFTER, BEFORE, CHANGE

N = {"h20": 81, "h50": 201, "h200": 801}
AT = 30


def planted(before=0.9, after=1.2, family="shadow-x", at=AT):
    """Cascades whose size is a power of N, the size of N2 a tenth of N, on two kinds of graph."""
    rows = [
        {"family": family, "scale": scale, "run": run, "step": step, "field": "gradient", "variant": variant,
         "replicate": 0, "graph": graph, "n": n, "size": size, "duration": 1, "activity": [size]}
        for scale, n in N.items() for run in ("0", "1") for step in range(0, 60, 10)
        for variant, graph in (("real", "barabasi-albert"), ("N2", "barabasi-albert"), ("real", "ring"))
        for size in [round(1e6 * n ** (1.0 if variant == "N2" else before if step < at else after))]
    ]  # fmt: skip
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def findings():
    cascades = planted()
    series = cascades.select("family", "scale", "run", "step", "n").unique(maintain_order=True).with_columns(
        loss=0.1, accuracy=1.0, gini=pl.when(pl.col("step") == AT).then(0.5).otherwise(0.4)
    )  # fmt: skip
    moves = {"shadow-x": {(scale, run): AT for scale in N for run in ("0", "1")}}
    gaussian = (
        planted(1.0, 1.0, "gaussian").with_columns(variant=pl.lit("N0")).unique(["scale", "run", "step", "graph"])
    )
    return XorFindings(cascades, series, gaussian, {"accuracy": moves, "loss": moves})


def value(table, phase, **choice):
    rows = table.filter(
        pl.col("method") == "means", pl.col("phase") == phase, *(pl.col(k) == v for k, v in choice.items())
    )
    assert rows.height == 1
    return rows["value"][0]


def test_planted_exponents_come_back_by_phase_and_choice(findings):
    for phase, expected in ((BEFORE, 0.9), (AFTER, 1.2), (CHANGE, 0.3)):
        assert value(findings.main, phase) == pytest.approx(expected, abs=1e-3)
        ring = {"statistic": "size", "rule": "accuracy", "graph": "ring", "variant": "real"}
        assert value(findings.phases, phase, **ring) == pytest.approx(expected, abs=1e-3)
    placed = {"statistic": "size", "rule": "accuracy", "variant": PLACED}
    assert value(findings.phases, AFTER, **placed) == pytest.approx(0.2, abs=1e-3)
    assert value(findings.phases, AFTER, statistic="duration") == pytest.approx(0.0, abs=1e-9)
    assert findings.control["value"].to_list() == pytest.approx([1.0, 1.0], abs=1e-3)
    assert findings.control_variation == pytest.approx(0, abs=1e-3)


def test_what_is_said_holds_the_numbers(findings):
    first, last = headline(findings)
    assert "D before 0.90" in first and "D after 1.20" in first and "published 1.20 ± 0.02" in first
    assert "6 runs of 3 widths" in first
    assert "Gaussian fields: D from 1.000 to 1.000" in last
    table = beside_published(findings).filter(method="means", phase=AFTER)
    assert table["published"].to_list() == [1.2] and table["within, widths"].to_list() == [True]
    assert not beside_published(findings).filter(method="means", phase="all")["within, widths"][0]


def test_when_and_how_the_networks_learn(findings):
    assert findings.learning["median epoch by accuracy"].to_list() == [30.0] * 3
    assert findings.learning["largest rise of Gini"].to_list() == pytest.approx([0.25] * 3)


@pytest.mark.parametrize("kind", FIGURES, ids=lambda kind: kind.name)
def test_every_figure_is_drawn_from_its_numbers(kind, findings):
    figure = kind(findings)
    assert figure.missing() is None
    assert figure.frame().height >= 4
    axes = figure.plot().axes
    assert axes and all(panel.has_data() for panel in axes)


@pytest.mark.parametrize("kind", [Choices, Graphs], ids=lambda kind: kind.name)
def test_the_legend_says_what_is_thick_and_thin_and_shaded(kind, findings):
    said = [text.get_text() for text in kind(findings).plot().legends[0].get_texts()]
    assert {"95 % over runs", "95 % across widths", "published ± error"} <= set(said)


def test_two_widths_are_said_to_be_too_few(findings):
    few = XorFindings(
        findings.cascades.filter(pl.col("scale") != "h50"), findings.series,
        findings.gaussian.filter(pl.col("scale") != "h50"), findings.transitions,
    )  # fmt: skip
    assert "fewer than three widths" in headline(few)[0]
    assert [kind.name for kind in FIGURES if not kind(few).missing()] == ["size-against-n", "size-distribution"]
