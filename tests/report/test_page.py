from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from gradcascade.errors import InputError
from gradcascade.report import figure_views
from gradcascade.report.data import ReportData
from gradcascade.report.drawing.figure import SUFFIXES, ReportFigure
from gradcascade.report.figures import FIGURES
from gradcascade.report.figures.local_exponents import LocalExponents
from gradcascade.report.figures.null_decomposition import NullDecomposition
from gradcascade.report.figures.performance_bridge import PerformanceBridge
from gradcascade.report.figures.performance_by_scale import PerformanceByScale
from gradcascade.report.figures.robustness_map import RobustnessMap
from gradcascade.report.figures.tensor_orders import TensorOrders
from gradcascade.report.figures.transport_over_steps import TransportOverSteps
from gradcascade.report.page import write_report

from .cascades import ENTRIES, perplexities, study_cascades
from .figures.files import check_files

EVIL = "<img src=x onerror=alert(1)>"
VOID = {"meta", "link", "img", "br", "input"}


class Page(HTMLParser):
    """Elements, attributes, text and scripts of a page; refuses unbalanced tags."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        {"script": self.scripts, "style": self.styles}.get(inside, self.text).append(data)


@pytest.fixture
def few_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw some of the figures for paper: drawing them takes most of the time, and has tests of its own."""
    kinds = (TransportOverSteps, NullDecomposition, PerformanceBridge, PerformanceByScale)
    monkeypatch.setattr(figure_views, "all_figures", lambda data: [kind(data) for kind in kinds])


@pytest.fixture
def two_figures(monkeypatch: pytest.MonkeyPatch, only_svg: None) -> None:
    """Draw those that say whether there are an external metric and nulls."""
    kinds = (PerformanceBridge, NullDecomposition)
    monkeypatch.setattr(figure_views, "all_figures", lambda data: [kind(data) for kind in kinds])


@pytest.fixture(scope="module")
def written(data: ReportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(data, tmp_path_factory.mktemp("report"))


def test_page_and_figures_are_written(written: Path) -> None:
    assert written.name == "index.html"
    assert written.stat().st_size < 2_500_000
    stems = {path.stem for path in (written.parent / "figures").iterdir()}
    assert {"transport", "exponents", "compressibility", "nulls", "activity", "performance"} <= stems
    assert len(list((written.parent / "figures").iterdir())) == 4 * len(stems)


@pytest.mark.parametrize("kind", FIGURES.values(), ids=lambda kind: kind.name)
def test_the_files_of_every_figure(kind: type[ReportFigure], data: ReportData, written: Path) -> None:
    files = {ending: written.parent / "figures" / f"{kind.name}.{ending}" for ending in SUFFIXES}
    figure = kind(data)
    if figure.missing() is None:  # else see figures/test_figures.py
        check_files(files)
        assert pl.read_csv(files["csv"]).height == figure.frame().height
    else:
        assert kind in (LocalExponents, RobustnessMap, TensorOrders)


def test_page_asks_nothing_of_the_network(written: Path) -> None:
    page = Page(written.read_text(encoding="utf-8"))
    assert not {tag for tag, _ in page.tags} & {"iframe", "object", "embed", "base", "form"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href"):
            target = attributes.get(name) or "#"
            files = r"#|data:|figures/[a-z0-9-]+\.(png|svg|pdf|csv)$|answers/[a-z-]+\.csv$|sources\.csv$"
            assert re.match(files, target), (tag, target)
            assert target.startswith(("#", "data:")) or (written.parent / target).is_file()


def test_only_the_scripts_and_styles_named_by_their_hash_run(written: Path) -> None:
    page = Page(written.read_text(encoding="utf-8"))
    (policy,) = (
        attributes["content"] or ""
        for _, attributes in page.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split("; ")}
    data, *scripts = page.scripts
    json.loads(data)
    assert rules["default-src"] == ["'none'"]
    assert rules["script-src"] == [digest(script) for script in scripts]
    assert rules["style-src-elem"] == [digest(style) for style in page.styles]


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_page_is_sound_html_with_unique_identifiers(written: Path) -> None:
    page = Page(written.read_text(encoding="utf-8"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    known = set(ids)
    for _, attributes in page.tags:
        for name in ("href", "xlink:href"):
            target = attributes.get(name) or ""
            assert not target.startswith("#") or target[1:] in known
        for value in attributes.values():
            for name in re.findall(r"url\(#([^)]*)\)", value or ""):
                assert name in known


def test_page_holds_numbers_settings_and_origins(written: Path) -> None:
    text = " ".join(Page(written.read_text(encoding="utf-8")).text)
    for wanted in ("What was found", "How to read", "graph_seed", "42 + step", 'families = ["nano"]', "2,359,296"):
        assert wanted in text
    assert "runs/nano-d24/checkpoints/step_20" in text
    assert "No cascade was excluded" in text


@pytest.mark.usefixtures("few_figures", "only_svg")
def test_names_from_outside_appear_as_text(tmp_path: Path) -> None:
    sizes = {EVIL: 10_000, "a$b$c": 40_000, "_under": 160_000, "x</text><script>": 640_000}
    cascades = study_cascades(family=f"fam{EVIL}", entries=sizes, steps=(1, 2, 3))
    cascades = cascades.with_columns(
        source=pl.lit(f"{EVIL}</details>"), revision=pl.lit("</pre><script>alert(1)</script>")
    )
    hit = (pl.col("step") == 1) & (pl.col("scale") == EVIL)
    cascades = cascades.with_columns(ceiling=hit)
    data = ReportData.from_tables(
        cascades,
        perplexities(cascades, metric=f"perplexity{EVIL}"),
        {EVIL: EVIL},
        {EVIL: {EVIL: [EVIL]}},
        f"</pre>{EVIL}",
        title=f"</title>{EVIL}",
    )
    path = write_report(data, tmp_path)
    html = path.read_text(encoding="utf-8")
    page = Page(html)
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert len(page.scripts) == 3
    assert EVIL in json.dumps(json.loads(page.scripts[0]))
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    inside = html[html.index("<svg ") : html.index("</svg>")]
    assert "&lt;img src=x" in inside
    assert "a$b$c" in inside
    assert "_under" in inside
    assert "&lt;img src=x" in (path.parent / "figures" / "transport.svg").read_text(encoding="utf-8")


EDGES = {
    "one scale": (study_cascades(entries={"d24": 36_864}), "needs at least 3 scales and this study has 1"),
    "two scales": (study_cascades(entries={"a": 100, "b": 1000}, steps=(1, 2)), "this study has 2"),
    "one step": (study_cascades(steps=(0,)), "one step"),
    "no nulls": (study_cascades(variants=("real",)), "No N0 null fields were measured"),
    "only nulls": (study_cascades(variants=("N0", "N1", "N2")), "only nulls have exponents"),
    "one field, only N2 as null": (study_cascades(variants=("real", "N2"), fields=("update",)), "the null N2"),
    "13 scales": (study_cascades(entries={f"s{i}": 1000 * 2**i for i in range(13)}, steps=(1, 2, 3)), "13 scales"),
    "all at the ceiling": (
        study_cascades(steps=(1, 2)).with_columns(ceiling=pl.lit(True), duration=pl.lit(500, pl.Int64)),
        "reached the ceiling",
    ),
    "all of size zero": (
        study_cascades(steps=(1, 2)).with_columns(
            size=pl.lit(0, pl.Int64), duration=pl.lit(0, pl.Int64), activity=pl.lit([], pl.List(pl.Int64))
        ),
        "size 0",
    ),
    "one scale at the ceiling": (
        study_cascades(steps=(1, 2, 3)).with_columns(ceiling=pl.col("scale") == "d96"),
        "d96",
    ),
    "all durations alike": (study_cascades().with_columns(duration=pl.lit(9, pl.Int64)), "at 0 of 7 steps"),
    "no cascade": (study_cascades(steps=(1,)).clear(), "Nothing was measured yet"),
    "two families": (
        pl.concat([study_cascades(steps=(1, 2, 3)), study_cascades("other", steps=(5, 6, 7), fields=("update",))]),
        "other, updates: ",
    ),
    "letters of another alphabet": (
        study_cascades("族", entries={"小": 1000, "中": 4000, "大": 16_000}, steps=(1, 2, 3)),
        "族",
    ),
}


@pytest.mark.usefixtures("two_figures")
@pytest.mark.parametrize("name", EDGES)
def test_unusual_studies_get_a_page_that_says_what_is_missing(name: str, tmp_path: Path) -> None:
    cascades, words = EDGES[name]
    path = write_report(ReportData.from_tables(cascades), tmp_path)
    page = Page(path.read_text(encoding="utf-8"))
    text = " ".join(page.text).replace("\N{NO-BREAK SPACE}", " ")
    assert words in text
    assert "No external metric" in text
    assert not re.search(r"\b(None|nan|NaN|null)\b(?! fields)(?! N)", re.sub(r"[Nn]ull\b", "", text))


@pytest.mark.usefixtures("no_figures")
def test_snapshots_that_could_not_be_measured_are_named(data: ReportData, tmp_path: Path) -> None:
    rows = [("nano", "d24", 10, "gradient", "the file <b>ends</b> early")]
    refused = pl.DataFrame(rows, schema=["family", "scale", "step", "field", "reason"], orient="row")
    page = write_report(ReportData.from_tables(data.cascades, refusals=refused), tmp_path).read_text(encoding="utf-8")
    assert "could not be measured" in page and "&lt;b&gt;ends&lt;/b&gt; early" in page
    plain = write_report(ReportData.from_tables(data.cascades), tmp_path).read_text(encoding="utf-8")
    assert "These snapshots could not be measured" not in plain


@pytest.mark.usefixtures("few_figures", "only_svg")
def test_metric_of_other_steps_is_explained(data: ReportData, tmp_path: Path) -> None:
    metrics = data.metrics.with_columns(step=pl.col("step") + 1)
    path = write_report(ReportData.from_tables(data.cascades, metrics), tmp_path)
    assert "was given for no scale and step" in path.read_text(encoding="utf-8")


@pytest.mark.usefixtures("few_figures", "only_svg")
def test_ten_thousand_cascades_fit_in_a_small_page(tmp_path: Path) -> None:
    cascades = study_cascades(entries=ENTRIES | {"d384": 9_437_184}, steps=tuple(range(1, 251)))
    assert cascades.height == 10_000
    path = write_report(ReportData.from_tables(cascades, perplexities(cascades)), tmp_path)
    assert path.stat().st_size < 5_000_000
    assert "rows; all are in" in re.sub(r"<[^>]*>", "", path.read_text(encoding="utf-8"))


@pytest.mark.usefixtures("only_svg")
def test_the_same_data_gives_the_same_page_and_replaces_an_earlier_one(
    data: ReportData, written: Path, tmp_path: Path
) -> None:
    (tmp_path / "index.html").write_text("an earlier report")
    assert write_report(data, tmp_path).read_bytes() == written.read_bytes()


def test_a_folder_that_cannot_be_written_is_one_sentence(data: ReportData, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(InputError, match="cannot be written"):
        write_report(data, tmp_path / "taken")
